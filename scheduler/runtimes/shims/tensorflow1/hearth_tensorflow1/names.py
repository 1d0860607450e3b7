"""What stands for TensorFlow 1, and where its submodules are."""

import importlib
import importlib.util
import os
import sys
import types

import hearth_tensorflow1

_V1 = "tensorflow._api.v2.compat.v1"
_KERAS = "keras.api._v1.keras"
_ESTIMATOR = "tensorflow_estimator.python.estimator.api._v1.estimator"

# Folders of TensorFlow's own code, which programs of the time reached into.
_OWN = ("python", "core", "tools", "compiler", "lite", "_api", "dtensor")


class TensorFlow1(types.ModuleType):
    """The module `tensorflow`, with the names of 1.15."""

    def __init__(self, real, spec):
        super().__init__("tensorflow", "TensorFlow 1's names on TensorFlow " + real.__version__)
        v1 = importlib.import_module(_V1)
        # Whoever runs this has decided to stay with what the warnings are about.
        importlib.import_module("tensorflow.python.util.deprecation")._PRINT_DEPRECATION_WARNINGS = False
        v1.disable_v2_behavior()
        self._real, self._v1 = real, v1
        self.__spec__, self.__file__ = spec, real.__file__
        self.__path__ = list(real.__path__) + [os.path.join(os.path.dirname(__file__), "root")]
        self.__package__, self.__loader__ = "tensorflow", spec.loader
        self.__version__ = self.VERSION = hearth_tensorflow1.VERSION

    def __getattr__(self, name):
        if name == "contrib":
            return importlib.import_module("tensorflow.contrib")
        if name == "estimator":
            return importlib.import_module("tensorflow.estimator")
        if name in _OWN and hasattr(self._real, name):
            return getattr(self._real, name)
        try:
            value = getattr(self._v1, name)
        except AttributeError:
            raise AttributeError("module 'tensorflow' has no attribute %r" % name) from None
        setattr(self, name, value)
        return value

    def __dir__(self):
        return sorted(set(dir(self._v1)) | {"contrib", "estimator"})


def find(finder, name):
    """Gives the spec of a submodule that is not where its name says."""
    if name == "tensorflow_estimator":
        return _estimator(finder)
    target = _target(name)
    if target is None:
        return None
    try:
        found = importlib.util.find_spec(target)
    except ModuleNotFoundError:
        return None
    return found and hearth_tensorflow1._alias(name, target)


def _target(name):
    _, _, rest = name.partition(".")
    head, _, tail = rest.partition(".")
    if not name.startswith("tensorflow.") or head == "compat":
        return None
    if head == "contrib":
        return _inner(name)
    moved = {"keras": _KERAS, "estimator": _ESTIMATOR}.get(head)
    if moved:
        return moved + ("." + tail if tail else "")
    real = sys.modules["tensorflow"]._real
    if os.path.isdir(os.path.join(os.path.dirname(real.__file__), head)):
        return None
    if importlib.util.find_spec(_V1 + "." + head) is None:
        return None
    return _V1 + "." + rest


def _inner(name):
    """Gives tf.contrib.X.Y for tf.contrib.X.python.X.Y, where its code was."""
    parts = name.split(".")
    if parts[3:4] != ["python"]:
        return None
    return ".".join(parts[:3] + parts[5:])


def _estimator(finder):
    """Imports the estimators, whose code means TensorFlow 2 by `tensorflow`."""
    facade = sys.modules.get("tensorflow") or importlib.import_module("tensorflow")
    finder.loading, sys.modules["tensorflow"] = True, facade._real
    try:
        importlib.import_module(_ESTIMATOR)
        importlib.import_module(_ESTIMATOR.replace("._v1.", "._v2."))
        loaded = sys.modules.pop("tensorflow_estimator")
    finally:
        finder.loading, sys.modules["tensorflow"] = False, facade
    return importlib.machinery.ModuleSpec(
        "tensorflow_estimator", hearth_tensorflow1._Alias(loaded), is_package=True)
