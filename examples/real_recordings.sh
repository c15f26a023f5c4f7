#!/bin/sh
# Real recordings for the demo, out of two Debian packages that anyone may use: spoken words of ktuberling and klettres.
#
#   examples/real_recordings.sh DIR
#
# DIR/voices/{train,test}/LANGUAGE  labelled: 13 languages of ktuberling, one speaker each; every fourth clip is test
# DIR/pool                          unlabelled, for pre-training: every clip of both packages that is not a test clip
#
# The packages come by name through `apt-get download`, which needs no root, and only their audio is kept.
set -eu
[ $# -eq 1 ] || { sed -n '2,9p' "$0" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
[ -e "$out/complete" ] && exit 0

for tool in apt-get dpkg-deb; do
    command -v $tool >/dev/null || { echo "real_recordings: no $tool here; 'cola synth DIR' makes labelled clips without a download" >&2; exit 3; }
done
work="$out/.work"
rm -rf "$work" "$out/pool" "$out/voices"
mkdir -p "$work/src"
echo "downloading ktuberling-data and klettres-data (87 MB)"
# a list of packages older than the archive names files that are gone: refresh it once
(cd "$work" && apt-get -qq -o APT::Sandbox::User=root download ktuberling-data klettres-data) ||
    { [ "$(id -u)" = 0 ] && apt-get -qq update && (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download ktuberling-data klettres-data); } ||
    { echo "real_recordings: apt-get could not download them; try 'sudo apt-get update' first" >&2; exit 3; }
for deb in "$work"/*.deb; do
    dpkg-deb -x "$deb" "$work/src"
done

# pool/ktuberling_fr_apple.ogg
mkdir "$out/pool"
cd "$work/src/usr/share"
find ktuberling klettres -type f \( -name '*.ogg' -o -name '*.wav' -o -name '*.opus' \) | LC_ALL=C sort | while read -r file; do
    mv "$file" "$out/pool/$(echo "$file" | sed 's,/sounds/,/,' | tr '/' '_')"
done
cd "$out"
for language in ca da de el en fr gl lt nn ru sl uk wa; do
    n=0
    for file in "$out/pool/ktuberling_${language}_"*; do
        n=$((n + 1))
        split=train
        [ $((n % 4)) -eq 0 ] && split=test
        mkdir -p "$out/voices/$split/$language"
        if [ $split = test ]; then mv "$file" "$out/voices/test/$language/"; else cp "$file" "$out/voices/train/$language/"; fi
    done
done
rm -rf "$work"
touch "$out/complete"
echo "$out: $(find "$out/pool" -type f | wc -l) clips for pre-training, $(find "$out/voices" -type f | wc -l) labelled"
