"""tf.contrib.metrics: tf.metrics under their older names, predictions first."""

import tensorflow as tf

_m = tf.metrics


def _turned(metric):
    return lambda predictions, labels, *args, **kwargs: metric(labels, predictions, *args, **kwargs)


accuracy = lambda predictions, labels, weights=None, name=None: tf.reduce_mean(  # noqa: E731
    tf.cast(tf.equal(predictions, labels), tf.float32), name=name)
streaming_accuracy = _turned(_m.accuracy)
streaming_auc = _turned(_m.auc)
streaming_precision = _turned(_m.precision)
streaming_recall = _turned(_m.recall)
streaming_mean = _m.mean
streaming_mean_absolute_error = _turned(_m.mean_absolute_error)
streaming_mean_squared_error = _turned(_m.mean_squared_error)
streaming_root_mean_squared_error = _turned(_m.root_mean_squared_error)
streaming_true_positives = _turned(_m.true_positives)
streaming_false_positives = _turned(_m.false_positives)
streaming_false_negatives = _turned(_m.false_negatives)
streaming_mean_iou = _turned(_m.mean_iou)
streaming_sparse_recall_at_k = _turned(_m.recall_at_k)
streaming_sparse_precision_at_k = _turned(_m.precision_at_k)


def f1_score(labels, predictions, weights=None, num_thresholds=200, name=None, **kwargs):
    """The harmonic mean of precision and recall, at a threshold of a half."""
    with tf.variable_scope(name, "f1"):
        hits = tf.cast(predictions, tf.float32) > 0.5
        p, p_update = _m.precision(labels, hits, weights)
        r, r_update = _m.recall(labels, hits, weights)
        mean = lambda a, b: 2 * a * b / tf.maximum(a + b, 1e-7)  # noqa: E731
        return mean(p, r), mean(p_update, r_update)


def aggregate_metrics(*value_update_tuples):
    values, updates = zip(*value_update_tuples)
    return list(values), list(updates)


def aggregate_metric_map(names_to_tuples):
    names = list(names_to_tuples)
    values, updates = zip(*names_to_tuples.values())
    return dict(zip(names, values)), dict(zip(names, updates))
