"""tf.contrib.losses, in the order of arguments that it had: predictions first."""

import tensorflow as tf

_l = tf.losses
add_loss = _l.add_loss
get_losses = _l.get_losses
get_regularization_losses = _l.get_regularization_losses
get_total_loss = _l.get_total_loss


def _turned(loss):
    return lambda predictions, labels=None, weights=1.0, scope=None, **more: loss(
        labels, predictions, weights=weights, scope=scope, **more)


absolute_difference = _turned(_l.absolute_difference)
log_loss = _turned(_l.log_loss)
hinge_loss = _turned(_l.hinge_loss)
mean_squared_error = _turned(_l.mean_squared_error)
softmax_cross_entropy = _turned(_l.softmax_cross_entropy)
sparse_softmax_cross_entropy = _turned(_l.sparse_softmax_cross_entropy)
sigmoid_cross_entropy = _turned(_l.sigmoid_cross_entropy)
