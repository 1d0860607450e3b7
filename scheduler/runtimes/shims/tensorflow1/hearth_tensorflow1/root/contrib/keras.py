"""tf.contrib.keras, which became tf.keras."""

from tensorflow.keras import *  # noqa: F401,F403
from tensorflow.keras import (  # noqa: F401
    activations, applications, backend, callbacks, constraints, datasets, initializers, layers, losses, metrics,
    models, optimizers, preprocessing, regularizers, utils)
