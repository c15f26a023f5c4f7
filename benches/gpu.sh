#!/bin/sh
# Everything that a machine with a GPU is to be asked, in one call: are the kernels right there, and how fast are they
# and PyTorch. Writes benches/results/<adapter>-<driver>-<date>/.
#
#     benches/gpu.sh                                  # batch 512, all parts
#     BATCH=8 MINUTES=0.5 benches/gpu.sh              # small sizes, to try it without a GPU
#     PARTS="tests step" ADAPTER=1 benches/gpu.sh     # some parts, on another adapter
#
# Set by environment:
#   PARTS         of: tests doctor kernels step scaling peer   [all]
#   BATCH         pairs a step                         [512]
#   MINUTES       for the scaling over batches         [3]
#   ADAPTER       number in `cola doctor`, or a name   [a GPU before a CPU]
#   PYTHON        with torch and timm, for `peer`      [python3]
#   COLA, KERNEL_TESTS   programs built elsewhere; nothing is built where both are set
set -eu
cd "$(dirname "$0")/.."

PARTS=${PARTS:-"tests doctor kernels step scaling peer"}
BATCH=${BATCH:-512}
MINUTES=${MINUTES:-3}
PYTHON=${PYTHON:-python3}
RESULTS=benches/results

say() { echo "gpu.sh: $*" >&2; }
wanted() { case " $PARTS " in *" $1 "*) return 0 ;; *) return 1 ;; esac; }
# What stands first under a key of a JSON object: a text, a number, true or false.
value() { grep -o "\"$1\": *\(\"[^\"]*\"\|[^,}\"]*\)" "$2" | head -n 1 | sed 's/^[^:]*: *//; s/"//g'; }

if [ -z "${COLA:-}" ]; then
    cargo build --release
    COLA=target/release/cola
fi
if wanted tests && [ -z "${KERNEL_TESTS:-}" ]; then
    KERNEL_TESTS=$(cargo test --release --no-run --test kernels --message-format json |
        sed -n 's/.*"name":"kernels".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
fi

new=$(mktemp -d "$RESULTS/new.XXXXXX")
trap 'rm -rf "$new"' EXIT
failed=""
# Runs a part: its standard output goes to a file, and what fails does not stop the others.
part() {
    file=$1
    shift
    say "$file: $*"
    if ! "$@" >"$new/$file"; then
        say "$file: FAILED"
        failed="$failed $file"
    fi
}

{
    uname -sm
    echo "$(getconf _NPROCESSORS_ONLN) processors"
    if command -v nvidia-smi >/dev/null; then
        nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.max.sm,clocks.max.memory,power.limit --format=csv
    fi
} >"$new/machine.txt"

# A small step tells which adapter it is, and compiles the kernels.
"$COLA" bench step --batch 2 --steps 1 --no-tune --json ${ADAPTER:+--adapter "$ADAPTER"} >"$new/adapter.json"
adapter=$(value adapter "$new/adapter.json")
driver=$(value driver "$new/adapter.json")
is_cpu=$(value is_cpu "$new/adapter.json")
rm "$new/adapter.json"
say "$adapter, $driver"

if wanted tests; then
    # The tests of the sources alone need the source tree where they were built.
    part tests.txt env ${ADAPTER:+COLA_ADAPTER="$ADAPTER"} "$KERNEL_TESTS" --skip coverage
fi
if wanted doctor; then
    part doctor.txt "$COLA" doctor
fi
if wanted kernels; then
    part kernels.txt "$COLA" bench kernels --tune --json "$new/kernels.json" --html "$new/kernels.html" ${ADAPTER:+--adapter "$ADAPTER"}
fi
if wanted step; then
    part "untuned-$BATCH.json" "$COLA" bench step --batch "$BATCH" --steps 30 --no-tune --json ${ADAPTER:+--adapter "$ADAPTER"}
    part "step-$BATCH.json" "$COLA" bench step --batch "$BATCH" --steps 30 --json ${ADAPTER:+--adapter "$ADAPTER"}
    part "mixed-$BATCH.json" "$COLA" bench step --batch "$BATCH" --steps 30 --precision mixed --json ${ADAPTER:+--adapter "$ADAPTER"}
    part "forward-$BATCH.json" "$COLA" bench step --batch "$BATCH" --steps 30 --forward --json ${ADAPTER:+--adapter "$ADAPTER"}
fi
if wanted scaling; then
    part scaling.txt "$COLA" bench scaling --minutes "$MINUTES" --out "$new" ${ADAPTER:+--adapter "$ADAPTER"}
fi
if wanted peer; then
    if "$PYTHON" -c "import torch, timm" 2>/dev/null; then
        device=cpu
        [ "$is_cpu" = true ] || device=$("$PYTHON" -c "import torch; print('cuda' if torch.cuda.is_available() else 'cpu')")
        peer="benches/peers/torch_step.py --batch $BATCH --device $device --all --json"
        # shellcheck disable=SC2086 # a script and its options
        part "torch-step-$BATCH.jsonl" "$PYTHON" $peer
        # shellcheck disable=SC2086
        part "torch-forward-$BATCH.jsonl" "$PYTHON" $peer --forward
    else
        say "peer: left out, $PYTHON has no torch or no timm"
    fi
fi

# What a person reads first.
for what in step mixed forward; do
    ours="$new/$what-$BATCH.json"
    [ -s "$ours" ] || continue
    rate=$(value segments_per_second "$ours")
    echo "$what, batch $BATCH"
    printf '  %12.1f segments/s  cola, %s\n' "$rate" "$adapter"
    share=$(awk "BEGIN { print 100 * $(value floor_share "$ours") }")
    printf '  %12.1f %%           of that time is the floor of its kernels\n' "$share"
    # PyTorch's modes are all compared with both precisions of ours.
    theirs="$new/torch-$(echo "$what" | sed s/mixed/step/)-$BATCH.jsonl"
    [ -s "$theirs" ] || continue
    while IFS= read -r line; do
        echo "$line" >"$new/line"
        peer=$(value segments_per_second "$new/line")
        [ -n "$peer" ] || continue
        ratio=$(awk "BEGIN { print $rate / $peer }")
        printf '  %12.1f segments/s  %s: cola has %.2f of it\n' "$peer" "$(value peer "$new/line")" "$ratio"
    done <"$theirs"
    rm -f "$new/line"
done >"$new/summary.txt"
[ -s "$new/summary.txt" ] || rm "$new/summary.txt"

name=$(echo "$adapter-$driver" | tr '[:upper:]' '[:lower:]' | tr -cs 'a-z0-9.\n' - | cut -c 1-70 | sed 's/-*$//')
folder="$RESULTS/$name-$(date +%Y-%m-%d)"
mkdir -p "$folder"
find "$new" -type f -size 0 -exec rm {} +
mv "$new"/* "$folder"
[ ! -s "$folder/summary.txt" ] || cat "$folder/summary.txt"
say "results are in $folder"
if [ -n "$failed" ]; then
    say "failed:$failed"
    exit 1
fi
