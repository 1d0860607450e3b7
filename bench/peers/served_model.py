"""The SavedModel that a peer serves.

Each serve_NAME.py here is one peer. The benchmark starts it with the folder of the
SavedModel in PEER_MODEL, the port to listen on at 127.0.0.1 in PEER_PORT, and a
folder for all that it writes as its current one.
"""
import gc
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np
import tensorflow as tf

PORT = int(os.environ["PEER_PORT"])
ROUTE = "/v1/models/m:predict"


class ServedModel:
    """The default signature, run by the fastest call that Python's TensorFlow has: on
    the MLP a session's callable takes 0.4 ms and the signature's function 0.7 ms."""

    def __init__(self):
        graph = tf.Graph()
        session = tf.compat.v1.Session(graph=graph)
        with graph.as_default():
            loaded = tf.compat.v1.saved_model.load(session, ["serve"], os.environ["PEER_MODEL"])
        signature = loaded.signature_def["serving_default"]
        (self.input, tensor), = signature.inputs.items()
        self.shape = [d.size for d in tensor.tensor_shape.dim]
        self.dtype = tf.as_dtype(tensor.dtype).as_numpy_dtype
        self.outputs = {name: tuple(d.size for d in t.tensor_shape.dim) for name, t in signature.outputs.items()}
        self.dtypes = {name: tf.as_dtype(t.dtype).as_numpy_dtype for name, t in signature.outputs.items()}
        self._call = session.make_callable({name: t.name for name, t in signature.outputs.items()}, feed_list=[tensor.name])
        self._warm_up()

    def _warm_up(self):
        """The first run is slow, and so is a collection that walks all of TensorFlow."""
        self.run(np.zeros([1] + self.shape[1:], self.dtype))
        gc.collect()
        gc.freeze()

    def run(self, array):
        """An array to an array per output."""
        return self._call(array)

    def predict(self, instances):
        """The instances of a request to its predictions, a row of outputs each."""
        outputs = self.run(np.asarray(instances, self.dtype))
        columns = [column.tolist() for column in outputs.values()]
        return [dict(zip(outputs, row)) for row in zip(*columns)]
