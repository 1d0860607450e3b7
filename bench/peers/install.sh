#!/bin/bash
# install.sh RUNTIME PEER FOLDER makes the venv of one model server in FOLDER, with the
# Python of a runtime of Hearth's and, so that all compute with the same one, its
# TensorFlow. A peer that cannot be installed leaves its reason in FOLDER.log and
# is no failure: the benchmark reports it by name.
set -eu
runtime=$1 peer=$2 folder=$3
python=$(readlink -f "$runtime/bin/python")
install() {
  rm -rf "$folder" || return
  "$python" -m venv "$folder" || return
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r "bench/peers/requirements/$peer.txt"
}
mkdir -p "$(dirname "$folder")"
echo "installing $peer for the benchmark (once)"
if ! install >"$folder.log" 2>&1; then
  echo "bench-peers: $peer cannot be installed: $(tail -n 1 "$folder.log")"
  exit 0
fi
# Read in the order of names: what the peer itself asked for comes before the runtime's.
for site in "$folder"/lib/python3*/site-packages; do
  echo "$runtime"/lib/python3*/site-packages >"$site/zz-runtime.pth"
done
touch "$folder/.made"
