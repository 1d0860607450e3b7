"""What a serving input function gives."""

import collections

import tensorflow as tf

InputFnOps = collections.namedtuple("InputFnOps", ["features", "labels", "default_inputs"])


def build_parsing_serving_input_fn(feature_spec, default_batch_size=None):
    def input_fn():
        serialized = tf.placeholder(tf.string, [default_batch_size], name="input_example_tensor")
        return InputFnOps(tf.parse_example(serialized, feature_spec), None, {"examples": serialized})

    return input_fn


def build_default_serving_input_fn(features, default_batch_size=None):
    def input_fn():
        placeholders = {
            name: tf.placeholder(t.dtype, [default_batch_size] + t.shape.as_list()[1:], name=name.split(":")[0])
            for name, t in features.items()}
        return InputFnOps(placeholders, None, placeholders)

    return input_fn
