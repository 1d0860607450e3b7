"""tf.contrib.lookup: tables between strings and numbers."""

import tensorflow as tf

HashTable = tf.lookup.StaticHashTable
StaticHashTable = tf.lookup.StaticHashTable
KeyValueTensorInitializer = tf.lookup.KeyValueTensorInitializer
TextFileInitializer = tf.lookup.TextFileInitializer
TextFileIndex = tf.lookup.TextFileIndex
StaticVocabularyTable = tf.lookup.StaticVocabularyTable


class _Default:
    """A table with oov buckets, or with a default where there are none."""

    def __new__(cls, initializer, num_oov_buckets, default_value):
        if num_oov_buckets:
            return tf.lookup.StaticVocabularyTable(initializer, num_oov_buckets)
        return tf.lookup.StaticHashTable(initializer, default_value)


def index_table_from_tensor(mapping, num_oov_buckets=0, default_value=-1, hasher_spec=None, dtype=tf.string, name=None):
    mapping = tf.convert_to_tensor(mapping)
    numbers = tf.range(tf.size(mapping, out_type=tf.int64), dtype=tf.int64)
    return _Default(KeyValueTensorInitializer(mapping, numbers), num_oov_buckets, default_value)


def index_table_from_file(vocabulary_file=None, num_oov_buckets=0, vocab_size=None, default_value=-1, hasher_spec=None,
                          key_dtype=tf.string, name=None, **kwargs):
    initializer = TextFileInitializer(vocabulary_file, key_dtype, TextFileIndex.WHOLE_LINE, tf.int64,
                                      TextFileIndex.LINE_NUMBER, vocab_size)
    return _Default(initializer, num_oov_buckets, default_value)


def index_to_string_table_from_tensor(mapping, default_value="UNK", name=None):
    mapping = tf.convert_to_tensor(mapping)
    numbers = tf.range(tf.size(mapping, out_type=tf.int64), dtype=tf.int64)
    return HashTable(KeyValueTensorInitializer(numbers, mapping), default_value)


def index_to_string_table_from_file(vocabulary_file, vocab_size=None, default_value="UNK", name=None, **kwargs):
    return HashTable(TextFileInitializer(vocabulary_file, tf.int64, TextFileIndex.LINE_NUMBER, tf.string,
                                         TextFileIndex.WHOLE_LINE, vocab_size), default_value)


def string_to_index(tensor, mapping, default_value=-1, name=None):
    return index_table_from_tensor(mapping, 0, default_value).lookup(tensor)
