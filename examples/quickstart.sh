#!/bin/bash
# Trains on handwritten digits, deploys the model and asks it about images that
# it has not seen, with a Hearth that is running already:
#
#     examples/quickstart.sh
#
# Each command is printed before it runs. The second time the model is there,
# and is only asked again. HEARTH names the program if it is neither in bin/ nor
# on the PATH; HEARTH_ENDPOINT and HEARTH_TOKEN_FILE are heeded as ever.
set -Eeuo pipefail

examples="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
program="${HEARTH:-$examples/../bin/hearth}"
[ -x "$program" ] || program="$(command -v hearth)" || { echo "quickstart: bin/hearth is missing; make build makes it" >&2; exit 1; }
endpoint="${HEARTH_ENDPOINT:-http://127.0.0.1:8080}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
trap 'echo "quickstart: the last command failed" >&2' ERR

if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m'; else bold='' plain=''; fi
say() { printf '\n%s%s%s\n' "$bold" "$1" "$plain"; }

# hearth prints a command as one would type it, and runs it.
exec 3>&1
hearth() {
  { printf '$ hearth'; printf ' %s' "$@"; printf '\n'; } >&3
  "$program" "$@"
}

ready() { "$program" versions describe v1 --model digits --format json 2>/dev/null | grep -q '"state": *"READY"'; }
exists() { "$program" "$@" >/dev/null 2>&1; }

train_and_deploy() {
  say "A bucket, and the data in it"
  exists storage buckets describe gs://digits || hearth storage buckets create gs://digits
  python3 "$examples/digits/fetch_data.py" "$work"
  cd "$work"
  hearth storage cp digits.csv.gz gs://digits/data/digits.csv.gz

  say "A training job: the package examples/digits/trainer, run by the daemon"
  job="digits_$(date +%Y%m%d_%H%M%S)"
  cd "$examples/digits"
  hearth jobs submit training "$job" --package-path trainer --module-name trainer.task \
    --job-dir "gs://digits/jobs/$job" --stream-logs -- --data gs://digits/data/digits.csv.gz
  hearth storage ls "gs://digits/jobs/$job/"
  hearth storage cat "gs://digits/jobs/$job/eval.json"

  say "A model, and the version that was just trained"
  exists models describe digits || hearth models create digits --description handwritten_digits
  # What an interrupted quickstart may have left.
  if exists versions describe v1 --model digits; then hearth versions delete v1 --model digits --quiet; fi
  hearth versions create v1 --model digits --origin "gs://digits/jobs/$job/export"
}

if ready; then
  say "The model is there already"
  hearth versions list --model digits
else
  train_and_deploy
fi

say "Predictions for images that the training has not seen"
cd "$work"
[ -e digits.csv.gz ] || hearth storage cp gs://digits/data/digits.csv.gz .
python3 "$examples/digits/heldout.py" images digits.csv.gz 20 >images.json
hearth predict --model digits --json-instances images.json --format json >answers.json
python3 "$examples/digits/heldout.py" compare digits.csv.gz answers.json

say "Where things are"
cat <<END
API          $endpoint/v1/projects/hearth/models/digits
status       hearth status
bucket       hearth storage ls -r gs://digits

Ask the model with curl:
  hearth storage cp gs://digits/data/digits.csv.gz - | zcat | head -n 1 | sed 's/,[0-9.]*\$//; s/.*/{"instances": [[&]]}/' > request.json
  curl -H "Authorization: Bearer \$(hearth token)" -d @request.json $endpoint/v1/projects/hearth/models/digits:predict

Point gcloud at this machine:
  eval "\$(hearth env --for gcloud)"
  gcloud ai-platform jobs list

Run a program that uses Google's Python libraries or TensorFlow with gs:// paths:
  hearth exec -- python my_program.py
END
