#!/bin/sh
# A Python of its own under target/, with numpy and onnxruntime: some tests read with them what cola writes for other programs.
# Says what it does; does nothing where that is done. Nothing else needs Python.
set -eu

say() { echo "setup: $*" >&2; }

here=$(dirname "$0")/..
folder=$here/target/python
list=$here/kernels-tests/fixtures/requirements.txt

# The list that was installed stands beside what was installed.
cmp -s "$list" "$folder/requirements.txt" && exit 0

command -v python3 >/dev/null || missing=python3
python3 -c 'import ensurepip, venv' 2>/dev/null || missing=python3-venv
if [ -n "${missing:-}" ]; then
    [ "$(uname)" != Darwin ] || { say "Python 3 is missing (tests need it): brew install python, then run make again"; exit 1; }
    command -v apt-get >/dev/null || { say "Python 3 with venv is missing (tests need it): install it with your package manager, then run make again"; exit 1; }
    sudo=""
    [ "$(id -u)" = 0 ] || sudo=sudo
    say "installing python3-venv with apt-get"
    $sudo apt-get update -qq
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends python3 python3-venv >/dev/null
fi

say "installing numpy and onnxruntime into target/python (170 MB, once)"
rm -rf "$folder"
mkdir -p "$here/target"
python3 -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: -r "$list" ||
    { say "pip could not install what is named in kernels-tests/fixtures/requirements.txt, which the tests of export need: see its message above"; exit 1; }
cp "$list" "$folder/requirements.txt"
