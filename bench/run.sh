#!/bin/bash
# Runs every benchmark once, each beside its limit in the same run. The lines
# are Go's benchmark format: metric names say what is what; "ratio" is ours by
# the limit. Needs what `make bench` sets up.
set -eu
cd "$(dirname "$0")/.."
echo "machine: $(nproc) processors, $(awk '/MemTotal/{printf "%.0f GiB", $2/1048576}' /proc/meminfo), load $(cut -d' ' -f1 /proc/loadavg), $(uname -r)"
go test -run '^$' -bench . -benchtime 1x -timeout 60m ./tests/
HEARTH_SOAK_TIME=5m go test -run TestSoak -v -timeout 20m ./tests/
# simdjson is what our reader of JSON is compared with; on Debian: libsimdjson-dev.
if g++ -O3 -march=native -std=c++17 -o build/decode_image bench/simdjson/decode_image.cc -lsimdjson 2>/dev/null; then
  export HEARTH_BENCH_SIMDJSON=$PWD/build/decode_image
else
  echo "no simdjson here: its benchmark is skipped"
fi
go test -run '^$' -bench . -benchtime 1s ./serving/... ./storage/... ./scheduler/...
