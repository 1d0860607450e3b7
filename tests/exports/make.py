"""Exports models as users' programs do, with the runtime that runs this, each with a file
of requests and answers.

    python make.py OUTDIR [MODELS]

Writes OUTDIR/NAME/1/, the SavedModel, and OUTDIR/NAME/cases.json, which what is made to
fail has not. With MODELS, the folder
of make_models.py, OUTDIR/NAME/cases.json for each of those too.
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

with open(os.path.join(sys.prefix, "runtime.json")) as f:
    RUNTIME = json.load(f)
os.environ.update({"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}, **RUNTIME.get("environment", {}))

import tensorflow as tf

from cases import Cases, Model, add_one_thread
import estimators
import keras_models
import modules
import poison
import sessions

EXPORTS = {
    "2.21": [keras_models.keras3_exported, keras_models.keras3_convolutions, modules.several_signatures,
             sessions.simple_save, sessions.table_by_main_op,
             poison.aborts, poison.never_returns, poison.unknown_operation, poison.keras3_by_saved_model],
    "2.21-keras2": [keras_models.keras2_saved, keras_models.keras2_convolutions],
    "2.15": [estimators.dnn_classifier, keras_models.keras2_saved, modules.several_signatures,
             sessions.simple_save, sessions.table_by_main_op],
    "1.15": [estimators.dnn_classifier, estimators.linear_classifier, sessions.simple_save, sessions.table_by_legacy_init_op],
}


class Export:
    """One model on its way out."""

    def __init__(self, root, name):
        self.name = name
        self.root = os.path.join(root, name)
        self.folder = os.path.join(self.root, "1")
        self.temporary = tempfile.mkdtemp()
        self.written = None
        shutil.rmtree(self.root, ignore_errors=True)
        os.makedirs(self.root)

    def saved(self, folder):
        """Takes what an exporter wrote into a folder that it named itself."""
        shutil.move(os.fsdecode(folder), self.folder)
        return self.load()

    def load(self):
        return Model(self.folder)

    def cases(self, model):
        if self.written is None:
            self.written = Cases(model, self.name, RUNTIME["name"])
        return self.written

    def finish(self):
        if self.written:
            self.written.write(os.path.join(self.root, "cases.json"))
        shutil.rmtree(self.temporary)


def made_before(root, folder):
    """Cases of a model that is there already, of the requests beside it."""
    name = os.path.basename(folder)
    export, model = Export(root, name), Model(os.path.join(folder, "1"))
    largest = {}
    for path in glob.glob(os.path.join(folder, "request*.json")):
        with open(path) as f:
            request = json.load(f)
        signature = request.get("signature_name", "serving_default")
        largest[signature] = max(largest.get(signature, []), request["instances"][:8], key=len)
    for signature, rows in sorted(largest.items()):
        export.cases(model).rows(signature, rows)
    export.finish()


def main():
    if sys.argv[1] == "--one-thread":
        for path in sorted(glob.glob(os.path.join(sys.argv[2], "*", "cases.json"))):
            add_one_thread(path)
        return
    root = sys.argv[1]
    for make in EXPORTS[RUNTIME["name"]]:
        export = Export(root, make.__name__)
        make(export)
        export.finish()
        print(make.__name__, flush=True)
    if len(sys.argv) > 2:
        for folder in sorted(glob.glob(os.path.join(sys.argv[2], "*", "1"))):
            made_before(root, os.path.dirname(folder))
            print(folder, flush=True)
    subprocess.run([sys.executable, os.path.abspath(__file__), "--one-thread", root], check=True)


if __name__ == "__main__":
    main()
