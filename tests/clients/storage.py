"""google-cloud-storage, unmodified. The bucket gs://python is there and empty;
with the argument full_disk the disk is full instead."""
import base64
import gzip
import hashlib
import io
import os
import sys
import tempfile

from google.api_core import exceptions
from google.cloud import storage
from google.resumable_media.requests import ResumableUpload

import pieces

client = storage.Client()
bucket = client.bucket("python")


def raises(error, function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except error as e:
        return e
    raise AssertionError(f"{function} did not raise {error.__name__}")


def put(name, content=b"hello"):
    blob = bucket.blob(name)
    blob.upload_from_string(content)
    return blob


def simple():
    blob = bucket.blob("simple/a ü%+?#.txt")
    blob.metadata = {"Color": "blue"}
    blob.cache_control = "no-store"
    blob.upload_from_string("hello", content_type="text/plain", checksum="crc32c")
    got = bucket.get_blob(blob.name)
    assert (got.size, got.content_type, got.cache_control, got.metadata) == (5, "text/plain", "no-store", {"Color": "blue"})
    assert got.md5_hash == base64.b64encode(hashlib.md5(b"hello").digest()).decode()
    assert got.crc32c == "mnG7TA==" and got.generation and got.metageneration == 1 and got.etag
    assert got.time_created and got.updated and got.storage_class == "STANDARD"
    assert blob.exists() and not bucket.blob("simple/absent").exists()
    assert bucket.get_blob("simple/absent") is None
    put("simple/empty", b"")
    assert bucket.blob("simple/empty").download_as_bytes() == b""
    with bucket.blob("simple/opened").open("wb", chunk_size=256 << 10) as f:
        for i in range(10):
            f.write(bytes([i]) * 100_000)
    with bucket.blob("simple/opened").open("rb", chunk_size=256 << 10) as f:
        f.seek(500_000)
        assert f.read(3) == b"\x05\x05\x05"


def resumable():
    content = os.urandom((1 << 20) + 12345)
    blob = bucket.blob("resumable/whole", chunk_size=256 << 10)
    blob.upload_from_file(io.BytesIO(content), content_type="x/y", checksum="md5")
    assert blob.download_as_bytes() == content and bucket.get_blob(blob.name).content_type == "x/y"
    unknown = bucket.blob("resumable/unknown", chunk_size=256 << 10)
    unknown.upload_from_file(io.BytesIO(content), size=None)
    assert unknown.download_as_bytes() == content


def interrupted():
    content = os.urandom(1 << 20)
    blob = bucket.blob("resumable/interrupted")
    url = blob.create_resumable_upload_session(content_type="x/y", size=len(content))

    def begin(stream):
        upload = ResumableUpload(url, 256 << 10)
        upload._stream, upload._content_type, upload._total_bytes, upload._resumable_url = stream, "x/y", len(content), url
        return upload
    first = begin(io.BytesIO(content))
    first.transmit_next_chunk(client._http)
    first.transmit_next_chunk(client._http)
    assert not blob.exists()
    stream = io.BytesIO(content)
    second = begin(stream)
    second._invalid = True
    second.recover(client._http)
    assert second.bytes_uploaded == 512 << 10, second.bytes_uploaded
    while not second.finished:
        second.transmit_next_chunk(client._http)
    assert blob.download_as_bytes() == content


def downloads():
    content = os.urandom(700_000)
    blob = put("downloads/x", content)
    assert blob.download_as_bytes(start=10, end=19) == content[10:20]
    assert blob.download_as_bytes(start=699_990) == content[-10:]
    assert blob.download_as_bytes(start=-5) == content[-5:]
    raises(exceptions.RequestRangeNotSatisfiable, blob.download_as_bytes, start=700_000)
    with tempfile.NamedTemporaryFile() as f:
        for checksum in "md5", "crc32c":
            blob.download_to_filename(f.name, checksum=checksum)
            assert open(f.name, "rb").read() == content
    chunked = bucket.blob("downloads/x", chunk_size=256 << 10)
    assert chunked.download_as_bytes() == content
    stale = bucket.blob("downloads/x", generation=blob.generation)
    put("downloads/x", b"new")
    raises(exceptions.NotFound, stale.download_as_bytes)
    raises(exceptions.PreconditionFailed, bucket.blob("downloads/x").download_as_bytes, if_generation_match=blob.generation)
    zipped = bucket.blob("downloads/zipped")
    zipped.content_encoding = "gzip"
    zipped.upload_from_string(gzip.compress(b"text" * 100))
    assert gzip.decompress(zipped.download_as_bytes(raw_download=True)) == b"text" * 100
    assert zipped.download_as_bytes() == b"text" * 100


def lists():
    for name in "a", "b/x.csv", "b/y.txt", "b/c/z.csv", "d":
        put("lists/" + name)

    def names(**kwargs):
        return [b.name.removeprefix("lists/") for b in client.list_blobs(bucket, **kwargs)]
    assert names(prefix="lists/") == ["a", "b/c/z.csv", "b/x.csv", "b/y.txt", "d"]
    folded = client.list_blobs(bucket, prefix="lists/", delimiter="/")
    assert [b.name for b in folded] == ["lists/a", "lists/d"] and folded.prefixes == {"lists/b/"}
    assert names(match_glob="lists/**.csv") == ["b/c/z.csv", "b/x.csv"]
    assert names(match_glob="lists/*/?.{csv,txt}") == ["b/x.csv", "b/y.txt"]
    assert names(prefix="lists/", start_offset="lists/b/x", end_offset="lists/d") == ["b/x.csv", "b/y.txt"]
    assert names(prefix="lists/", max_results=2) == ["a", "b/c/z.csv"]
    pages = [[b.name for b in page] for page in client.list_blobs(bucket, prefix="lists/", page_size=2).pages]
    assert [len(p) for p in pages] == [2, 2, 1], pages
    assert [b.name for b in client.list_blobs(bucket, prefix="lists/d", fields="items(name),nextPageToken")] == ["lists/d"]
    assert names(prefix="lists/", versions=True) == names(prefix="lists/")


def copies():
    blob = put("copies/a", b"content")
    blob.metadata = {"k": "v"}
    blob.patch()
    copy = bucket.copy_blob(blob, bucket, "copies/b")
    assert copy.download_as_bytes() == b"content" and bucket.get_blob("copies/b").metadata == {"k": "v"}
    target = bucket.blob("copies/c", chunk_size=None)
    target.content_type = "new/type"
    token, done, total = target.rewrite(blob)
    assert (token, done, total) == (None, 7, 7) and bucket.get_blob("copies/c").content_type == "new/type"
    raises(exceptions.PreconditionFailed, target.rewrite, blob, if_generation_match=0)
    raises(exceptions.NotFound, bucket.copy_blob, bucket.blob("copies/absent"), bucket, "copies/x")
    other = client.create_bucket("python-other")
    bucket.copy_blob(blob, other, "a")
    assert other.blob("a").download_as_bytes() == b"content"
    raises(exceptions.Conflict, other.delete)
    other.delete(force=True)
    moved = bucket.rename_blob(target, "copies/renamed")
    assert moved.exists() and not target.exists()
    again = bucket.move_blob(moved, "copies/moved")
    assert again.exists() and not moved.exists()
    blob.update_storage_class("NEARLINE")
    assert blob.download_as_bytes() == b"content"


def composes():
    parts = [put(f"composes/{i}", b"%d" % i * 10) for i in range(5)]
    whole = bucket.blob("composes/whole")
    whole.content_type = "text/plain"
    whole.compose(parts)
    got = bucket.get_blob("composes/whole")
    assert got.download_as_bytes() == b"".join(b"%d" % i * 10 for i in range(5))
    assert got.component_count == 5 and got.md5_hash is None and got.content_type == "text/plain"
    raises(exceptions.PreconditionFailed, whole.compose, parts[:1], if_generation_match=1)
    raises(exceptions.PreconditionFailed, whole.compose, parts[:1], if_source_generation_match=[1])
    raises(exceptions.NotFound, whole.compose, [bucket.blob("composes/absent")])


def patches():
    blob = put("patches/a")
    generation = blob.generation
    blob.metadata = {"a": "1", "b": "2"}
    blob.content_type, blob.content_disposition, blob.content_language = "x/y", "attachment", "de"
    blob.patch()
    blob.metadata = {"a": None, "c": "3"}
    blob.patch()
    got = bucket.get_blob("patches/a")
    assert got.metadata == {"b": "2", "c": "3"}, got.metadata
    assert (got.content_type, got.content_disposition, got.content_language) == ("x/y", "attachment", "de")
    assert got.generation == generation and got.metageneration == 3
    got.metadata = {"only": "this"}
    got.update()
    assert bucket.get_blob("patches/a").metadata == {"only": "this"}
    raises(exceptions.PreconditionFailed, got.patch, if_metageneration_match=1)


def preconditions():
    blob = bucket.blob("preconditions/a")
    blob.upload_from_string("1", if_generation_match=0)
    raises(exceptions.PreconditionFailed, blob.upload_from_string, "2", if_generation_match=0)
    first = blob.generation
    blob.upload_from_string("3", if_generation_match=first)
    raises(exceptions.PreconditionFailed, blob.delete, if_generation_match=first)
    raises(exceptions.PreconditionFailed, blob.upload_from_string, "4", if_generation_not_match=blob.generation)
    assert blob.download_as_bytes() == b"3"
    large = bucket.blob("preconditions/a", chunk_size=256 << 10)
    raises(exceptions.PreconditionFailed, large.upload_from_file, io.BytesIO(b"x" * 600_000), if_generation_match=0)
    blob.delete(if_generation_match=blob.generation)
    assert not blob.exists()


def batches():
    for i in range(70):
        put(f"batches/{i}")
    blobs = list(client.list_blobs(bucket, prefix="batches/"))
    with client.batch():
        for blob in blobs[:50]:
            blob.delete()
    assert len(list(client.list_blobs(bucket, prefix="batches/"))) == 20
    with client.batch():
        for blob in blobs[50:60]:
            blob.metadata = {"batch": "yes"}
            blob.patch()
    assert bucket.get_blob(blobs[55].name).metadata == {"batch": "yes"}

    def both():
        with client.batch():
            blobs[50].delete()
            blobs[0].delete()
    raises(exceptions.NotFound, both)
    assert not blobs[50].exists()
    bucket.delete_blobs([b for b in client.list_blobs(bucket, prefix="batches/")])
    assert not list(client.list_blobs(bucket, prefix="batches/"))


def buckets():
    b = client.bucket("python-labels")
    b.labels = {"team": "vision"}
    b.create(location="us-central1")
    assert b.location == "US-CENTRAL1" and "python-labels" in [x.name for x in client.list_buckets()]
    assert [x.name for x in client.list_buckets(prefix="python-l")] == ["python-labels"]
    b.labels = {"team": "speech", "env": "test"}
    b.patch()
    got = client.get_bucket("python-labels")
    assert got.labels == {"team": "speech", "env": "test"} and got.metageneration == 2, got.labels
    labels = got.labels
    del labels["env"]
    got.labels = labels
    got.patch()
    assert client.get_bucket("python-labels").labels == {"team": "speech"}
    raises(exceptions.Conflict, client.create_bucket, "python-labels")
    raises(exceptions.NotFound, client.get_bucket, "python-absent")
    assert client.lookup_bucket("python-absent") is None
    raises(exceptions.BadRequest, client.create_bucket, "127.0.0.1")
    got.delete()
    raises(exceptions.NotFound, got.reload)


def errors():
    raises(exceptions.NotFound, bucket.blob("errors/absent").delete)
    raises(exceptions.NotFound, bucket.blob("errors/absent").download_as_bytes)
    raises(exceptions.NotFound, client.bucket("python-absent").blob("x").upload_from_string, "x")
    raises(exceptions.NotFound, list, client.list_blobs("python-absent"))
    raises(exceptions.BadRequest, put, "errors/" + "x" * 1020)


def full_disk():
    e = raises(exceptions.Forbidden, put, "full")
    assert "disk of the bucket is full" in e.message, e.message


PIECES = [simple, resumable, interrupted, downloads, lists, copies, composes, patches, preconditions, batches, buckets, errors]

if __name__ == "__main__":
    only = sys.argv[1:]
    pieces.run([full_disk] if only == ["full_disk"] else [p for p in PIECES if not only or p.__name__ in only])
