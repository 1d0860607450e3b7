"""tf.contrib.cluster_resolver, which became tf.distribute.cluster_resolver."""

from tensorflow.compat.v1.distribute.cluster_resolver import *  # noqa: F401,F403
