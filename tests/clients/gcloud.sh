# gcloud storage against a daemon, in an empty folder; gs://shell is the bucket.
# A piece is a function; the one named by $1 runs in a shell of its own.
set -euo pipefail
export CLOUDSDK_STORAGE_PROCESS_COUNT=1 # its processes take longer to start than to work

equal() { [ "$1" = "$2" ] || { printf 'got:\n%s\nwant:\n%s\n' "$1" "$2" >&2; return 1; }; }
refused() { # refused TEXT COMMAND…: the command must fail and say TEXT
  local text=$1 out; shift
  if out=$("$@" 2>&1); then echo "this should have failed: $*" >&2; return 1; fi
  [[ $out == *"$text"* ]] || { echo "$* said: $out" >&2; return 1; }
}

files() {
  echo hello >a.txt
  gcloud storage cp a.txt gs://shell/files/a.txt
  gcloud storage cp gs://shell/files/a.txt b.txt
  cmp a.txt b.txt
  equal "$(gcloud storage cat gs://shell/files/a.txt)" hello
  equal "$(gcloud storage cat -r 1-3 gs://shell/files/a.txt)" ell
  equal "$(gcloud storage ls gs://shell/files/)" gs://shell/files/a.txt
  gcloud storage ls -l gs://shell/files/ | grep '6 .*gs://shell/files/a.txt' >/dev/null
  gcloud storage ls -L gs://shell/files/a.txt | grep 'Content-Length: *6' >/dev/null
  gcloud storage objects describe gs://shell/files/a.txt --format 'value(size,content_type)' | grep 'text/plain' >/dev/null
  gcloud storage hash gs://shell/files/a.txt | grep "$(openssl md5 -binary a.txt | base64)" >/dev/null
  gcloud storage objects update gs://shell/files/a.txt --content-type=x/y --custom-metadata=colour=blue
  equal "$(gcloud storage objects describe gs://shell/files/a.txt --format 'value(content_type,custom_fields.colour)')" "$(printf 'x/y\tblue')"
  gcloud storage cp - gs://shell/files/stdin <a.txt
  equal "$(gcloud storage cat gs://shell/files/stdin)" hello
  gcloud storage cp --no-clobber b.txt gs://shell/files/stdin
  refused 'matched no objects' gcloud storage cat gs://shell/files/absent
  refused 'not found: 404' gcloud storage cp a.txt gs://shell-absent/a.txt
  gcloud storage rm gs://shell/files/stdin
}

large() { # over the 8 MiB from which gcloud uploads in pieces
  head -c 20000000 /dev/urandom >big
  gcloud storage cp big gs://shell/large/big
  gcloud storage cp gs://shell/large/big back
  cmp big back
  gcloud storage cp gs://shell/large/big gs://shell/large/copy
  gcloud storage objects compose gs://shell/large/big gs://shell/large/copy gs://shell/large/double
  equal "$(gcloud storage objects describe gs://shell/large/double --format 'value(size)')" 40000000
}

folders() {
  mkdir -p tree/x/y && echo 1 >tree/1 && echo 2 >tree/x/2 && echo 3 >tree/x/y/3.csv && echo 4 >'tree/x/a b+c.csv'
  gcloud storage cp -r tree gs://shell/folders/
  equal "$(gcloud storage ls -r 'gs://shell/folders/**')" "$(printf '%s\n' gs://shell/folders/tree/1 gs://shell/folders/tree/x/2 'gs://shell/folders/tree/x/a b+c.csv' gs://shell/folders/tree/x/y/3.csv)"
  equal "$(gcloud storage ls 'gs://shell/folders/**.csv' | wc -l)" 2
  equal "$(gcloud storage du -s gs://shell/folders | cut -d' ' -f1)" 8
  mkdir back && gcloud storage cp -r gs://shell/folders/tree back/
  diff -r tree back/tree
  gcloud storage mv gs://shell/folders/tree/1 gs://shell/folders/moved
  gcloud storage mv gs://shell/folders/tree/x gs://shell/folders/z
  refused 'matched no objects' gcloud storage ls gs://shell/folders/tree/x/
  equal "$(gcloud storage cat gs://shell/folders/moved gs://shell/folders/z/2)" "$(printf '1\n2')"
  echo changed >tree/1 && rm tree/x/2
  gcloud storage rsync -r --delete-unmatched-destination-objects tree gs://shell/folders/synced
  gcloud storage rsync -r --delete-unmatched-destination-objects tree gs://shell/folders/z
  equal "$(gcloud storage ls 'gs://shell/folders/z/**' | wc -l)" 3
  mkdir synced && gcloud storage rsync -r gs://shell/folders/synced synced
  diff -r tree synced
  gcloud storage rm -r gs://shell/folders
  refused 'matched no objects' gcloud storage ls gs://shell/folders/
}

buckets() {
  gcloud storage buckets create gs://shell-made --location us-central1
  equal "$(gcloud storage buckets describe gs://shell-made --format 'value(name,location)')" "$(printf 'shell-made\tUS-CENTRAL1')"
  gcloud storage buckets update gs://shell-made --update-labels=team=vision,env=test
  equal "$(gcloud storage buckets describe gs://shell-made --format 'value(labels.team)')" vision
  gcloud storage buckets update gs://shell-made --remove-labels=team
  equal "$(gcloud storage buckets describe gs://shell-made --format 'value(labels)')" env=test
  gcloud storage buckets list --format 'value(name)' | grep -x shell-made >/dev/null
  refused 409 gcloud storage buckets create gs://shell-made
  gcloud storage buckets delete gs://shell-made
  refused 'not found' gcloud storage buckets describe gs://shell-made
}

"$1"
