import os
import random

import tensorflow as tf
from sklearn.externals import joblib
from tensorflow.contrib.learn.python.learn import learn_runner
from tensorflow.contrib.training.python.training import hparam
from tensorflow.python.lib.io import file_io

from trainer import model

FLAGS = tf.app.flags.FLAGS
tf.app.flags.DEFINE_string('job-dir', None, 'Where the model goes')
tf.app.flags.DEFINE_integer('train_steps', 100, 'Steps to train')
tf.app.flags.DEFINE_string('log_level', 'INFO', 'How much to log')


def write_data(path):
  random.seed(1)
  with file_io.FileIO(path, 'w') as f:
    for _ in range(500):
      age = random.randint(18, 80)
      f.write('%d,%s,%s\n' % (age, random.choice(model.JOBS), 'high' if age > 40 else 'low'))


def check_with_session(path):
  """Counts the lines as programs did before there were datasets."""
  with tf.Graph().as_default():
    queue = tf.train.string_input_producer([path], num_epochs=1)
    _, line = tf.TextLineReader().read(queue)
    count = tf.get_variable('count', shape=[], initializer=tf.zeros_initializer(), trainable=False)
    with tf.control_dependencies([line]):
      step = tf.assign_add(count, 1.0)
    with tf.Session() as sess:
      sess.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
      coordinator = tf.train.Coordinator()
      threads = tf.train.start_queue_runners(sess=sess, coord=coordinator)
      try:
        while not coordinator.should_stop():
          sess.run(step)
      except tf.errors.OutOfRangeError:
        pass
      coordinator.request_stop()
      coordinator.join(threads)
      return int(sess.run(count))


def main(_):
  tf.logging.set_verbosity(getattr(tf.logging, FLAGS.log_level))
  job_dir = getattr(FLAGS, 'job-dir')
  data = os.path.join(job_dir, 'data.csv')
  write_data(data)
  tf.logging.info('TensorFlow %s reads %d lines', tf.__version__, check_with_session(data))
  params = hparam.HParams(hidden_units=[8, 4], learning_rate=0.1)

  def experiment_fn(run_config, hparams):
    return tf.contrib.learn.Experiment(
        model.build_estimator(run_config, hparams.hidden_units),
        train_input_fn=model.input_fn(data, 32),
        eval_input_fn=model.input_fn(data, 100, shuffle=False, num_epochs=1),
        train_steps=FLAGS.train_steps,
        eval_steps=5,
        eval_delay_secs=0,
        export_strategies=[tf.contrib.learn.make_export_strategy(model.serving_input_fn)])

  learn_runner.run(
      experiment_fn, hparams=params,
      run_config=tf.contrib.learn.RunConfig(model_dir=os.path.join(job_dir, 'census')))
  joblib.dump(params.values(), 'params.joblib')
  with file_io.FileIO('params.joblib', 'rb') as source:
    with file_io.FileIO(os.path.join(job_dir, 'params.joblib'), 'wb') as copy:
      copy.write(source.read())


if __name__ == '__main__':
  tf.app.run()
