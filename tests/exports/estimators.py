"""Canned estimators as TensorFlow 1's trainers exported them."""
import base64

import numpy as np
import tensorflow as tf

COLOURS = ["red", "green", "blue"]


def data(n, seed):
    random = np.random.RandomState(seed)
    features = {
        "length": random.rand(n).astype("float32"), "width": random.rand(n).astype("float32"),
        "colour": np.array(COLOURS + ["violet"])[random.randint(0, 4, n)],
    }
    return features, (features["length"] > features["width"]).astype("int32")


def train(estimator):
    estimator.train(lambda: tf.compat.v1.data.Dataset.from_tensor_slices(data(256, 1)).repeat().batch(32), steps=40)


def feature_columns():
    numbers = [tf.feature_column.numeric_column(k) for k in ("length", "width")]
    colour = tf.feature_column.categorical_column_with_vocabulary_list("colour", COLOURS, num_oov_buckets=1)
    return numbers, colour


def examples(n):
    """Serialized tf.Examples in JSON."""
    features, _ = data(n, 2)
    for i in range(n):
        example = tf.train.Example()
        for k in ("length", "width"):
            example.features.feature[k].float_list.value.append(features[k][i])
        example.features.feature["colour"].bytes_list.value.append(features["colour"][i].encode())
        yield {"b64": base64.b64encode(example.SerializeToString(deterministic=True)).decode()}


def dnn_classifier(export):
    """Two classes, tf.Examples in: serving_default, classification, regression, predict."""
    numbers, colour = feature_columns()
    columns = numbers + [tf.feature_column.embedding_column(colour, 3)]
    estimator = tf.estimator.DNNClassifier([16, 8], columns, config=tf.estimator.RunConfig(tf_random_seed=3))
    train(estimator)
    spec = tf.feature_column.make_parse_example_spec(columns)
    receiver = tf.estimator.export.build_parsing_serving_input_receiver_fn(spec)
    model = export.saved(estimator.export_saved_model(export.temporary, receiver))
    for signature in ("serving_default", "classification", "regression", "predict"):
        export.cases(model).rows(signature, list(examples(5)))


def linear_classifier(export):
    """Raw features in, so that only predict's signature is to be had."""
    numbers, colour = feature_columns()
    estimator = tf.estimator.LinearClassifier(numbers + [colour], config=tf.estimator.RunConfig(tf_random_seed=4))
    train(estimator)

    def receiver():
        given = {k: tf.compat.v1.placeholder(tf.float32, [None], k) for k in ("length", "width")}
        given["colour"] = tf.compat.v1.placeholder(tf.string, [None], "colour")
        return tf.estimator.export.ServingInputReceiver(given, given)

    model = export.saved(estimator.export_saved_model(export.temporary, receiver))
    features, _ = data(5, 5)
    rows = [{"length": float(str(features["length"][i])), "width": float(str(features["width"][i])),
             "colour": str(features["colour"][i])} for i in range(5)]
    for signature in model.signatures:
        export.cases(model).rows(signature, rows)
