"""tf.contrib.slim: layers with arg_scope, losses and a training loop."""

import tensorflow as tf
from tensorflow.contrib import layers, losses, metrics  # noqa: F401
from tensorflow.contrib.framework import (  # noqa: F401
    add_arg_scope, arg_scope, assign_from_checkpoint_fn, get_model_variables, get_or_create_global_step,
    get_variables, get_variables_by_name, get_variables_to_restore, has_arg_scope, model_variable, variable)
from tensorflow.contrib.layers import *  # noqa: F401,F403
from tensorflow.contrib.layers import l1_regularizer, l2_regularizer  # noqa: F401
from tensorflow.contrib.slim import learning  # noqa: F401

get_global_step = tf.train.get_global_step
