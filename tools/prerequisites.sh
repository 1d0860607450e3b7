#!/bin/bash
# Says in one line what is missing on this machine, before anything else happens.
set -u
fail() { echo "hearth: $1" >&2; exit 1; }

for tool in go gcc ar make python3; do
  command -v "$tool" >/dev/null || fail "$tool is missing; on Debian: apt-get install golang gcc libc6-dev make python3-venv (Go 1.21 or newer, see https://go.dev/dl)"
done
go env GOVERSION >/dev/null 2>&1 || fail "this Go cannot provide $(grep '^go ' go.mod); install it from https://go.dev/dl"
[ "$(go env CGO_ENABLED)" = 1 ] || fail "Go has cgo switched off; set CGO_ENABLED=1"
echo 'int main(void){return 0;}' | gcc -x c - -o /dev/null 2>/dev/null || fail "gcc cannot make a program; on Debian: apt-get install gcc libc6-dev"
python3 -c 'import venv, ensurepip' 2>/dev/null || fail "python3 lacks venv; on Debian: apt-get install python3-venv"
python3 -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' ||
  fail "TensorFlow 2.21 needs Python 3.10 to 3.13, and python3 is $(python3 -V | cut -d' ' -f2)"
[ "$(uname -sm)" = "Linux x86_64" ] || fail "Hearth runs on Linux x86_64, and this is $(uname -sm)"
