"""Answers to requests by Python's TensorFlow, as a file that tests compare Hearth's with.

A case is a request to a signature, in rows and in columns, and the outputs that the
session gives: the same loader and executor that serve it. Python's functions
(tf.saved_model.load) run the graph optimised in another order, and may differ in the last
digits; how far is written beside, and so is how far the session itself differs for a row
that it runs alone and with others. How an operation adds up numbers depends on how many
threads it has: what a session answers that gives it one is written too.
"""
import base64
import json
import os

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1
SERVE = "serve"


class Model:
    """A SavedModel as loaded back."""

    def __init__(self, folder, config=None):
        self.folder = folder
        self.session = v1.Session(graph=tf.Graph(), config=config)
        self.signatures = v1.saved_model.loader.load(self.session, [SERVE], folder).signature_def
        self.functions = None
        if tf.compat.v2.executing_eagerly():
            self.functions = tf.compat.v2.saved_model.load(folder).signatures

    def tensors(self, signature, inputs):
        """Values by alias, as arrays of the signature's types."""
        specs = self.signatures[signature].inputs
        return {k: np.array(decoded(v), tf.as_dtype(specs[k].dtype).as_numpy_dtype) for k, v in inputs.items()}

    def run(self, signature, arrays):
        d = self.signatures[signature]
        return self.session.run({k: t.name for k, t in d.outputs.items()}, {d.inputs[k].name: v for k, v in arrays.items()})

    def call(self, signature, arrays):
        """The same by Python's functions, None where there are none."""
        if self.functions is None:
            return None
        specs = self.signatures[signature].inputs
        given = {k: tf.constant(v, tf.as_dtype(specs[k].dtype)) for k, v in arrays.items()}
        return {k: v.numpy() for k, v in self.functions[signature](**given).items()}


class Cases:
    """The file of one model."""

    def __init__(self, model, name, runtime):
        self.model, self.name, self.runtime = model, name, runtime
        self.cases, self.apart = [], {}

    def rows(self, signature, rows):
        """Each row by itself, and all in one request; a row of several inputs is an
        object."""
        self.add(signature, columns(self.model, signature, rows), rows)
        alone = [self.add(signature, columns(self.model, signature, [row]), [row]) for row in rows]
        self.apart[signature] = dict.fromkeys(alone[0], 0.0)
        for size in sorted({2, 3, 4, len(rows)} & set(range(2, len(rows) + 1))):
            for first in range(len(rows)):
                self.compare(signature, rows, alone, [(first + i) % len(rows) for i in range(size)])

    def compare(self, signature, rows, alone, chosen):
        """Notes how far rows that run together are from what they are alone."""
        batch = columns(self.model, signature, [rows[i] for i in chosen])
        together, apart = self.model.run(signature, self.model.tensors(signature, batch)), self.apart[signature]
        for at, i in enumerate(chosen):
            for k, v in alone[i].items():
                apart[k] = max(apart[k], units(together[k][at:at + 1], v))

    def columns(self, signature, inputs):
        """A request that has no rows."""
        self.add(signature, inputs, None)

    def add(self, signature, inputs, rows):
        arrays = self.model.tensors(signature, inputs)
        outputs, called = self.model.run(signature, arrays), self.model.call(signature, arrays)
        self.cases.append({
            "signature": signature, "rows": rows, "inputs": inputs,
            "outputs": {k: values(k, v) for k, v in outputs.items()},
            "types": {k: np.asarray(v).dtype.name for k, v in outputs.items()},
            "functionsApart": {k: units(called[k], v) for k, v in outputs.items()} if called else {},
        })
        return outputs

    def write(self, path):
        with open(path, "w") as f:
            json.dump({"model": self.name, "runtime": self.runtime, "path": os.path.abspath(self.model.folder),
                       "cases": self.cases, "batchedApart": self.apart}, f)


def add_one_thread(path):
    """Adds to a file what a session answers whose operations have one thread each. How
    many they have is decided by the first session of a process."""
    with open(path) as f:
        cases = json.load(f)
    model = Model(cases["path"], v1.ConfigProto(intra_op_parallelism_threads=1))
    for case in cases["cases"]:
        outputs = model.run(case["signature"], model.tensors(case["signature"], case["inputs"]))
        case["oneThread"] = {k: values(k, v) for k, v in outputs.items()}
    with open(path, "w") as f:
        json.dump(cases, f)


def columns(model, signature, rows):
    """The inputs of rows, as a dict of lists."""
    names = list(model.signatures[signature].inputs)
    if isinstance(rows[0], dict) and set(rows[0]) == set(names):
        return {k: [row[k] for row in rows] for k in names}
    return {names[0]: rows}


def decoded(value):
    """JSON's strings as bytes."""
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    if isinstance(value, list):
        return [decoded(v) for v in value]
    return value.encode() if isinstance(value, str) else value


def values(alias, value):
    """Nested lists as predict answers have them, each float as the shortest decimal that
    reads back as it."""
    if isinstance(value, np.ndarray) and value.ndim > 0:
        return [values(alias, v) for v in value]
    if isinstance(value, np.ndarray):
        value = value.item() if value.dtype == object else value[()]
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()} if alias.endswith("_bytes") else value.decode()
    if isinstance(value, np.float32):
        return float(str(value))
    return value if isinstance(value, str) else value.item() if value.dtype.kind in "biuf" else float(value)


def units(got, want):
    """How far numbers are apart, in units of the last place of the largest of a row."""
    got, want = np.asarray(got), np.asarray(want)
    if want.dtype.kind not in "fV" or not want.size:
        assert np.array_equal(got, want), (got, want)
        return 0.0
    last = np.finfo(want.dtype).eps if want.dtype.kind == "f" else 2.0**-7
    rows = want.reshape(len(want), -1) if want.ndim else want.reshape(1, 1)
    rows, got = rows.astype(np.float64), got.reshape(rows.shape).astype(np.float64)
    finite = np.isfinite(rows)
    assert np.array_equal(np.where(finite, 0, rows), np.where(finite, 0, got), equal_nan=True), (got, want)
    rows, got = np.where(finite, rows, 0), np.where(finite, got, 0)
    largest = np.maximum(np.abs(rows).max(1, keepdims=True), np.finfo(np.float32).tiny)
    return float((np.abs(rows - got) / (2.0**np.floor(np.log2(largest)) * last)).max())
