# gsutil against a daemon, in an empty folder; gs://shell is the bucket. A piece
# is a function; the one named by $1 runs in a shell of its own.
set -euo pipefail

equal() { [ "$1" = "$2" ] || { printf 'got:\n%s\nwant:\n%s\n' "$1" "$2" >&2; return 1; }; }
refused() { # refused TEXT COMMAND…: the command must fail and say TEXT
  local text=$1 out; shift
  if out=$("$@" 2>&1); then echo "this should have failed: $*" >&2; return 1; fi
  [[ $out == *"$text"* ]] || { echo "$* said: $out" >&2; return 1; }
}

files() {
  echo hello >a.txt
  gsutil cp a.txt gs://shell/gsutil/a.txt
  gsutil cp gs://shell/gsutil/a.txt b.txt
  cmp a.txt b.txt
  equal "$(gsutil cat gs://shell/gsutil/a.txt)" hello
  equal "$(gsutil cat -r 1-3 gs://shell/gsutil/a.txt)" ell
  gsutil ls -L gs://shell/gsutil/a.txt | grep "Hash (md5): *$(openssl md5 -binary a.txt | base64)" >/dev/null
  gsutil stat gs://shell/gsutil/a.txt | grep 'Content-Length: *6' >/dev/null
  gsutil hash -m gs://shell/gsutil/a.txt | grep "$(openssl md5 -binary a.txt | base64)" >/dev/null
  gsutil setmeta -h 'Content-Type:x/y' -h 'x-goog-meta-colour:blue' gs://shell/gsutil/a.txt
  gsutil stat gs://shell/gsutil/a.txt | grep 'colour: *blue' >/dev/null
  head -c 20000000 /dev/urandom >big
  gsutil cp big gs://shell/gsutil/big
  gsutil cp gs://shell/gsutil/big back
  cmp big back
  gsutil compose gs://shell/gsutil/big gs://shell/gsutil/a.txt gs://shell/gsutil/both
  equal "$(gsutil du gs://shell/gsutil/both | awk '{print $1}')" 20000006
  refused 'No URLs matched' gsutil cat gs://shell/gsutil/absent
}

folders() {
  mkdir -p tree/x/y && echo 1 >tree/1 && echo 2 >tree/x/2 && echo 3 >tree/x/y/3.csv
  gsutil -m cp -r tree gs://shell/gsutil-tree/
  equal "$(gsutil ls 'gs://shell/gsutil-tree/**' | wc -l)" 3
  mkdir back && gsutil -m cp -r gs://shell/gsutil-tree/tree back/
  diff -r tree back/tree
  gsutil mv gs://shell/gsutil-tree/tree/1 gs://shell/gsutil-tree/moved
  echo 4 >tree/4 && rm tree/x/2
  gsutil -m rsync -r -d tree gs://shell/gsutil-tree/tree
  mkdir synced && gsutil -m rsync -r gs://shell/gsutil-tree/tree synced
  diff -r tree synced
  gsutil -m rm -r gs://shell/gsutil-tree
  refused 'matched no objects' gsutil ls gs://shell/gsutil-tree/
}

buckets() {
  gsutil mb -l us-central1 gs://shell-gsutil
  gsutil label ch -l team:vision gs://shell-gsutil
  gsutil label get gs://shell-gsutil | grep '"team": "vision"' >/dev/null
  gsutil ls -b -L gs://shell-gsutil | grep 'Location constraint:.*US-CENTRAL1' >/dev/null
  refused 409 gsutil mb gs://shell-gsutil
  gsutil rb gs://shell-gsutil
  refused 404 gsutil ls -b gs://shell-gsutil
}

"$1"
