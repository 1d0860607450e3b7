"""Trains a canned estimator, alone or in a cluster, and exports it."""

import argparse
import json
import os

import numpy as np
import tensorflow as tf

FEATURES = ["length", "width"]


def made_up_flowers(n, seed):
    values = np.random.RandomState(seed).rand(n, 2).astype("float32")
    return dict(zip(FEATURES, values.T)), (values[:, 0] > values[:, 1]).astype("int32")


def input_fn(seed, batch_size, epochs):
    def make():
        data = tf.data.Dataset.from_tensor_slices(made_up_flowers(512, seed))
        return data.shuffle(512).repeat(epochs).batch(batch_size)

    return make


def serving_input_fn():
    features = {name: tf.compat.v1.placeholder(tf.float32, [None], name) for name in FEATURES}
    return tf.estimator.export.ServingInputReceiver(features, features)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--job-dir", required=True)
    parser.add_argument("--train-steps", type=int, default=200)
    parser.add_argument("--batch-size", type=int, default=32)
    args = parser.parse_args()

    tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.INFO)
    task = json.loads(os.environ.get("TF_CONFIG", "{}")).get("task", {})
    print("I am", task.get("type", "alone"), task.get("index", 0), flush=True)

    columns = [tf.feature_column.numeric_column(name) for name in FEATURES]
    config = tf.estimator.RunConfig(model_dir=args.job_dir, save_checkpoints_steps=100)
    estimator = tf.estimator.DNNClassifier([8], columns, config=config)
    exporter = tf.estimator.LatestExporter("flowers", serving_input_fn)
    tf.estimator.train_and_evaluate(
        estimator,
        tf.estimator.TrainSpec(input_fn(1, args.batch_size, None), max_steps=args.train_steps),
        tf.estimator.EvalSpec(input_fn(2, 64, 1), steps=4, exporters=exporter, start_delay_secs=0, throttle_secs=1))


if __name__ == "__main__":
    main()
