"""Trains a line with MultiWorkerMirroredStrategy; the chief keeps the model."""

import argparse
import os
import tempfile

import tensorflow as tf


def is_chief(resolver):
    if resolver.task_type == "worker" and "chief" not in resolver.cluster_spec().as_dict():
        return resolver.task_id == 0
    return resolver.task_type != "worker"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--job-dir", required=True)
    parser.add_argument("--steps", type=int, default=100)
    args = parser.parse_args()

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    resolver = strategy.cluster_resolver
    print("replicas in sync:", strategy.num_replicas_in_sync, flush=True)

    with strategy.scope():
        slope = tf.Variable(0.0)
        intercept = tf.Variable(0.0)

    def make_data(context):
        x = tf.random.stateless_uniform([1024], seed=[7, context.input_pipeline_id])
        data = tf.data.Dataset.from_tensor_slices((x, 3.0 * x + 1.0))
        return data.repeat().batch(context.get_per_replica_batch_size(32 * context.num_replicas_in_sync))

    batches = iter(strategy.distribute_datasets_from_function(make_data))

    def train_step(x, y):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(slope * x + intercept - y)) / strategy.num_replicas_in_sync
        gradients = tape.gradient(loss, [slope, intercept])
        context = tf.distribute.get_replica_context()
        for variable, gradient in zip([slope, intercept], context.all_reduce("sum", gradients)):
            variable.assign_sub(0.5 * gradient)
        return loss

    @tf.function
    def step(batch):
        return strategy.reduce("sum", strategy.run(train_step, args=batch), axis=None)

    for i in range(args.steps):
        loss = step(next(batches))
        if i % 20 == 0:
            print("step", i, "loss", float(loss), flush=True)

    model = tf.train.Checkpoint(slope=slope, intercept=intercept)
    # All take part in saving, and only the chief's copy stays.
    path = args.job_dir if is_chief(resolver) else tempfile.mkdtemp()
    model.write(os.path.join(path, "model", "line"))
    print("y = %.2f x + %.2f" % (slope.numpy(), intercept.numpy()), flush=True)


if __name__ == "__main__":
    main()
