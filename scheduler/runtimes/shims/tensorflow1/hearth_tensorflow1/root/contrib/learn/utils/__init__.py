"""tf.contrib.learn.utils: exports and their inputs."""

from tensorflow.contrib.learn.utils import input_fn_utils, saved_model_export_utils  # noqa: F401
