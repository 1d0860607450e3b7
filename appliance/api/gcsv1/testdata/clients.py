"""Google's own Python clients against the storage API at argv[1]."""

import gzip
import sys

import httplib2
from google.api_core import exceptions
from google.auth import credentials
from google.cloud import storage
from googleapiclient import discovery
from googleapiclient.http import BatchHttpRequest

base = sys.argv[1]
client = storage.Client(project="hearth", credentials=credentials.AnonymousCredentials())
bucket = client.bucket("python")
bucket.storage_class = "NEARLINE"
bucket.labels = {"team": "vision"}
client.create_bucket(bucket)

# Buckets: patch and update.
bucket = client.get_bucket("python")
bucket.labels = {"team": "speech"}
bucket.patch(if_metageneration_match=bucket.metageneration)
assert client.get_bucket("python").labels == {"team": "speech"}, bucket.labels
bucket.cors = [{"maxAgeSeconds": 7}]
bucket.update()
assert client.get_bucket("python").cors == [{"maxAgeSeconds": 7}]
bucket.versioning_enabled = True
try:
    bucket.patch()
    raise AssertionError("versioning was taken")
except exceptions.MethodNotImplemented:
    pass
bucket.reload()

# Objects.
for name in ["a", "b/1.txt", "b/2.bin", "c"]:
    bucket.blob(name).upload_from_string("content of " + name)
assert [b.name for b in bucket.list_blobs(match_glob="**.txt")] == ["b/1.txt"]
blob = bucket.get_blob("a")
moved = bucket.move_blob(blob, "a2")
assert moved.name == "a2" and bucket.get_blob("a") is None
blob = bucket.blob("composed")
blob.compose([bucket.blob("a2"), bucket.blob("c")])
assert blob.download_as_bytes() == b"content of acontent of c"
blob.update_storage_class("NEARLINE")
assert bucket.get_blob("composed").storage_class == "NEARLINE"

# gzip: the library asks for it as it is stored, checks it and unpacks it.
text = b"compressed " * 1000
blob = bucket.blob("packed")
blob.content_encoding = "gzip"
blob.upload_from_string(gzip.compress(text))
blob = bucket.get_blob("packed")
assert blob.download_as_bytes() == text
assert blob.download_as_bytes(raw_download=True) == gzip.compress(text) or blob.size < len(text)
with blob.open("rb", raw_download=True) as f:
    assert gzip.decompress(f.read()) == text

# Batches of google-cloud-storage.
blobs = [bucket.blob("b/1.txt"), bucket.blob("b/2.bin")]
with client.batch():
    for b in blobs:
        b.metadata = {"seen": "yes", "umlaut": "ü"}
        b.patch()
assert all(b.metadata["umlaut"] == "ü" for b in blobs)
assert bucket.get_blob("b/2.bin").metadata == {"seen": "yes", "umlaut": "ü"}
try:
    with client.batch():
        bucket.blob("none").delete()
        bucket.blob("b/1.txt").delete()
    raise AssertionError("a missing object was deleted")
except exceptions.NotFound:
    pass
assert bucket.get_blob("b/1.txt") is None
with client.batch(raise_exception=False) as batch:
    bucket.blob("none").delete()
    bucket.blob("c").delete()
assert [r.status_code for r in batch._responses] == [404, 204], batch._responses

# Batches of google-api-python-client.
service = discovery.build("storage", "v1", http=httplib2.Http(), static_discovery=True, client_options={"api_endpoint": base + "/storage/v1/"})
answers = {}


def keep(request_id, response, exception):
    answers[request_id] = response if exception is None else exception.resp.status


batch = BatchHttpRequest(callback=keep, batch_uri=base + "/batch/storage/v1")
batch.add(service.objects().get(bucket="python", object="composed", fields="name,size"), request_id="one")
batch.add(service.objects().patch(bucket="python", object="composed", body={"metadata": {"k": "v"}}, fields="metadata"), request_id="two")
batch.add(service.objects().delete(bucket="python", object="none"), request_id="three")
batch.add(service.objects().delete(bucket="python", object="a2"), request_id="four")
batch.execute(http=httplib2.Http())
assert answers["one"] == {"name": "composed", "size": "24"}, answers
assert answers["two"] == {"metadata": {"k": "v"}}, answers
assert answers["three"] == 404 or answers["three"] == "404", answers
assert answers["four"] == "" or answers["four"] is not None, answers

bucket.delete(force=True)
assert client.lookup_bucket("python") is None
