"""tf.contrib.eager."""

import tensorflow as tf
from tensorflow.compat.v2 import GradientTape, Variable, py_function  # noqa: F401

py_func = py_function
executing_eagerly, enable_eager_execution = tf.executing_eagerly, tf.enable_eager_execution
Iterator = iter
Saver, Checkpoint = tf.train.Saver, tf.train.Checkpoint
defun = tf.function
