"""gcsfs and pandas, unmodified. The bucket gs://gcsfs is there and empty."""
import os
import sys

import fsspec
import gcsfs
import pandas as pd

import pieces

ROOT = "gcsfs/"
fs = gcsfs.GCSFileSystem()


def raises(error, function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except error:
        return
    raise AssertionError(f"{function} did not raise {error.__name__}")


def names(paths):
    return sorted(p.removeprefix(ROOT) for p in paths)


def frames():
    frame = pd.DataFrame({"x": range(100_000), "y": [i * i for i in range(100_000)]})
    for path in "gs://gcsfs/frames/a.csv", "gs://gcsfs/frames/a.csv.gz":
        frame.to_csv(path, index=False)
        pd.testing.assert_frame_equal(pd.read_csv(path), frame)
    assert sum(len(c) for c in pd.read_csv("gs://gcsfs/frames/a.csv", chunksize=30_000)) == 100_000
    frame.to_json("gs://gcsfs/frames/a.json")
    pd.testing.assert_frame_equal(pd.read_json("gs://gcsfs/frames/a.json"), frame)


def files():
    fs.pipe({ROOT + f"files/{n}": n.encode() for n in ("a.txt", "b.txt", "c/d.txt", "c/e/f.bin")})
    fs.invalidate_cache()
    assert names(fs.ls(ROOT + "files")) == ["files/a.txt", "files/b.txt", "files/c"]
    assert names(fs.glob(ROOT + "files/*.txt")) == ["files/a.txt", "files/b.txt"]
    assert names(fs.glob(ROOT + "files/**/*.txt")) == ["files/a.txt", "files/b.txt", "files/c/d.txt"]
    assert names(fs.find(ROOT + "files")) == ["files/a.txt", "files/b.txt", "files/c/d.txt", "files/c/e/f.bin"]
    walked = {d.removeprefix(ROOT): (sorted(ds), sorted(fs_)) for d, ds, fs_ in fs.walk(ROOT + "files")}
    assert walked["files/c"] == (["e"], ["d.txt"]), walked
    assert fs.cat(ROOT + "files/c/d.txt") == b"c/d.txt" and fs.cat_file(ROOT + "files/a.txt", start=2, end=4) == b"tx"
    assert fs.exists(ROOT + "files/a.txt") and not fs.exists(ROOT + "files/absent")
    assert fs.isdir(ROOT + "files/c") and fs.isfile(ROOT + "files/a.txt") and fs.size(ROOT + "files/a.txt") == 5
    assert fs.du(ROOT + "files") == len("a.txtb.txtc/d.txtc/e/f.bin")
    raises(FileNotFoundError, fs.cat, ROOT + "files/absent")
    raises(FileNotFoundError, fs.ls, ROOT + "absent")
    info = fs.info(ROOT + "files/a.txt")
    assert info["type"] == "file" and info["contentType"] and fs.modified(ROOT + "files/a.txt")


def moving():
    fs.pipe({ROOT + f"moving/{i}": b"%d" % i for i in range(5)})
    fs.cp(ROOT + "moving/0", ROOT + "moving/copy")
    fs.cp(ROOT + "moving/", ROOT + "copied/", recursive=True)
    fs.invalidate_cache()
    assert names(fs.find(ROOT + "copied")) == names(ROOT + f"copied/{n}" for n in (0, 1, 2, 3, 4, "copy"))
    fs.mv(ROOT + "moving/1", ROOT + "moving/moved")
    fs.mv(ROOT + "copied", ROOT + "renamed", recursive=True)
    fs.invalidate_cache()
    assert not fs.exists(ROOT + "moving/1") and fs.cat(ROOT + "moving/moved") == b"1"
    assert not fs.exists(ROOT + "copied") and len(fs.find(ROOT + "renamed")) == 6
    fs.rm(ROOT + "renamed", recursive=True)
    fs.rm([ROOT + "moving/2", ROOT + "moving/3"])
    fs.invalidate_cache()
    assert not fs.exists(ROOT + "renamed") and names(fs.find(ROOT + "moving")) == ["moving/0", "moving/4", "moving/copy", "moving/moved"]
    fs.touch(ROOT + "moving/touched")
    assert fs.size(ROOT + "moving/touched") == 0
    fs.setxattrs(ROOT + "moving/0", content_type="x/y", colour="blue")
    assert fs.getxattr(ROOT + "moving/0", "colour") == "blue"
    fs.merge(ROOT + "moving/merged", [ROOT + "moving/0", ROOT + "moving/4"])
    assert fs.cat(ROOT + "moving/merged") == b"04"


def pieces_of_files():
    content = os.urandom(1_000_000)
    with fs.open(ROOT + "pieces/big", "wb", block_size=256 << 10) as f:
        for i in range(0, len(content), 100_000):
            f.write(content[i:i + 100_000])
    with fs.open(ROOT + "pieces/big", "rb", block_size=256 << 10) as f:
        assert f.read(10) == content[:10]
        f.seek(-10, os.SEEK_END)
        assert f.read() == content[-10:]
    with fsspec.open("gs://gcsfs/pieces/text", "w") as f:
        f.write("hello")
    fs.put(__file__, ROOT + "pieces/program")
    fs.get(ROOT + "pieces/program", "downloaded")
    assert open("downloaded").read() == open(__file__).read()
    f = fs.open(ROOT + "pieces/dropped", "wb", autocommit=False)
    f.write(content)
    f.close()
    f.discard()
    assert not fs.exists(ROOT + "pieces/dropped")


PIECES = [frames, files, moving, pieces_of_files]

if __name__ == "__main__":
    only = sys.argv[1:]
    pieces.run([p for p in PIECES if not only or p.__name__ in only])
