"""tf.contrib.layers' feature columns, as those of tf.feature_column."""

import tensorflow as tf

_fc = tf.feature_column


def real_valued_column(column_name, dimension=1, default_value=None, dtype=tf.float32, normalizer=None):
    return _fc.numeric_column(column_name, shape=(dimension,), default_value=default_value, dtype=dtype,
                              normalizer_fn=normalizer)


def sparse_column_with_hash_bucket(column_name, hash_bucket_size, combiner=None, dtype=tf.string, hash_keys=None):
    return _fc.categorical_column_with_hash_bucket(column_name, hash_bucket_size, dtype)


def sparse_column_with_keys(column_name, keys, default_value=-1, combiner=None, dtype=tf.string):
    return _fc.categorical_column_with_vocabulary_list(column_name, keys, dtype, default_value)


def sparse_column_with_vocabulary_file(column_name, vocabulary_file, num_oov_buckets=0, vocab_size=None,
                                       default_value=-1, combiner=None, dtype=tf.string):
    return _fc.categorical_column_with_vocabulary_file(
        column_name, vocabulary_file, vocab_size, num_oov_buckets, None if num_oov_buckets else default_value, dtype)


def sparse_column_with_integerized_feature(column_name, bucket_size, combiner=None, dtype=tf.int64):
    return _fc.categorical_column_with_identity(column_name, bucket_size)


def weighted_sparse_column(sparse_id_column, weight_column_name, dtype=tf.float32):
    return _fc.weighted_categorical_column(sparse_id_column, weight_column_name, dtype)


def bucketized_column(source_column, boundaries):
    return _fc.bucketized_column(source_column, list(boundaries))


def crossed_column(columns, hash_bucket_size, combiner=None, **kwargs):
    # What a column was made from is crossed by its name.
    keys = [getattr(c, "key", c) if type(c).__name__.startswith("HashedCategorical") else c for c in columns]
    return _fc.crossed_column(keys, hash_bucket_size)


def one_hot_column(sparse_id_column):
    return _fc.indicator_column(sparse_id_column)


def embedding_column(sparse_id_column, dimension, combiner="mean", initializer=None, ckpt_to_load_from=None,
                     tensor_name_in_ckpt=None, max_norm=None, trainable=True):
    return _fc.embedding_column(sparse_id_column, dimension, combiner, initializer, ckpt_to_load_from,
                                tensor_name_in_ckpt, max_norm, trainable)


def create_feature_spec_for_parsing(feature_columns):
    return _fc.make_parse_example_spec(feature_columns)


def input_from_feature_columns(columns_to_tensors, feature_columns, weight_collections=None, trainable=True, scope=None):
    with tf.variable_scope(scope, "input_from_feature_columns"):
        return _fc.input_layer(columns_to_tensors, feature_columns, weight_collections, trainable)


def parse_feature_columns_from_examples(serialized, feature_columns, name=None, example_names=None):
    return tf.parse_example(serialized, create_feature_spec_for_parsing(feature_columns), name, example_names)
