"""tf.contrib.rnn: the cells and loops of tf.nn."""

import tensorflow as tf
from tensorflow.compat.v1.nn.rnn_cell import *  # noqa: F401,F403

static_rnn = tf.nn.static_rnn
static_bidirectional_rnn = tf.nn.static_bidirectional_rnn
static_state_saving_rnn = tf.nn.static_state_saving_rnn
core_rnn_cell = tf.nn.rnn_cell


def stack_bidirectional_dynamic_rnn(cells_fw, cells_bw, inputs, dtype=None, sequence_length=None, time_major=False,
                                    scope=None, **kwargs):
    """Runs layers of bidirectional cells, each on the outputs of the one before."""
    forward, backward = [], []
    with tf.variable_scope(scope, "stack_bidirectional_rnn"):
        for i, (fw, bw) in enumerate(zip(cells_fw, cells_bw)):
            with tf.variable_scope("cell_%d" % i):
                outputs, states = tf.nn.bidirectional_dynamic_rnn(
                    fw, bw, inputs, sequence_length, dtype=dtype, time_major=time_major)
            inputs = tf.concat(outputs, 2)
            forward.append(states[0])
            backward.append(states[1])
    return inputs, tuple(forward), tuple(backward)
