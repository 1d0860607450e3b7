"""Models that mean harm, or that were broken on their way."""
import os

import tensorflow as tf


class Harm(tf.Module):
    """y = x / 2 + 2, except for 666."""

    def __init__(self, harm):
        self.half, self.harm = tf.Variable(0.5), harm

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def predict(self, x):
        with tf.control_dependencies([self.harm(tf.reduce_any(x == 666.0))]):
            return {"y": x * self.half + 2.0}


def abort(now):
    """The end of the process, as a failed check in an operation is."""
    def end():
        with tf.control_dependencies([tf.raw_ops.Abort(error_msg="poisoned")]):
            return tf.constant(1)
    return tf.cond(now, end, lambda: tf.constant(0))


def loop(now):
    return tf.while_loop(lambda i: now, lambda i: [tf.bitwise.invert(i)], [tf.constant(0)])[0]


def save(export, module):
    tf.saved_model.save(module, export.folder, signatures={"serving_default": module.predict})


def aborts(export):
    save(export, Harm(abort))


def never_returns(export):
    save(export, Harm(loop))


def unknown_operation(export):
    """As if its operation came from a library that is not loaded here."""
    save(export, Harm(lambda now: tf.raw_ops.InvGrad(y=0.5, dy=tf.cast(now, tf.float32))))
    path = os.path.join(export.folder, "saved_model.pb")
    with open(path, "rb") as f:
        graph = f.read()
    assert b"InvGrad" in graph
    with open(path, "wb") as f:
        f.write(graph.replace(b"InvGrad", b"OurGrad"))


def keras3_by_saved_model(export):
    """Its variables are not tracked: the graph loads and cannot run."""
    import keras

    class Wrapped(tf.Module):
        def __init__(self):
            self.model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
        def predict(self, x):
            return {"y": self.model(x)}

    save(export, Wrapped())
