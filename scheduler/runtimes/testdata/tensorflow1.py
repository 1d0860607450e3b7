"""What programs of TensorFlow 1's time did, on the runtime 1.15."""

import glob
import importlib
import json
import pkgutil
import tempfile

import numpy as np
import tensorflow as tf
import tensorflow.contrib as contrib
import tensorflow.feature_column as fc
import tensorflow.keras.layers as keras_layers
from sklearn.externals import joblib
from tensorflow.contrib import layers, learn, lookup, rnn, slim
from tensorflow.contrib.learn import RunConfig
from tensorflow.contrib.learn.python.learn import learn_runner
from tensorflow.contrib.learn.python.learn.utils import saved_model_export_utils
from tensorflow.estimator import ModeKeys
from tensorflow.keras.models import Sequential
from tensorflow.python.framework import ops
from tensorflow.python.lib.io import file_io
from tensorflow.train import AdamOptimizer

assert tf.__version__.startswith("1.15") and tf.VERSION == tf.__version__
assert not tf.executing_eagerly() and ModeKeys.TRAIN == "train" and ops.get_default_graph() is tf.get_default_graph()
assert fc.numeric_column and AdamOptimizer is tf.train.AdamOptimizer and file_io.file_exists("/")
assert saved_model_export_utils.make_export_strategy is learn.make_export_strategy
for name in "app.run flags.DEFINE_string logging.INFO gfile.Open layers.dense python_io.TFRecordWriter".split():
    module, attribute = name.split(".")
    assert getattr(getattr(tf, module), attribute), name
for module in pkgutil.walk_packages(contrib.__path__, "tensorflow.contrib."):
    importlib.import_module(module.name)
try:
    contrib.tpu
except AttributeError as e:
    assert "tf.contrib.tpu is not part of this runtime" in str(e), e

params = contrib.training.HParams(lr=0.1, units=[4, 2], name="x", on=True).parse("lr=0.5,units=[8,8],on=false")
assert json.loads(params.to_json()) == {"lr": 0.5, "units": [8, 8], "name": "x", "on": False}

# A session.
with tf.Graph().as_default(), tf.Session() as session:
    x = tf.placeholder(tf.float32, [None, 2])
    y = tf.matmul(x, tf.get_variable("w", [2, 1], initializer=tf.ones_initializer()))
    session.run(tf.global_variables_initializer())
    assert session.run(y, {x: [[1, 2]]}) == [[3]]

# An experiment with an estimator, and its export.
rows = np.random.RandomState(0).rand(200, 1).astype("float32")
labels = (rows[:, 0] > 0.5).astype("int32")
words = np.array(["a", "b"] * 100)


def inputs(epochs=None):
    return tf.estimator.inputs.numpy_input_fn({"x": rows, "k": words}, labels, shuffle=True, num_epochs=epochs)


def serving():
    receivers = {"x": tf.placeholder(tf.float32, [None, 1]), "k": tf.placeholder(tf.string, [None])}
    return learn.utils.input_fn_utils.InputFnOps(receivers, None, receivers)


def experiment(config, hparams):
    number = layers.real_valued_column("x")
    halves = layers.bucketized_column(number, [0.3, 0.6])
    keys = layers.sparse_column_with_keys("k", ["a", "b"])
    crossed = layers.crossed_column([layers.sparse_column_with_hash_bucket("k", 10), halves], 50)
    estimator = learn.DNNLinearCombinedClassifier(
        config=config, linear_feature_columns=[halves, keys, crossed],
        dnn_feature_columns=[number, layers.embedding_column(keys, 2), layers.one_hot_column(keys)],
        dnn_hidden_units=hparams.units)
    return learn.Experiment(estimator, inputs(), inputs(1), train_steps=20, eval_steps=2, eval_delay_secs=0,
                            export_strategies=[learn.make_export_strategy(serving)])


folder = tempfile.mkdtemp()
learn_runner.run(experiment, run_config=RunConfig(model_dir=folder), hparams=params)
export, = glob.glob(folder + "/export/Servo/*")
answer = contrib.predictor.from_saved_model(export, "predict")({"x": [[0.1]], "k": ["a"]})
assert answer["probabilities"].shape == (1, 2), answer

# Layers, with the names that checkpoints of the time have.
with tf.Graph().as_default(), tf.Session() as session:
    x = tf.placeholder(tf.float32, [None, 8, 8, 3])
    with slim.arg_scope([slim.conv2d], weights_regularizer=slim.l2_regularizer(0.01), normalizer_fn=slim.batch_norm,
                        normalizer_params={"is_training": True}):
        net = slim.repeat(slim.conv2d(x, 4, [3, 3], scope="c1"), 2, slim.conv2d, 4, [3, 3], scope="c2")
    logits = slim.fully_connected(slim.flatten(slim.max_pool2d(net, [2, 2])), 2, activation_fn=None)
    loss = slim.losses.sparse_softmax_cross_entropy(logits, tf.zeros([4], tf.int64))
    step = layers.optimize_loss(loss, tf.train.get_or_create_global_step(), 0.1, "Adam", clip_gradients=1.0)
    table = lookup.index_table_from_tensor(tf.constant(["a", "b"]), num_oov_buckets=1)
    cell = rnn.MultiRNNCell([rnn.BasicLSTMCell(4), rnn.GRUCell(4)])
    outputs, _ = tf.nn.dynamic_rnn(cell, tf.reshape(x, [4, 24, 8]), dtype=tf.float32)
    names = [v.op.name for v in tf.trainable_variables()]
    assert names[0] == "c1/weights" and "fully_connected/biases" in names, names
    assert len(tf.get_collection(tf.GraphKeys.REGULARIZATION_LOSSES)) == 3
    session.run([tf.global_variables_initializer(), tf.tables_initializer()])
    images = np.zeros((4, 8, 8, 3))
    assert session.run(step, {x: images}) > 0
    assert session.run(table.lookup(tf.constant(["b", "z"]))).tolist() == [1, 2]
    assert session.run(outputs, {x: images}).shape == (4, 24, 4)

# Keras, and what scikit-learn carried along.
model = Sequential([keras_layers.Dense(1, input_shape=(2,))])
model.compile("sgd", "mse")
model.fit(np.zeros((4, 2)), np.zeros((4, 1)), verbose=0)
joblib.dump({"a": 1}, folder + "/model.joblib")
assert joblib.load(folder + "/model.joblib") == {"a": 1}
print("all of it runs")
