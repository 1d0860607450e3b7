"""tf.contrib.layers: layers, regularizers, feature columns and optimize_loss."""

import functools

import tensorflow as tf
from tensorflow.contrib._arg_scope import add_arg_scope
from tensorflow.contrib._feature_columns import *  # noqa: F401,F403

_l2 = tf.keras.regularizers.l2


def xavier_initializer(uniform=True, seed=None, dtype=tf.float32):
    return tf.variance_scaling_initializer(1.0, "fan_avg", "uniform" if uniform else "untruncated_normal", seed, dtype)


xavier_initializer_conv2d = xavier_initializer


def variance_scaling_initializer(factor=2.0, mode="FAN_IN", uniform=False, seed=None, dtype=tf.float32):
    return tf.variance_scaling_initializer(
        factor, mode.lower(), "uniform" if uniform else "truncated_normal", seed, dtype)


def l1_regularizer(scale, scope=None):
    return lambda w: tf.multiply(scale, tf.reduce_sum(tf.abs(w)), name=scope or "l1_regularizer") if scale else None


def l2_regularizer(scale, scope=None):
    return lambda w: tf.multiply(scale, tf.nn.l2_loss(w), name=scope or "l2_regularizer") if scale else None


def l1_l2_regularizer(scale_l1=1.0, scale_l2=1.0, scope=None):
    return sum_regularizer([l1_regularizer(scale_l1), l2_regularizer(scale_l2)], scope)


def sum_regularizer(regularizer_list, scope=None):
    chosen = [r for r in regularizer_list if r is not None]

    def apply(w):
        parts = [p for p in (r(w) for r in chosen) if p is not None]
        return tf.add_n(parts, name=scope) if parts else None

    return apply if chosen else None


def apply_regularization(regularizer, weights_list=None):
    weights_list = weights_list or tf.get_collection(tf.GraphKeys.WEIGHTS)
    penalties = [p for p in map(regularizer, weights_list) if p is not None] or [tf.constant(0.0)]
    total = tf.add_n(penalties)
    tf.add_to_collection(tf.GraphKeys.REGULARIZATION_LOSSES, total)
    return total


def _finish(outputs, layer_name, activation_fn, normalizer_fn, normalizer_params, outputs_collections):
    if normalizer_fn is not None:
        outputs = normalizer_fn(outputs, **(normalizer_params or {}))
    if activation_fn is not None:
        outputs = activation_fn(outputs)
    for c in _collections(outputs_collections):
        tf.add_to_collection(c, outputs)
    return outputs


def _collections(c):
    return [] if c is None else [c] if isinstance(c, str) else list(c)


def _collect(scope, variables_collections):
    for v in tf.get_collection(tf.GraphKeys.GLOBAL_VARIABLES, scope.name + "/"):
        if v not in tf.get_collection(tf.GraphKeys.MODEL_VARIABLES):
            tf.add_to_collection(tf.GraphKeys.MODEL_VARIABLES, v)
        if not isinstance(variables_collections, dict):
            for c in _collections(variables_collections):
                tf.add_to_collection(c, v)


@add_arg_scope
def fully_connected(inputs, num_outputs, activation_fn=tf.nn.relu, normalizer_fn=None, normalizer_params=None,
                    weights_initializer=xavier_initializer(), weights_regularizer=None,
                    biases_initializer=tf.zeros_initializer(), biases_regularizer=None, reuse=None,
                    variables_collections=None, outputs_collections=None, trainable=True, scope=None):
    with tf.variable_scope(scope, "fully_connected", [inputs], reuse=reuse) as sc:
        weights = tf.get_variable("weights", [inputs.shape[-1], num_outputs], inputs.dtype, weights_initializer,
                                  weights_regularizer, trainable)
        outputs = tf.tensordot(inputs, weights, 1) if inputs.shape.ndims != 2 else tf.matmul(inputs, weights)
        if normalizer_fn is None and biases_initializer is not None:
            biases = tf.get_variable("biases", [num_outputs], inputs.dtype, biases_initializer, biases_regularizer,
                                     trainable)
            outputs = tf.nn.bias_add(outputs, biases)
        outputs = _finish(outputs, sc.name, activation_fn, normalizer_fn, normalizer_params, outputs_collections)
        _collect(sc, variables_collections)
        return outputs


linear = functools.partial(fully_connected, activation_fn=None)
relu = functools.partial(fully_connected, activation_fn=tf.nn.relu)
relu6 = functools.partial(fully_connected, activation_fn=tf.nn.relu6)


@add_arg_scope
def conv2d(inputs, num_outputs, kernel_size, stride=1, padding="SAME", data_format=None, rate=1,
           activation_fn=tf.nn.relu, normalizer_fn=None, normalizer_params=None,
           weights_initializer=xavier_initializer(), weights_regularizer=None,
           biases_initializer=tf.zeros_initializer(), biases_regularizer=None, reuse=None,
           variables_collections=None, outputs_collections=None, trainable=True, scope=None):
    size = [kernel_size] * 2 if isinstance(kernel_size, int) else list(kernel_size)
    channels = 1 if data_format == "NCHW" else -1
    with tf.variable_scope(scope, "Conv", [inputs], reuse=reuse) as sc:
        weights = tf.get_variable("weights", size + [inputs.shape[channels], num_outputs], inputs.dtype,
                                  weights_initializer, weights_regularizer, trainable)
        outputs = tf.nn.convolution(inputs, weights, padding, strides=[stride] * 2 if isinstance(stride, int) else stride,
                                    dilation_rate=[rate] * 2 if isinstance(rate, int) else rate, data_format=data_format)
        if normalizer_fn is None and biases_initializer is not None:
            biases = tf.get_variable("biases", [num_outputs], inputs.dtype, biases_initializer, biases_regularizer,
                                     trainable)
            outputs = tf.nn.bias_add(outputs, biases, data_format=data_format)
        outputs = _finish(outputs, sc.name, activation_fn, normalizer_fn, normalizer_params, outputs_collections)
        _collect(sc, variables_collections)
        return outputs


convolution = convolution2d = conv2d


@add_arg_scope
def max_pool2d(inputs, kernel_size, stride=2, padding="VALID", data_format="NHWC", outputs_collections=None, scope=None):
    order = "channels_first" if data_format == "NCHW" else "channels_last"
    pooled = tf.layers.max_pooling2d(inputs, kernel_size, stride, padding, order, name=scope)
    return _finish(pooled, scope, None, None, None, outputs_collections)


@add_arg_scope
def avg_pool2d(inputs, kernel_size, stride=2, padding="VALID", data_format="NHWC", outputs_collections=None, scope=None):
    order = "channels_first" if data_format == "NCHW" else "channels_last"
    pooled = tf.layers.average_pooling2d(inputs, kernel_size, stride, padding, order, name=scope)
    return _finish(pooled, scope, None, None, None, outputs_collections)


@add_arg_scope
def flatten(inputs, outputs_collections=None, scope=None):
    return _finish(tf.layers.flatten(inputs, name=scope), scope, None, None, None, outputs_collections)


@add_arg_scope
def dropout(inputs, keep_prob=0.5, noise_shape=None, is_training=True, outputs_collections=None, scope=None, seed=None):
    dropped = tf.layers.dropout(inputs, 1 - keep_prob, noise_shape, seed, is_training, name=scope)
    return _finish(dropped, scope, None, None, None, outputs_collections)


@add_arg_scope
def batch_norm(inputs, decay=0.999, center=True, scale=False, epsilon=0.001, activation_fn=None, is_training=True,
               reuse=None, outputs_collections=None, trainable=True, data_format="NHWC", scope=None,
               updates_collections=tf.GraphKeys.UPDATE_OPS, **kwargs):
    with tf.variable_scope(scope, "BatchNorm", [inputs], reuse=reuse) as sc:
        before = set(tf.get_collection(tf.GraphKeys.UPDATE_OPS))
        outputs = tf.layers.batch_normalization(
            inputs, 1 if data_format == "NCHW" else -1, decay, epsilon, center, scale, training=is_training,
            trainable=trainable, name="norm")
        if updates_collections is None:
            updates = [u for u in tf.get_collection(tf.GraphKeys.UPDATE_OPS) if u not in before]
            with tf.control_dependencies(updates):
                outputs = tf.identity(outputs)
        return _finish(outputs, sc.name, activation_fn, None, None, outputs_collections)


@add_arg_scope
def layer_norm(inputs, center=True, scale=True, activation_fn=None, reuse=None, begin_norm_axis=1, trainable=True,
               scope=None, **kwargs):
    with tf.variable_scope(scope, "LayerNorm", [inputs], reuse=reuse):
        axes = list(range(begin_norm_axis, inputs.shape.ndims))
        shape = inputs.shape[-1:]
        mean, variance = tf.nn.moments(inputs, axes, keep_dims=True)
        beta = tf.get_variable("beta", shape, initializer=tf.zeros_initializer(), trainable=trainable) if center else None
        gamma = tf.get_variable("gamma", shape, initializer=tf.ones_initializer(), trainable=trainable) if scale else None
        outputs = tf.nn.batch_normalization(inputs, mean, variance, beta, gamma, 1e-12)
        return activation_fn(outputs) if activation_fn else outputs


def one_hot_encoding(labels, num_classes, on_value=1.0, off_value=0.0, outputs_collections=None, scope=None):
    return tf.one_hot(labels, num_classes, on_value, off_value, name=scope)


def embed_sequence(ids, vocab_size=None, embed_dim=None, unique=False, initializer=None, regularizer=None,
                   trainable=True, scope=None, reuse=None):
    with tf.variable_scope(scope, "EmbedSequence", [ids], reuse=reuse):
        embeddings = tf.get_variable("embeddings", [vocab_size, embed_dim], initializer=initializer,
                                     regularizer=regularizer, trainable=trainable)
        return tf.nn.embedding_lookup(embeddings, ids)


def bow_encoder(ids, vocab_size, embed_dim, sparse_lookup=True, initializer=None, regularizer=None, trainable=True,
                scope=None, reuse=None):
    with tf.variable_scope(scope, "bow_encoder", [ids], reuse=reuse):
        return tf.reduce_mean(embed_sequence(ids, vocab_size, embed_dim, False, initializer, regularizer, trainable), 1)


def stack(inputs, layer, stack_args, **kwargs):
    """Applies a layer again and again, with one of stack_args each time."""
    scope = kwargs.pop("scope", None)
    with tf.variable_scope(scope, "Stack", [inputs]):
        for i, args in enumerate(stack_args, 1):
            name = getattr(layer, "__name__", "layer")
            inputs = layer(inputs, *(args if isinstance(args, (list, tuple)) else [args]),
                           scope="%s_%d" % (name, i), **kwargs)
        return inputs


def repeat(inputs, repetitions, layer, *args, **kwargs):
    """Applies a layer a number of times."""
    scope = kwargs.pop("scope", None)
    with tf.variable_scope(scope, "Repeat", [inputs]):
        for i in range(repetitions):
            inputs = layer(inputs, *args, scope="%s_%d" % (scope or getattr(layer, "__name__", "layer"), i + 1), **kwargs)
        return inputs


def summarize_tensor(tensor, tag=None):
    tag = tag or tensor.op.name
    return tf.summary.scalar(tag, tensor) if tensor.shape.ndims == 0 else tf.summary.histogram(tag, tensor)


summarize_activation = summarize_tensor


def summarize_tensors(tensors, summarizer=summarize_tensor):
    return [summarizer(t) for t in tensors]


def summarize_collection(collection, name_filter=None, summarizer=summarize_tensor):
    return summarize_tensors(tf.get_collection(collection, name_filter), summarizer)


OPTIMIZER_CLS_NAMES = {
    "Adagrad": tf.train.AdagradOptimizer,
    "Adam": tf.train.AdamOptimizer,
    "Ftrl": tf.train.FtrlOptimizer,
    "Momentum": functools.partial(tf.train.MomentumOptimizer, momentum=0.9),
    "RMSProp": tf.train.RMSPropOptimizer,
    "SGD": tf.train.GradientDescentOptimizer,
}
OPTIMIZER_SUMMARIES = ["learning_rate", "loss", "gradients", "gradient_norm"]


def optimize_loss(loss, global_step, learning_rate, optimizer, gradient_noise_scale=None, gradient_multipliers=None,
                  clip_gradients=None, learning_rate_decay_fn=None, update_ops=None, variables=None, name=None,
                  summaries=None, colocate_gradients_with_ops=False, increment_global_step=True):
    """Gives an operation that takes one step and then gives the loss."""
    with tf.variable_scope(name, "OptimizeLoss", [loss, global_step]):
        if global_step is None:
            global_step = tf.train.get_or_create_global_step()
        rate = None if learning_rate is None else tf.convert_to_tensor(learning_rate, name="learning_rate")
        if rate is not None and learning_rate_decay_fn is not None:
            rate = learning_rate_decay_fn(rate, global_step)
        opt = _optimizer(optimizer, rate)
        updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS) if update_ops is None else list(update_ops)
        with tf.control_dependencies(updates):
            loss = tf.identity(loss)
        gradients = opt.compute_gradients(loss, variables or tf.trainable_variables(),
                                          colocate_gradients_with_ops=colocate_gradients_with_ops)
        if gradient_multipliers:
            gradients = [(g * gradient_multipliers.get(v, gradient_multipliers.get(v.name, 1.0)), v)
                         for g, v in gradients if g is not None]
        if callable(clip_gradients):
            gradients = clip_gradients(gradients)
        elif clip_gradients is not None:
            kept = [(g, v) for g, v in gradients if g is not None]
            clipped, _ = tf.clip_by_global_norm([g for g, _ in kept], clip_gradients)
            gradients = list(zip(clipped, [v for _, v in kept]))
        for what, value in (("loss", loss), ("learning_rate", rate)):
            if value is not None and what in (OPTIMIZER_SUMMARIES if summaries is None else summaries):
                tf.summary.scalar(what, value)
        step = opt.apply_gradients(gradients, global_step if increment_global_step else None, name="train")
        with tf.control_dependencies([step]):
            return tf.identity(loss, name="loss")


def _optimizer(optimizer, rate):
    if isinstance(optimizer, str):
        return OPTIMIZER_CLS_NAMES[optimizer](learning_rate=rate)
    if isinstance(optimizer, type):
        return optimizer(learning_rate=rate)
    if callable(optimizer) and not isinstance(optimizer, tf.train.Optimizer):
        return optimizer() if rate is None else optimizer(rate)
    return optimizer
