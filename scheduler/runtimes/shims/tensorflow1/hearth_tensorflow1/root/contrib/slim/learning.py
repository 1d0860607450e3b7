"""tf.contrib.slim.learning: the training loop."""

import tensorflow as tf
from tensorflow.contrib.training import clip_gradient_norms, create_train_op  # noqa: F401


def train(train_op, logdir, master="", is_chief=True, global_step=None, number_of_steps=None, init_op=None,
          init_fn=None, save_summaries_secs=600, save_interval_secs=600, session_config=None, log_every_n_steps=1,
          saver=None, **kwargs):
    """Trains until number_of_steps, with checkpoints in logdir, and gives the last loss."""
    global_step = global_step if global_step is not None else tf.train.get_or_create_global_step()
    hooks = [tf.train.StopAtStepHook(last_step=number_of_steps)] if number_of_steps else []
    hooks.append(tf.train.LoggingTensorHook({"step": global_step}, every_n_iter=max(1, log_every_n_steps)))
    scaffold = tf.train.Scaffold(init_op=init_op, saver=saver,
                                 init_fn=(lambda _, session: init_fn(session)) if init_fn else None)
    loss = None
    with tf.train.MonitoredTrainingSession(
            master, is_chief, logdir, scaffold, hooks, save_checkpoint_secs=save_interval_secs,
            save_summaries_steps=None, save_summaries_secs=save_summaries_secs, config=session_config) as session:
        while not session.should_stop():
            loss = session.run(train_op)
    return loss
