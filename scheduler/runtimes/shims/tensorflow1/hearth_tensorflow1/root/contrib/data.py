"""tf.contrib.data, which became tf.data.experimental."""

import tensorflow as tf
from tensorflow.compat.v1.data.experimental import *  # noqa: F401,F403

Dataset, Iterator, TextLineDataset = tf.data.Dataset, tf.data.Iterator, tf.data.TextLineDataset
TFRecordDataset, FixedLengthRecordDataset = tf.data.TFRecordDataset, tf.data.FixedLengthRecordDataset


def batch_and_drop_remainder(batch_size):
    return lambda dataset: dataset.batch(batch_size, drop_remainder=True)


def padded_batch_and_drop_remainder(batch_size, padded_shapes, padding_values=None):
    return lambda dataset: dataset.padded_batch(batch_size, padded_shapes, padding_values, drop_remainder=True)


def read_batch_features(file_pattern, batch_size, features, reader=tf.data.TFRecordDataset, reader_args=None,
                        randomize_input=True, num_epochs=None, capacity=10000):
    dataset = tf.data.experimental.make_batched_features_dataset(
        file_pattern, batch_size, features, reader, reader_args=reader_args, num_epochs=num_epochs,
        shuffle=randomize_input, shuffle_buffer_size=capacity)
    return dataset.make_one_shot_iterator().get_next()
