"""tf.contrib.predictor: calls a SavedModel's signature with NumPy arrays."""

import tensorflow as tf


class _Predictor:
    def __init__(self, session, graph, feeds, fetches):
        self.session, self.graph = session, graph
        self.feed_tensors, self.fetch_tensors = feeds, fetches

    def __call__(self, input_dict):
        unknown = set(input_dict) - set(self.feed_tensors)
        if unknown:
            raise ValueError("there are no inputs %s; there are %s" % (sorted(unknown), sorted(self.feed_tensors)))
        return self.session.run(self.fetch_tensors, {self.feed_tensors[k]: v for k, v in input_dict.items()})


def from_saved_model(export_dir, signature_def_key=None, signature_def=None, input_names=None, output_names=None,
                     tags=None, graph=None, config=None):
    graph = graph or tf.Graph()
    with graph.as_default():
        session = tf.Session(config=config)
        model = tf.saved_model.load(session, tags.split(",") if isinstance(tags, str) else tags or ["serve"], export_dir)
        signature = signature_def or model.signature_def[signature_def_key or "serving_default"]
        find = lambda infos: {k: graph.get_tensor_by_name(v.name) for k, v in infos.items()}  # noqa: E731
        return _Predictor(session, graph, find(signature.inputs), find(signature.outputs))


def from_estimator(estimator, serving_input_receiver_fn, output_key=None, graph=None, config=None):
    import tempfile

    path = estimator.export_saved_model(tempfile.mkdtemp(), serving_input_receiver_fn)
    return from_saved_model(path.decode() if isinstance(path, bytes) else path, output_key, graph=graph, config=config)
