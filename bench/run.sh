#!/bin/bash
# Runs every benchmark once, each beside its limit in the same run. The lines
# are Go's benchmark format: metric names say what is what; "ratio" is ours by
# the limit. Needs what `make bench` sets up.
set -eu
cd "$(dirname "$0")/.."
echo "machine: $(nproc) processors, $(awk '/MemTotal/{printf "%.0f GiB", $2/1048576}' /proc/meminfo), load $(cut -d' ' -f1 /proc/loadavg), $(uname -r)"
go test -run '^$' -bench . -benchtime 1x -timeout 60m ./tests/
HEARTH_SOAK_TIME=5m go test -run TestSoak -v -timeout 20m ./tests/
go test -run '^$' -bench . -benchtime 1s ./serving/... ./storage/... ./scheduler/...
