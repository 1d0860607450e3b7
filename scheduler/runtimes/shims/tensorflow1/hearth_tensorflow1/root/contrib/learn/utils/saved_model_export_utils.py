"""Where programs of the time found make_export_strategy."""

from tensorflow.contrib.learn.export_strategy import make_export_strategy  # noqa: F401
