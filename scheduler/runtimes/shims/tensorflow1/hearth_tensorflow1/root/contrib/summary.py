"""tf.contrib.summary, which became tf.summary of TensorFlow 2."""

from tensorflow.compat.v2.summary import *  # noqa: F401,F403
from tensorflow.compat.v2.summary import create_file_writer as create_file_writer  # noqa: F401
