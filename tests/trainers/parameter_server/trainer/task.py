"""Trains a line with ParameterServerStrategy: the chief coordinates."""

import argparse
import os

import tensorflow as tf


def serve(resolver):
    """What workers and parameter servers do, until they are ended."""
    server = tf.distribute.Server(resolver.cluster_spec(), job_name=resolver.task_type, task_index=resolver.task_id,
                                  protocol="grpc", start=True)
    print(resolver.task_type, resolver.task_id, "serves", flush=True)
    server.join()


def coordinate(resolver, args):
    strategy = tf.distribute.ParameterServerStrategy(
        resolver, variable_partitioner=tf.distribute.experimental.partitioners.FixedShardsPartitioner(1))
    coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
    with strategy.scope():
        slope, intercept = tf.Variable(0.0), tf.Variable(0.0)

    def make_data():
        x = tf.random.uniform([1024])
        return tf.data.Dataset.from_tensor_slices((x, 3.0 * x + 1.0)).repeat().batch(64)

    @tf.function
    def step(batches):
        x, y = next(batches)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(slope * x + intercept - y))
        for variable, gradient in zip([slope, intercept], tape.gradient(loss, [slope, intercept])):
            variable.assign_sub(0.2 * gradient)
        return loss

    batches = iter(coordinator.create_per_worker_dataset(tf.function(make_data)))
    for epoch in range(args.epochs):
        losses = [coordinator.schedule(step, args=(batches,)) for _ in range(50)]
        coordinator.join()
        print("epoch", epoch, "loss", float(losses[-1].fetch()), flush=True)
    path = tf.train.Checkpoint(slope=slope, intercept=intercept).write(os.path.join(args.job_dir, "model", "line"))
    print("y = %.2f x + %.2f in %s" % (slope.numpy(), intercept.numpy(), path), flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--job-dir", required=True)
    parser.add_argument("--epochs", type=int, default=6)
    args = parser.parse_args()
    resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    if resolver.task_type in ("worker", "ps"):
        serve(resolver)
    else:
        coordinate(resolver, args)


if __name__ == "__main__":
    main()
