"""TensorFlow 1's names on TensorFlow 2.

`import tensorflow` gives what it gave in 1.15: TensorFlow 2 carries those names
in tensorflow.compat.v1, and this package puts them in front. What 1.15 had
beside them and 2 dropped, tf.contrib, is in the folder root. TensorFlow's own
code goes on with TensorFlow 2.

A .pth file imports this package at the start of Python, so it does nothing but
wait for the first import of one of the names that it answers.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys

VERSION = "1.15.5"

# What these names were moved to since.
_MOVED = {"sklearn.externals.joblib": "joblib", "sklearn.externals.six": "six"}


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules that are something else than their files say."""

    def __init__(self):
        self.loading = False

    def find_spec(self, name, path=None, target=None):
        if name in _MOVED:
            return _alias(name, _MOVED[name])
        if name == "tensorflow" and not self.loading:
            found = importlib.machinery.PathFinder.find_spec(name)
            if found is None:
                return None
            spec = importlib.machinery.ModuleSpec(name, _TensorFlow(self), origin=found.origin, is_package=True)
            spec.submodule_search_locations = found.submodule_search_locations
            return spec
        if name.startswith(("tensorflow.", "tensorflow_estimator")) and not self.loading:
            from hearth_tensorflow1 import names

            return names.find(self, name)
        return None


class _TensorFlow(importlib.abc.Loader):
    """Loads TensorFlow and leaves in its place what stands for TensorFlow 1."""

    def __init__(self, finder):
        self._finder = finder

    def exec_module(self, module):
        from hearth_tensorflow1 import names

        sys.modules.pop("tensorflow", None)
        self._finder.loading = True
        try:
            real = importlib.import_module("tensorflow")
        finally:
            self._finder.loading = False
        # The import system takes the module from here when this has returned.
        sys.modules["tensorflow"] = names.TensorFlow1(real, module.__spec__)


class _Alias(importlib.abc.Loader):
    """Gives a module a second name."""

    def __init__(self, module):
        self._module, self._spec = module, module.__spec__

    def create_module(self, spec):
        return self._module

    def exec_module(self, module):
        # The import system has put the spec of the second name there.
        module.__spec__ = self._spec


def _alias(name, target):
    module = importlib.import_module(target)
    return importlib.machinery.ModuleSpec(name, _Alias(module), is_package=hasattr(module, "__path__"))


sys.meta_path.insert(0, _Finder())
