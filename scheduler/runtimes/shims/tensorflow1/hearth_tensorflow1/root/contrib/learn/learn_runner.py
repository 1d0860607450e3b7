"""tf.contrib.learn.learn_runner: runs an experiment as its task says."""

import tensorflow as tf


def run(experiment_fn, output_dir=None, schedule=None, run_config=None, hparams=None):
    """Makes the experiment and runs it: all of it, or what schedule names."""
    if run_config is not None:
        if output_dir is not None:
            run_config = run_config.replace(model_dir=output_dir)
        experiment = experiment_fn(run_config, hparams)
    else:
        experiment = experiment_fn(output_dir)
    return getattr(experiment, schedule or "train_and_evaluate")()


def tune(experiment_fn, tuner):
    raise NotImplementedError("learn_runner.tune is not part of this runtime (TensorFlow %s)" % tf.__version__)
