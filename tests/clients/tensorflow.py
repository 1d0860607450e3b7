"""TensorFlow's own gs:// file system, unmodified, and what stands on it. Runs as
a trainer; the bucket gs://tensorflow is there and empty."""
import os
import subprocess
import sys

import numpy as np
import tensorflow as tf

from trainer import pieces

g = tf.io.gfile
keras = tf.keras  # loaded when it is first used
ROOT = "gs://tensorflow"


def write(path, content):
    with g.GFile(path, "wb") as f:
        f.write(content)


def read(path):
    with g.GFile(path, "rb") as f:
        return f.read()


def fails(error, function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except error:
        return
    raise AssertionError(f"{function.__name__}{args} did not raise {error.__name__}")


def schemes():
    assert "gs" in g.get_registered_schemes()
    assert g.join(ROOT, "a", "b") == ROOT + "/a/b"


def reading():
    path = ROOT + "/reading/lines.txt"
    with g.GFile(path, "w") as f:
        f.write("first\nsecond\n")
        f.write("täglich\n")
        f.flush()
    with g.GFile(path) as f:
        assert f.size() == 22, f.size()
        assert f.readline() == "first\n" and f.tell() == 6
        f.seek(0)
        assert f.readlines() == ["first\n", "second\n", "täglich\n"]
        f.seek(6)
        assert f.read(6) == "second"
    with g.GFile(path) as f:
        assert [line for line in f] == ["first\n", "second\n", "täglich\n"]
    with g.GFile(path, "r+b") as f:
        assert f.read() == "first\nsecond\ntäglich\n".encode()
    write(ROOT + "/reading/empty", b"")
    assert read(ROOT + "/reading/empty") == b"" and g.stat(ROOT + "/reading/empty").length == 0
    big = os.urandom(70 << 20)  # over the 64 MiB that TensorFlow reads at once
    write(ROOT + "/reading/big", big)
    assert read(ROOT + "/reading/big") == big
    with g.GFile(ROOT + "/reading/big", "rb") as f:
        f.seek((64 << 20) - 3)
        assert f.read(6) == big[(64 << 20) - 3:][:6]
    fails(tf.errors.NotFoundError, read, ROOT + "/reading/absent")
    fails(tf.errors.NotFoundError, write, "gs://no-such-bucket/x", b"x")


def appending():
    path = ROOT + "/appending-" + os.environ.get("GCS_APPEND_MODE", "default")
    for i in range(5):
        with g.GFile(path, "ab") as f:
            f.write(b"%d" % i * 1000)
    assert read(path) == b"".join(b"%d" % i * 1000 for i in range(5))
    with g.GFile(path, "ab") as f:  # flushes in between
        f.write(b"x")
        f.flush()
        f.write(b"y")
    assert read(path)[5000:] == b"xy"
    assert not g.exists(ROOT + "/.tmpcompose/") or not g.glob(ROOT + "/.tmpcompose/*")


def appending_by_compose():
    environment = dict(os.environ, GCS_APPEND_MODE="compose")
    subprocess.run([sys.executable, "-m", "trainer.task", "appending"], env=environment, check=True)
    assert g.exists(ROOT + "/appending-compose")


def folders():
    root = ROOT + "/folders"
    g.mkdir(root)
    g.makedirs(root + "/a/b/c")
    g.makedirs(root + "/a/b/c")
    assert g.isdir(root) and g.isdir(root + "/a/b/c") and g.isdir(root + "/a/b/c/")
    write(root + "/a/x.txt", b"x")
    write(root + "/a/y.txt", b"yy")
    write(root + "/a/b/z.dat", b"zzz")
    assert g.exists(root + "/a/x.txt") and not g.isdir(root + "/a/x.txt")
    assert g.exists(root + "/a") and not g.exists(root + "/absent")
    assert sorted(g.listdir(root + "/a")) == ["b/", "x.txt", "y.txt"], g.listdir(root + "/a")
    assert sorted(g.glob(root + "/a/*.txt")) == [root + "/a/x.txt", root + "/a/y.txt"]
    globbed = [p for p in g.glob([root + "/*/b/*", root + "/a/x*"]) if not p.endswith("/")]
    assert sorted(globbed) == [root + "/a/b/c", root + "/a/b/z.dat", root + "/a/x.txt"], globbed
    walked = {d.rstrip("/"): (sorted(n.rstrip("/") for n in ds), sorted(fs)) for d, ds, fs in g.walk(root)}
    assert walked[root + "/a"] == (["b"], ["x.txt", "y.txt"]), walked
    assert walked[root + "/a/b"] == (["c"], ["z.dat"]), walked
    stat = g.stat(root + "/a/y.txt")
    assert stat.length == 2 and stat.mtime_nsec > 0 and not stat.is_directory
    assert g.stat(root + "/a").is_directory
    fails(tf.errors.NotFoundError, g.stat, root + "/absent")
    fails(tf.errors.NotFoundError, g.listdir, root + "/absent")
    g.rmtree(root + "/a/b")
    assert not g.exists(root + "/a/b") and g.exists(root + "/a/x.txt")
    g.rmtree(root)
    assert not g.exists(root)


def moving():
    root = ROOT + "/moving"
    write(root + "/a", b"a")
    write(root + "/b", b"b")
    g.copy(root + "/a", root + "/c")
    fails(tf.errors.AlreadyExistsError, g.copy, root + "/a", root + "/b")
    assert read(root + "/b") == b"b" and read(root + "/c") == b"a"
    g.copy(root + "/a", root + "/b", overwrite=True)
    assert read(root + "/b") == b"a"
    local = os.path.join(os.environ.get("TMPDIR", "/tmp"), "moving")
    g.copy(root + "/a", local, overwrite=True)
    g.copy(local, root + "/from-local")
    assert read(root + "/from-local") == b"a"
    fails(tf.errors.AlreadyExistsError, g.rename, root + "/a", root + "/b")
    g.rename(root + "/a", root + "/b", overwrite=True)
    g.rename(root + "/b", root + "/d")
    assert not g.exists(root + "/a") and not g.exists(root + "/b") and read(root + "/d") == b"a"
    for i in range(12):
        write(root + f"/folder/{i % 3}/{i}", b"%d" % i)
    g.rename(root + "/folder", root + "/other")
    # TensorFlow itself believes for 5 s what it knew of a folder, but not of its files.
    assert not g.glob(root + "/folder/*/*")
    assert sorted(g.listdir(root + "/other")) == ["0/", "1/", "2/"] and read(root + "/other/2/11") == b"11"
    g.remove(root + "/d")
    fails(tf.errors.NotFoundError, g.remove, root + "/d")


def records():
    root = ROOT + "/records"
    for i in range(4):
        for suffix, compression in ("", ""), (".gz", "GZIP"):
            with tf.io.TFRecordWriter(f"{root}/part-{i}{suffix}", compression) as w:
                for j in range(50):
                    w.write(b"%d-%d " % (i, j) * j)
    plain = [f"{root}/part-{i}" for i in range(4)]
    want = sorted(b"%d-%d " % (i, j) * j for i in range(4) for j in range(50))

    def content(dataset):
        return sorted(dataset.as_numpy_iterator())
    assert content(tf.data.TFRecordDataset(plain)) == want
    assert content(tf.data.TFRecordDataset([p + ".gz" for p in plain], "GZIP", num_parallel_reads=2)) == want
    files = tf.data.Dataset.list_files(root + "/part-?", shuffle=False)
    assert [f.decode() for f in files.as_numpy_iterator()] == plain
    interleaved = files.interleave(tf.data.TFRecordDataset, cycle_length=4, num_parallel_calls=tf.data.AUTOTUNE)
    assert content(interleaved) == want
    write(root + "/lines.csv", b"x,y\n1,2\n3,4\n")
    assert [line for line in tf.data.TextLineDataset(root + "/lines.csv").as_numpy_iterator()] == [b"x,y", b"1,2", b"3,4"]


def checkpoints():
    v = tf.Variable(np.zeros(1000, np.float32))
    manager = tf.train.CheckpointManager(tf.train.Checkpoint(v=v), ROOT + "/checkpoints", max_to_keep=2)
    for i in range(5):
        v.assign(np.full(1000, i, np.float32))
        manager.save()
    names = g.listdir(ROOT + "/checkpoints")
    assert sorted(n for n in names if n.endswith(".index")) == ["ckpt-4.index", "ckpt-5.index"], names
    again = tf.Variable(np.zeros(1000, np.float32))
    latest = tf.train.latest_checkpoint(ROOT + "/checkpoints")
    assert latest.endswith("/ckpt-5"), latest
    tf.train.Checkpoint(v=again).restore(latest).assert_consumed()
    assert again.numpy().min() == 4


def datasets():
    path = ROOT + "/datasets/squares"
    tf.data.Dataset.range(1000).map(lambda x: x * x).save(path)
    assert list(tf.data.Dataset.load(path).as_numpy_iterator()) == [i * i for i in range(1000)]


def summaries():
    writer = tf.summary.create_file_writer(ROOT + "/summaries")
    with writer.as_default():
        for i in range(3):
            tf.summary.scalar("loss", 1.0 / (i + 1), step=i)
            writer.flush()
    writer.close()
    [path] = g.glob(ROOT + "/summaries/events.out.tfevents.*")
    steps = [e.step for e in tf.compat.v1.train.summary_iterator(path) if e.summary.value]
    assert steps == [0, 1, 2], steps


def model():
    m = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(1)])
    m.compile("adam", "mse")
    return m


X = np.random.default_rng(1).normal(size=(64, 4)).astype(np.float32)
Y = X.sum(axis=1, keepdims=True)


def callbacks():
    root = ROOT + "/callbacks"
    wanted = [keras.callbacks.ModelCheckpoint(root + "/model-{epoch:02d}.keras"),
              keras.callbacks.ModelCheckpoint(root + "/best.weights.h5", save_weights_only=True, save_best_only=True, monitor="loss"),
              keras.callbacks.TensorBoard(root + "/board", profile_batch=0)]
    m = model()
    m.fit(X, Y, epochs=2, verbose=0, callbacks=wanted)
    assert {"model-01.keras", "model-02.keras", "best.weights.h5"} <= set(g.listdir(root)), g.listdir(root)
    assert np.allclose(keras.models.load_model(root + "/model-02.keras").predict(X, verbose=0), m.predict(X, verbose=0))
    assert g.glob(root + "/board/train/events.out.tfevents.*")


def backup_and_restore():
    class Interrupt(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                raise RuntimeError("interrupted")

    backup = keras.callbacks.BackupAndRestore(ROOT + "/backup", delete_checkpoint=True)
    fails(RuntimeError, model().fit, X, Y, epochs=4, verbose=0, callbacks=[backup, Interrupt()])
    assert g.glob(ROOT + "/backup/*")
    history = model().fit(X, Y, epochs=4, verbose=0, callbacks=[keras.callbacks.BackupAndRestore(ROOT + "/backup", delete_checkpoint=True)])
    assert history.epoch == [2, 3], history.epoch


def models():
    root = ROOT + "/models"
    m = model()
    want = m.predict(X, verbose=0)
    m.save(root + "/m.keras")
    assert np.allclose(keras.models.load_model(root + "/m.keras").predict(X, verbose=0), want)
    m.export(root + "/export", verbose=False)
    served = tf.saved_model.load(root + "/export")
    assert np.allclose(served.serve(X), want, atol=1e-5)

    class Doubler(tf.Module):
        def __init__(self):
            self.factor = tf.Variable(2.0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
        def __call__(self, x):
            return x * self.factor
    tf.saved_model.save(Doubler(), root + "/saved")
    assert tf.saved_model.load(root + "/saved")(tf.constant([1.0, 4.0])).numpy().tolist() == [2.0, 8.0]


PIECES = [schemes, reading, appending, appending_by_compose, folders, moving, records, checkpoints, datasets, summaries,
          callbacks, backup_and_restore, models]

if __name__ == "__main__":
    only = sys.argv[1:]
    pieces.run([p for p in PIECES if not only or p.__name__ in only])
