"""tf.contrib.saved_model."""

import tensorflow as tf


def save_keras_model(model, saved_model_path, custom_objects=None, as_text=None, **kwargs):
    tf.keras.experimental.export_saved_model(model, saved_model_path, custom_objects, bool(as_text), **kwargs)
    return saved_model_path


def load_keras_model(saved_model_path):
    return tf.keras.experimental.load_from_saved_model(saved_model_path)


def get_signature_def_by_key(meta_graph_def, signature_def_key):
    return meta_graph_def.signature_def[signature_def_key]
