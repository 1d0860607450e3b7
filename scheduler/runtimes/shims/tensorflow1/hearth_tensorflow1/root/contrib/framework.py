"""tf.contrib.framework: variables, checkpoints and arg_scope."""

import tensorflow as tf
from tensorflow.contrib._arg_scope import add_arg_scope, arg_scope, arg_scoped_arguments, has_arg_scope  # noqa: F401

nest = tf.nest
is_tensor = tf.is_tensor
list_variables = tf.train.list_variables
load_variable = tf.train.load_variable
load_checkpoint = tf.train.load_checkpoint
init_from_checkpoint = tf.train.init_from_checkpoint
get_global_step = tf.train.get_global_step
get_or_create_global_step = tf.train.get_or_create_global_step
create_global_step = tf.train.create_global_step
assert_global_step = tf.train.assert_global_step
assert_same_float_dtype = tf.debugging.assert_same_float_dtype
assert_scalar = tf.debugging.assert_scalar


@add_arg_scope
def variable(name, shape=None, dtype=tf.float32, initializer=None, regularizer=None, trainable=True,
             collections=None, caching_device=None, device=None, partitioner=None, custom_getter=None,
             use_resource=None, **kwargs):
    """Gets a variable, as tf.get_variable does."""
    with tf.device(device):
        return tf.get_variable(name, shape, dtype, initializer, regularizer, trainable, collections,
                               caching_device, partitioner, custom_getter=custom_getter, use_resource=use_resource)


@add_arg_scope
def model_variable(name, shape=None, dtype=tf.float32, collections=None, **kwargs):
    """Gets a variable of the collection MODEL_VARIABLES."""
    collections = list(collections or []) + [tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.MODEL_VARIABLES]
    return variable(name, shape, dtype, collections=collections, **kwargs)


def add_model_variable(var):
    if var not in tf.get_collection(tf.GraphKeys.MODEL_VARIABLES):
        tf.add_to_collection(tf.GraphKeys.MODEL_VARIABLES, var)


def get_variables(scope=None, suffix=None, collection=tf.GraphKeys.GLOBAL_VARIABLES):
    scope = getattr(scope, "name", scope)
    found = tf.get_collection(collection, scope)
    return [v for v in found if suffix is None or v.op.name.endswith(suffix)]


def get_model_variables(scope=None, suffix=None):
    return get_variables(scope, suffix, tf.GraphKeys.MODEL_VARIABLES)


def get_trainable_variables(scope=None, suffix=None):
    return get_variables(scope, suffix, tf.GraphKeys.TRAINABLE_VARIABLES)


def get_local_variables(scope=None, suffix=None):
    return get_variables(scope, suffix, tf.GraphKeys.LOCAL_VARIABLES)


def get_variables_to_restore(include=None, exclude=None):
    found = [v for scope in include or [None] for v in get_variables(scope)]
    left_out = {v.op.name for scope in exclude or [] for v in get_variables(scope)}
    return [v for v in found if v.op.name not in left_out]


def get_variables_by_name(given_name, scope=None):
    return [v for v in get_variables(scope) if v.op.name == given_name or v.op.name.endswith("/" + given_name)]


def get_unique_variable(var_op_name):
    found = [v for v in get_variables() if v.op.name == var_op_name]
    if len(found) != 1:
        raise ValueError("%d variables are named %s" % (len(found), var_op_name))
    return found[0]


def assign_from_checkpoint_fn(model_path, var_list, ignore_missing_vars=False, reshape_variables=False):
    """Gives a function that restores variables in a session."""
    if not isinstance(var_list, dict):
        var_list = {v.op.name: v for v in var_list}
    if ignore_missing_vars:
        there = tf.train.load_checkpoint(model_path).get_variable_to_shape_map()
        var_list = {name: v for name, v in var_list.items() if name in there}
    saver = tf.train.Saver(var_list, reshape=reshape_variables)
    return lambda session: saver.restore(session, model_path)


def sort(values, axis=-1, direction="ASCENDING", name=None):
    return tf.sort(values, axis, direction, name)


def argsort(values, axis=-1, direction="ASCENDING", stable=False, name=None):
    return tf.argsort(values, axis, direction, stable, name)
