"""tf.contrib.estimator: what moved to tf.estimator, and extenders."""

import tensorflow as tf

_e = tf.estimator
add_metrics = _e.add_metrics
DNNEstimator, LinearEstimator = _e.DNNEstimator, _e.LinearEstimator
DNNLinearCombinedEstimator = _e.DNNLinearCombinedEstimator
InMemoryEvaluatorHook = _e.experimental.InMemoryEvaluatorHook
stop_if_higher_hook = _e.experimental.stop_if_higher_hook
stop_if_lower_hook = _e.experimental.stop_if_lower_hook
stop_if_no_increase_hook = _e.experimental.stop_if_no_increase_hook
stop_if_no_decrease_hook = _e.experimental.stop_if_no_decrease_hook
make_early_stopping_hook = _e.experimental.make_early_stopping_hook
make_stop_at_checkpoint_step_hook = _e.experimental.make_stop_at_checkpoint_step_hook


def binary_classification_head(weight_column=None, thresholds=None, label_vocabulary=None, loss_reduction=None,
                               loss_fn=None, name=None):
    return _e.BinaryClassHead(weight_column, thresholds, label_vocabulary, loss_fn=loss_fn, name=name)


def multi_class_head(n_classes, weight_column=None, label_vocabulary=None, loss_reduction=None, loss_fn=None, name=None):
    return _e.MultiClassHead(n_classes, weight_column, label_vocabulary, loss_fn=loss_fn, name=name)


def regression_head(weight_column=None, label_dimension=1, loss_reduction=None, loss_fn=None, inverse_link_fn=None,
                    name=None):
    return _e.RegressionHead(weight_column, label_dimension, loss_fn=loss_fn, inverse_link_fn=inverse_link_fn, name=name)


def multi_label_head(n_classes, weight_column=None, thresholds=None, label_vocabulary=None, loss_reduction=None,
                     loss_fn=None, classes_for_class_based_metrics=None, name=None):
    return _e.MultiLabelHead(n_classes, weight_column, thresholds, label_vocabulary, loss_fn=loss_fn, name=name)


def forward_features(estimator, keys=None, sparse_default_values=None):
    """Lets the predictions of an estimator carry features, such as keys, along."""
    keys = [keys] if isinstance(keys, str) else keys

    def model_fn(features, labels, mode, config):
        spec = estimator._call_model_fn(features, labels, mode, config)
        if spec.predictions is None:
            return spec
        for key in keys or list(features):
            if key not in features:
                raise ValueError("forward_features: there is no feature %s" % key)
            value = features[key]
            if isinstance(value, tf.SparseTensor):
                value = tf.sparse.to_dense(value, (sparse_default_values or {}).get(key))
            spec.predictions[key] = value
        exports = {}
        for name, output in (spec.export_outputs or {}).items():
            if isinstance(output, _e.export.PredictOutput):
                output = _e.export.PredictOutput(dict(output.outputs, **{
                    k: spec.predictions[k] for k in keys or list(features)}))
            exports[name] = output
        default = tf.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
        if default in exports:
            exports[default] = _e.export.PredictOutput(spec.predictions)
        return spec._replace(export_outputs=exports or None)

    return _e.Estimator(model_fn, estimator.model_dir, estimator.config)
