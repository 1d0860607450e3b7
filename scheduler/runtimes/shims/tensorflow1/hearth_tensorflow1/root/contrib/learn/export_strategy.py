"""tf.contrib.learn's export strategies, as the exporters that they became."""

import tensorflow as tf


class ExportStrategy:
    """How an experiment exports its model, and under which name."""

    def __init__(self, name, serving_input_fn, assets_extra=None, exports_to_keep=5, as_text=False):
        self.name = name
        self._serving_input_fn, self._assets = serving_input_fn, assets_extra
        self._keep, self._text = exports_to_keep, as_text

    def exporter(self):
        return tf.estimator.LatestExporter(self.name, _receiver(self._serving_input_fn), self._assets, self._text,
                                           self._keep)

    def export(self, estimator, export_path, checkpoint_path=None, eval_result=None):
        return estimator.export_saved_model(export_path, _receiver(self._serving_input_fn), self._assets, self._text,
                                            checkpoint_path)


def make_export_strategy(serving_input_fn, default_output_alternative_key=None, assets_extra=None, as_text=False,
                         exports_to_keep=5, strip_default_attrs=None):
    return ExportStrategy("Servo", serving_input_fn, assets_extra, exports_to_keep, as_text)


def _receiver(serving_input_fn):
    """Gives a serving_input_receiver_fn for one that may give InputFnOps."""

    def receiver():
        given = serving_input_fn()
        if hasattr(given, "default_inputs"):
            return tf.estimator.export.ServingInputReceiver(given.features, given.default_inputs)
        return given

    return receiver
