"""tf.contrib.opt: the optimizers that differ in speed, or little, from tf.train's."""

import tensorflow as tf

# It was quicker for embeddings; what it computes differs for rows without a gradient.
LazyAdamOptimizer = tf.train.AdamOptimizer


class MovingAverageOptimizer(tf.train.Optimizer):
    """Keeps moving averages of what another optimizer makes of the variables."""

    def __init__(self, opt, average_decay=0.9999, num_updates=None, sequential_update=True):
        super().__init__(False, "MovingAverage")
        self._opt = opt
        self._ema = tf.train.ExponentialMovingAverage(average_decay, num_updates)

    def compute_gradients(self, *args, **kwargs):
        return self._opt.compute_gradients(*args, **kwargs)

    def apply_gradients(self, grads_and_vars, global_step=None, name=None):
        step = self._opt.apply_gradients(grads_and_vars, global_step, name)
        with tf.control_dependencies([step]):
            return self._ema.apply([v for _, v in grads_and_vars])

    def swapping_saver(self, var_list=None, name="swapping_saver", **kwargs):
        variables = var_list or tf.global_variables()
        return tf.train.Saver({v.op.name: self._ema.average(v) if self._ema.average(v) is not None else v
                               for v in variables}, name=name, **kwargs)
