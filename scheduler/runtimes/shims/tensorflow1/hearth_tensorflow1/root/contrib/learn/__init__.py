"""tf.contrib.learn: experiments, and the estimators that became tf.estimator's."""

import numpy as np
import tensorflow as tf
from tensorflow.contrib.learn import learn_runner, utils  # noqa: F401
from tensorflow.contrib.learn.export_strategy import ExportStrategy, make_export_strategy  # noqa: F401

Estimator = tf.estimator.Estimator
ModeKeys = tf.estimator.ModeKeys
DNNClassifier = tf.estimator.DNNClassifier
DNNRegressor = tf.estimator.DNNRegressor
LinearClassifier = tf.estimator.LinearClassifier
LinearRegressor = tf.estimator.LinearRegressor
DNNLinearCombinedClassifier = tf.estimator.DNNLinearCombinedClassifier
DNNLinearCombinedRegressor = tf.estimator.DNNLinearCombinedRegressor


class RunConfig(tf.estimator.RunConfig):
    """tf.estimator's, with the arguments that this one had beside them."""

    def __init__(self, master=None, num_cores=0, log_device_placement=False, gpu_memory_fraction=1,
                 tf_random_seed=None, save_summary_steps=100, save_checkpoints_secs=None, save_checkpoints_steps=None,
                 keep_checkpoint_max=5, keep_checkpoint_every_n_hours=10000, log_step_count_steps=100,
                 evaluation_master="", model_dir=None, session_config=None, **kwargs):
        if session_config is None and (num_cores or log_device_placement or gpu_memory_fraction != 1):
            session_config = tf.ConfigProto(
                log_device_placement=log_device_placement, inter_op_parallelism_threads=num_cores,
                intra_op_parallelism_threads=num_cores,
                gpu_options=tf.GPUOptions(per_process_gpu_memory_fraction=gpu_memory_fraction))
        every = {}
        if save_checkpoints_steps is not None:
            every["save_checkpoints_steps"] = save_checkpoints_steps
        elif save_checkpoints_secs is not None:
            every["save_checkpoints_secs"] = save_checkpoints_secs
        super().__init__(model_dir=model_dir, tf_random_seed=tf_random_seed, save_summary_steps=save_summary_steps,
                         session_config=session_config, keep_checkpoint_max=keep_checkpoint_max,
                         keep_checkpoint_every_n_hours=keep_checkpoint_every_n_hours,
                         log_step_count_steps=log_step_count_steps, **every)


class Experiment:
    """An estimator with the data to train and to evaluate it."""

    def __init__(self, estimator, train_input_fn, eval_input_fn, eval_metrics=None, train_steps=None, eval_steps=100,
                 train_monitors=None, eval_hooks=None, eval_delay_secs=120, min_eval_frequency=None,
                 export_strategies=None, train_steps_per_iteration=None, **kwargs):
        self.estimator = estimator
        self.train_steps, self.eval_steps = train_steps, eval_steps
        self._train_input_fn, self._eval_input_fn = train_input_fn, eval_input_fn
        self._train_hooks, self._eval_hooks = train_monitors or [], eval_hooks or []
        self._delay = eval_delay_secs
        if isinstance(export_strategies, ExportStrategy):
            export_strategies = [export_strategies]
        self.export_strategies = list(export_strategies or [])

    def train(self, delay_secs=None):
        return self.estimator.train(self._train_input_fn, hooks=self._train_hooks, max_steps=self.train_steps)

    def evaluate(self, delay_secs=None, name=None):
        return self.estimator.evaluate(self._eval_input_fn, self.eval_steps, self._eval_hooks, name=name)

    def train_and_evaluate(self):
        exporters = [s.exporter() for s in self.export_strategies]
        train = tf.estimator.TrainSpec(self._train_input_fn, self.train_steps, self._train_hooks)
        evaluate = tf.estimator.EvalSpec(self._eval_input_fn, self.eval_steps, hooks=self._eval_hooks,
                                         exporters=exporters, start_delay_secs=self._delay)
        return tf.estimator.train_and_evaluate(self.estimator, train, evaluate)

    def run_std_server(self):
        return tf.estimator.train_and_evaluate(
            self.estimator, tf.estimator.TrainSpec(self._train_input_fn, self.train_steps),
            tf.estimator.EvalSpec(self._eval_input_fn, self.eval_steps))

    def test(self):
        self.estimator.train(self._train_input_fn, steps=1)
        return self.estimator.evaluate(self._eval_input_fn, 1, name="one_pass")

    def extend_train_hooks(self, additional_hooks):
        self._train_hooks.extend(additional_hooks)


def infer_real_valued_columns_from_input(x):
    """Gives a column for the features of a NumPy array, named as the estimators of the time did."""
    x = np.asarray(x)
    return [tf.feature_column.numeric_column("", shape=(x.shape[1] if x.ndim > 1 else 1,))]


def read_batch_examples(file_pattern, batch_size, reader, randomize_input=True, num_epochs=None, queue_capacity=10000,
                        num_threads=1, read_batch_size=1, parse_fn=None, name=None, seed=None):
    files = tf.train.string_input_producer(tf.gfile.Glob(file_pattern), num_epochs, randomize_input, seed)
    _, values = reader().read_up_to(files, read_batch_size)
    values = values if parse_fn is None else parse_fn(values)
    batch = tf.train.shuffle_batch if randomize_input else tf.train.batch
    more = {"min_after_dequeue": batch_size * 4, "seed": seed} if randomize_input else {}
    return batch([values], batch_size, num_threads=num_threads, capacity=max(queue_capacity, batch_size * 8),
                 enqueue_many=True, allow_smaller_final_batch=num_epochs is not None, **more)

