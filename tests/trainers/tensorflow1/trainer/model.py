import tensorflow as tf
from tensorflow.contrib import layers

CSV_COLUMNS = ['age', 'job', 'income']
CSV_DEFAULTS = [[0], [''], ['']]
JOBS = ['clerk', 'farmer', 'smith']


def columns():
  age = layers.real_valued_column('age')
  job = layers.sparse_column_with_keys('job', JOBS)
  buckets = layers.bucketized_column(age, [25, 40, 60])
  crossed = layers.crossed_column(
      [buckets, layers.sparse_column_with_hash_bucket('job', 20)], hash_bucket_size=100)
  wide = [job, buckets, crossed]
  deep = [age, layers.embedding_column(job, dimension=2)]
  return wide, deep


def build_estimator(config, hidden_units):
  wide, deep = columns()
  return tf.estimator.DNNLinearCombinedClassifier(
      config=config, linear_feature_columns=wide, dnn_feature_columns=deep,
      dnn_hidden_units=hidden_units)


def parse_csv(lines):
  fields = dict(zip(CSV_COLUMNS, tf.decode_csv(tf.expand_dims(lines, -1), CSV_DEFAULTS)))
  label = tf.cast(tf.equal(fields.pop('income'), 'high'), tf.int32)
  return fields, label


def input_fn(filename, batch_size, shuffle=True, num_epochs=None):
  def make():
    dataset = tf.data.TextLineDataset(filename)
    if shuffle:
      dataset = dataset.shuffle(buffer_size=1000)
    dataset = dataset.repeat(num_epochs).batch(batch_size)
    iterator = dataset.map(parse_csv).make_one_shot_iterator()
    return iterator.get_next()
  return make


def serving_input_fn():
  inputs = {
      'age': tf.placeholder(shape=[None], dtype=tf.int32),
      'job': tf.placeholder(shape=[None], dtype=tf.string),
  }
  features = {key: tf.expand_dims(tensor, -1) for key, tensor in inputs.items()}
  return tf.estimator.export.ServingInputReceiver(features, inputs)
