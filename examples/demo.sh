#!/bin/sh
# What `make demo` runs: recordings in, a report out, in six to ten minutes on two cores without a GPU.
#
#   examples/demo.sh COLA OUT [AUDIO]
#
# COLA is the binary, OUT the folder to write to. AUDIO is a folder of your own; where it has train/<label>/ and
# test/<label>/, or one folder a label, it is probed as well.
set -eu
cola=$1 out=$2 audio=${3:-}
minutes=2.5
mkdir -p "$out"

task=""
if [ -n "$audio" ]; then
    [ -d "$audio" ] || { echo "AUDIO=$audio is not a folder" >&2; exit 2; }
    pool=$audio
    if [ -d "$audio/train" ] && [ -d "$audio/test" ]; then
        pool=$audio/train task=$audio
    elif [ "$(find "$audio" -mindepth 1 -maxdepth 1 -type d | wc -l)" -ge 2 ]; then
        task=$audio
        echo "taking the folders of $audio as labels; the probe's test clips are in the pre-training pool too, without labels"
    fi
elif examples/real_recordings.sh "$out/recordings"; then
    pool=$out/recordings/pool task=$out/recordings/voices
else
    echo "no recordings to be had: using generated sounds instead"
    [ -d "$out/synth" ] || "$cola" synth "$out/synth" --clips-per-family 120
    pool=$out/synth/train task=$out/synth
fi

heading() { printf '\n== %s\n' "$*"; }

heading "pre-training on $pool for $minutes minutes"
rm -rf "$out/run"
# 50 steps of warm-up would be a good part of so short a run.
"$cola" pretrain "$pool" --out "$out/run" --minutes "$minutes" --batch 32 --held-out 0.1 --warmup 10

if [ -n "$task" ]; then
    heading "probing $task: plain log-mel statistics, the untrained encoder, the pre-trained one"
    "$cola" probe "$out/run" "$task" --features logmel-stats
    "$cola" probe "$out/run" "$task" --random
    "$cola" probe "$out/run" "$task"
fi

shown=$pool
[ -d "$task/test" ] && shown=$task/test
heading "embedding $shown"
query=$(find "$shown" -type f \( -iname '*.wav' -o -iname '*.ogg' -o -iname '*.flac' -o -iname '*.mp3' -o -iname '*.opus' \) | LC_ALL=C sort | head -n 1)
if [ -n "$query" ]; then
    "$cola" embed "$out/run" "$shown" --out "$out/vectors.npy" --nearest "$query" --count 5
else
    "$cola" embed "$out/run" "$shown" --out "$out/vectors.npy"
fi

heading "report"
if [ -n "$task" ]; then
    "$cola" report "$out/run" --task "$task" --title "COLA demo"
else
    "$cola" report "$out/run" --title "COLA demo"
fi

heading "map"
"$cola" map "$out/run" "$shown" --out "$out/map.html"
