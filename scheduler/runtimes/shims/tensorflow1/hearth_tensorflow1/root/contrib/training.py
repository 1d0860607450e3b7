"""tf.contrib.training: HParams and loops."""

import json
import numbers

import tensorflow as tf


class HParams:
    """Named hyperparameters, as attributes."""

    def __init__(self, hparam_def=None, model_structure=None, **kwargs):
        self._names = []
        for name, value in kwargs.items():
            self.add_hparam(name, value)

    def add_hparam(self, name, value):
        if getattr(self, name, None) is not None:
            raise ValueError("Hyperparameter name is reserved: %s" % name)
        if isinstance(value, (list, tuple)) and not value:
            raise ValueError("Multi-valued hyperparameters cannot be empty: %s" % name)
        self._names.append(name)
        setattr(self, name, list(value) if isinstance(value, tuple) else value)

    def set_hparam(self, name, value):
        old = getattr(self, name)
        if isinstance(old, list) != isinstance(value, (list, tuple)):
            raise ValueError("Must pass a %s for %s" % ("list" if isinstance(old, list) else "single value", name))
        setattr(self, name, [_as(o, v) for o, v in zip([old[0]] * len(value), value)]
                if isinstance(old, list) else _as(old, value))

    def del_hparam(self, name):
        if name in self._names:
            self._names.remove(name)
            delattr(self, name)

    def override_from_dict(self, values_dict):
        for name, value in values_dict.items():
            self.set_hparam(name, value)
        return self

    def parse(self, values):
        """Reads "name=value,other=[1,2]"."""
        rest = values.strip()
        while rest:
            name, _, rest = rest.partition("=")
            name = name.strip()
            if name not in self._names:
                raise ValueError("Unknown hyperparameter: %s" % name)
            if rest.startswith("["):
                value, _, rest = rest[1:].partition("]")
                self.set_hparam(name, [v.strip() for v in value.split(",")])
                rest = rest.lstrip().lstrip(",")
            else:
                value, _, rest = rest.partition(",")
                self.set_hparam(name, value.strip())
        return self

    def parse_json(self, values_json):
        return self.override_from_dict(json.loads(values_json))

    def values(self):
        return {name: getattr(self, name) for name in self._names}

    def to_json(self, indent=None, separators=None, sort_keys=False):
        return json.dumps(self.values(), indent=indent, separators=separators, sort_keys=sort_keys)

    def get(self, key, default=None):
        return getattr(self, key) if key in self._names else default

    def __contains__(self, key):
        return key in self._names

    def __str__(self):
        return str(sorted(self.values().items()))

    __repr__ = __str__


def _as(old, value):
    if isinstance(old, bool):
        if isinstance(value, str) and value.lower() not in ("true", "false", "0", "1"):
            raise ValueError("Could not cast hparam of type bool from %r" % value)
        return value.lower() in ("true", "1") if isinstance(value, str) else bool(value)
    if old is None or isinstance(old, str) or not isinstance(old, numbers.Number):
        return value
    if isinstance(old, numbers.Integral) and float(value) != int(float(value)):
        raise ValueError("Must pass an integer, not %r" % value)
    return type(old)(float(value)) if isinstance(old, numbers.Integral) else type(old)(value)


def create_train_op(total_loss, optimizer, global_step=0, update_ops=None, variables_to_train=None,
                    transform_grads_fn=None, summarize_gradients=False, **kwargs):
    """Gives an operation that takes one step and then gives the loss."""
    if isinstance(global_step, int) and global_step == 0:
        global_step = tf.train.get_or_create_global_step()
    updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS) if update_ops is None else list(update_ops)
    with tf.control_dependencies(updates):
        total_loss = tf.identity(total_loss)
    gradients = optimizer.compute_gradients(total_loss, variables_to_train or tf.trainable_variables())
    if transform_grads_fn:
        gradients = transform_grads_fn(gradients)
    with tf.control_dependencies([optimizer.apply_gradients(gradients, global_step)]):
        return tf.identity(total_loss, name="train_op")


def train(train_op, logdir, master="", is_chief=True, scaffold=None, hooks=None, chief_only_hooks=None,
          save_checkpoint_secs=600, save_summaries_steps=100, config=None, max_wait_secs=7200):
    """Runs train_op until a hook says that it is enough."""
    with tf.train.MonitoredTrainingSession(
            master, is_chief, logdir, scaffold, hooks, chief_only_hooks, save_checkpoint_secs, save_summaries_steps,
            config=config, max_wait_secs=max_wait_secs) as session:
        loss = None
        while not session.should_stop():
            loss = session.run(train_op)
        return loss


def clip_gradient_norms(gradients_to_variables, max_norm):
    return [(g if g is None else tf.clip_by_norm(g, max_norm), v) for g, v in gradients_to_variables]


def clip_gradient_norms_fn(max_norm):
    return lambda gradients: clip_gradient_norms(gradients, max_norm)


checkpoints_iterator = tf.train.checkpoints_iterator
