"""Graphs and sessions, as programs had them before TensorFlow 2."""
import os

import numpy as np
import tensorflow as tf

v1 = tf.compat.v1


def simple_save(export):
    """A small network by simple_save: int64 and float32 in, float64 among what comes out."""
    random = np.random.RandomState(12)
    with tf.Graph().as_default(), v1.Session() as session:
        x, shift = v1.placeholder(tf.float32, [None, 6], "x"), v1.placeholder(tf.int64, [None], "shift")
        w = v1.get_variable("w", initializer=random.randn(6, 3).astype("float32"))
        b = v1.get_variable("b", initializer=random.randn(3).astype("float32"))
        y = tf.nn.softmax(tf.matmul(x, w) + b + tf.cast(shift, tf.float32)[:, None] * 0.1)
        outputs = {"y": y, "third": tf.cast(shift, tf.float64) / 3, "best": tf.argmax(y, 1)}
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, export.folder, {"x": x, "shift": shift}, outputs)
    rows = [{"x": np.round(random.randn(6), 3).tolist(), "shift": i - 2} for i in range(5)]
    export.cases(export.load()).rows("serving_default", rows)


def with_table(export, **how):
    """A table that is filled from an asset when the model is loaded."""
    path = os.path.join(export.temporary, "words.txt")
    with open(path, "w") as f:
        f.write("ape\nbear\ncät\n")
    with tf.Graph().as_default(), v1.Session() as session:
        word = v1.placeholder(tf.string, [None], "word")
        file = tf.lookup.TextFileInitializer(path, tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
                                             tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER)
        number = tf.lookup.StaticHashTable(file, -1).lookup(word)
        weight = v1.get_variable("weight", initializer=np.float32([0.1, -0.7, 3.3, 1e-20]))
        value = tf.gather(weight, number + 1)
        session.run([v1.global_variables_initializer(), v1.tables_initializer()])
        info = v1.saved_model.build_tensor_info
        signature = v1.saved_model.build_signature_def(
            {"word": info(word)}, {"number": info(number), "value": info(value), "word_bytes": info(word)},
            v1.saved_model.signature_constants.PREDICT_METHOD_NAME)
        builder = v1.saved_model.Builder(export.folder)
        builder.add_meta_graph_and_variables(
            session, [v1.saved_model.tag_constants.SERVING], {"lookup": signature},
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS), **{k: make() for k, make in how.items()})
        builder.save()
    export.cases(export.load()).rows("lookup", ["ape", "bear", "cät", "dog", {"b64": "YmVhcg=="}])


def table_by_main_op(export):
    with_table(export, main_op=v1.tables_initializer)


def table_by_legacy_init_op(export):
    with_table(export, legacy_init_op=v1.tables_initializer)
