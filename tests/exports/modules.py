"""tf.Module with functions of its own."""
import tensorflow as tf


class Scorer(tf.Module):
    """Several signatures: of one input and of two, of numbers that JSON has no words for,
    of types of different widths, and without rows."""

    def __init__(self):
        self.w = tf.Variable([[0.1, -1.5, 3.25], [2.0, 0.3, 1e-3]])

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def score(self, x):
        return {"score": tf.tanh(x @ self.w)}

    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, name="a"), tf.TensorSpec([None, None], tf.float32, name="b")])
    def distance(self, a, b):
        return {"distance": tf.norm(a - b, axis=1), "nearer": tf.reduce_all(a < b, 1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def edges(self, x):
        return {"log": tf.math.log(x), "inverse": 1.0 / x, "square": x * x, "double": tf.cast(x, tf.float64) / 3,
                "half": tf.cast(x, tf.float16), "brain": tf.cast(x, tf.bfloat16), "rounded": tf.cast(tf.clip_by_value(x, -9e8, 9e8), tf.int32)}

    @tf.function(input_signature=[tf.TensorSpec([], tf.float64, name="scale"), tf.TensorSpec([None], tf.string, name="text")])
    def whole(self, scale, text):
        return {"length": tf.cast(tf.strings.length(tf.strings.reduce_join(text)), tf.float64) * scale,
                "upper": tf.strings.upper(text), "raw_bytes": tf.strings.join([text, b"\xff"])}


def several_signatures(export):
    m = Scorer()
    tf.saved_model.save(m, export.folder, signatures={
        "serving_default": m.score, "distance": m.distance, "edges": m.edges, "whole": m.whole})
    cases = export.cases(export.load())
    cases.rows("serving_default", [[0.5, -0.25], [1e-8, 3.0], [100.0, 1.0]])
    cases.rows("distance", [{"a": [0.1, 0.2, 0.3], "b": [1.0, 2.0, 3.0]}, {"a": [5.0, -5.0, 1e-9], "b": [6.0, -4.0, 0.0]}])
    cases.rows("edges", [0.0, -0.0, -1.0, 1.0, 0.1, 16777217.0, 2.3509887e-38, 8e37, 3.4028235e38, 0.33333334])
    cases.columns("whole", {"scale": 0.1, "text": ["one", "zwei", {"b64": "ZHJlaQ=="}]})
