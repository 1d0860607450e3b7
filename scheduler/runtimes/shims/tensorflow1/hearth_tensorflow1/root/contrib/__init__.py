"""tf.contrib: the parts that trainers of the time used, on what became of them.

Each module gives the names that its namesake in 1.15 had, as far as TensorFlow
still has what they did. Of the others, the first use says which one is missing.
"""

import importlib
import importlib.util


def __getattr__(name):
    if name.startswith("__") or importlib.util.find_spec(__name__ + "." + name) is None:
        raise AttributeError(
            "tf.contrib.%s is not part of this runtime: TensorFlow dropped it, and only the commonly used"
            " parts of tf.contrib are kept" % name)
    return importlib.import_module(__name__ + "." + name)
