#!/bin/sh
# What a fresh machine lacks for `make demo` and, with the argument "test", for `make test`, which looks at pages in
# Chromium. Says what it installs; does nothing where nothing is missing.
set -eu

say() { echo "setup: $*" >&2; }

command -v cargo >/dev/null || { say "Rust is missing: install it from https://rustup.rs, then run make again"; exit 1; }

browser=yes
if [ "${1:-}" = test ]; then
    browser="${CHROMIUM:-}"
    for name in chromium chromium-browser google-chrome google-chrome-stable; do command -v $name >/dev/null && browser=$name; done
fi

if [ "$(uname)" = Darwin ]; then
    # Metal needs nothing.
    command -v cmake >/dev/null || { say "cmake is missing (it builds the Opus decoder): brew install cmake"; exit 1; }
    [ -n "$browser" ] || [ -d "/Applications/Chromium.app" ] || [ -d "/Applications/Google Chrome.app" ] ||
        { say "Chromium is missing (a test looks at a page in it): brew install --cask chromium"; exit 1; }
    exit 0
fi

missing=""
command -v cc >/dev/null || missing="$missing gcc"
command -v c++ >/dev/null || missing="$missing g++"
command -v cmake >/dev/null || missing="$missing cmake"

# A driver is an ICD file that the Vulkan loader knows; where there is none, Mesa's software driver does.
driver=""
for dir in /usr/share/vulkan/icd.d /etc/vulkan/icd.d /usr/local/share/vulkan/icd.d "${XDG_DATA_HOME:-$HOME/.local/share}/vulkan/icd.d"; do
    [ -n "$(ls "$dir"/*.json 2>/dev/null || true)" ] && driver=yes
done
[ -n "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ] && driver=yes
[ -n "$driver" ] || missing="$missing mesa-vulkan-drivers"
found_loader() { for f in /usr/lib/*/libvulkan.so.1 /usr/lib/libvulkan.so.1 /usr/lib64/libvulkan.so.1 /usr/local/lib/libvulkan.so.1; do [ -e "$f" ] && return 0; done; return 1; }
found_loader || missing="$missing libvulkan1"

[ -n "$browser" ] || missing="$missing chromium"

[ -n "$missing" ] || exit 0
command -v apt-get >/dev/null || { say "missing:$missing; install them with your package manager, then run make again"; exit 1; }
sudo=""
[ "$(id -u)" = 0 ] || sudo=sudo
say "installing$missing with apt-get"
# A machine that has just started may be updating itself: wait for it. `install` can do so by itself, `update` cannot.
seconds=600
until said=$($sudo env LC_ALL=C apt-get update -qq 2>&1); do
    case "$said" in *"Could not get lock"*) ;; *) seconds=0 ;; esac
    [ "$seconds" -gt 0 ] || { echo "$said" >&2; exit 1; }
    [ "$seconds" -lt 600 ] || say "waiting for another apt to end"
    seconds=$((seconds - 5))
    sleep 5
done
# shellcheck disable=SC2086 # a list of packages
DEBIAN_FRONTEND=noninteractive $sudo apt-get -o DPkg::Lock::Timeout=600 install -y -qq --no-install-recommends $missing >/dev/null
