"""tf.contrib.training: hyperparameters and training loops."""

import tensorflow as tf
from tensorflow.contrib.training.hparam import HParams  # noqa: F401


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
