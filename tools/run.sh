#!/bin/bash
# What `make run` does: check, build, serve, install the runtime, run the
# quickstart, and keep serving until Ctrl-C. DATA and LISTEN come from make.
set -euo pipefail
cd "$(dirname "$0")/.."
say() { printf '\n\033[1m%s\033[0m\n' "$1"; }
[ -t 1 ] || say() { printf '\n%s\n' "$1"; }

tools/prerequisites.sh
host=${LISTEN%:*} port=${LISTEN##*:}
if (exec 3<>"/dev/tcp/$host/$port") 2>/dev/null; then
  echo "hearth: $LISTEN is taken by another program (another Hearth?); stop it, or choose: make run LISTEN=127.0.0.1:8081" >&2
  exit 1
fi

say "Building Hearth (the first build takes a few minutes)"
make --no-print-directory build

say "Starting the daemon on $LISTEN, data in $DATA"
mkdir -p "$DATA"
bin/hearth serve --data "$DATA" --listen "$LISTEN" >>"$DATA/daemon.log" 2>&1 &
daemon=$!
stop() {
  trap - INT TERM EXIT
  kill -INT "$daemon" 2>/dev/null || true
  wait "$daemon" 2>/dev/null || true
  say "Stopped. Your data is in $DATA; make run starts again where this ended."
}
trap 'stop; exit 130' INT TERM
trap 'stop' EXIT
export HEARTH_ENDPOINT="http://$LISTEN" HEARTH_TOKEN_FILE="$DATA/owner.token"
bin/hearth status --wait 60s --quiet || { tail -n 20 "$DATA/daemon.log" >&2; exit 1; }

if ! bin/hearth runtimes list --format json | grep -q '"name": *"2.21"'; then
  say "Installing TensorFlow 2.21 (once, about 600 MB)"
  echo '$ hearth runtimes install 2.21'
  bin/hearth runtimes install 2.21
fi
examples/quickstart.sh

say "Hearth is serving. Ctrl-C ends it."
wait "$daemon"
