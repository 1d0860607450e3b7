"""Keras models: 2's SavedModel format, and 3's export."""
import numpy as np
import tensorflow as tf


def build(keras):
    """Numbers and a word in, two heads out."""
    keras.utils.set_random_seed(7)
    numbers, word = keras.Input((3,), name="numbers"), keras.Input((1,), name="word", dtype="string")
    scale = keras.layers.Normalization(mean=[0.5, 10.0, -2.0], variance=[1.0, 4.0, 9.0])
    lookup = keras.layers.StringLookup(vocabulary=["spring", "summer", "autumn", "winter"], num_oov_indices=2)
    season = keras.layers.Flatten()(keras.layers.Embedding(6, 4)(lookup(word)))
    x = keras.layers.Concatenate()([scale(numbers), season])
    x = keras.layers.Dropout(0.5)(keras.layers.Dense(16, "relu")(x))
    x = keras.layers.BatchNormalization()(x)
    outputs = {"kind": keras.layers.Dense(4, "softmax", name="kind")(x), "price": keras.layers.Dense(1, name="price")(x)}
    model = keras.Model({"numbers": numbers, "word": word}, outputs)
    model.compile("adam", {"kind": "sparse_categorical_crossentropy", "price": "mse"})
    random = np.random.RandomState(8)
    seasons = tf.constant(random.choice(["spring", "summer", "autumn"], (64, 1)))
    model.fit({"numbers": random.rand(64, 3), "word": seasons},
              {"kind": random.randint(0, 4, 64), "price": random.rand(64)}, epochs=1, verbose=0)
    return model


ROWS = [{"numbers": [0.25 * i, 7.5 + i, -1.125], "word": [w]} for i, w in enumerate(["spring", "summer", "winter", "monsoon", ""])]


def image_model(keras):
    """A sequence of convolutions, one input, one output."""
    keras.utils.set_random_seed(9)
    return keras.Sequential([
        keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, activation="relu"), keras.layers.MaxPooling2D(),
        keras.layers.Flatten(), keras.layers.Dense(5, "softmax")])


IMAGES = np.round(np.random.RandomState(10).rand(3, 8, 8, 3), 3).tolist()


def keras2_saved(export):
    model = build(tf.keras)
    model.save(export.folder, save_format="tf")
    export.cases(export.load()).rows("serving_default", ROWS)


def keras2_convolutions(export):
    image_model(tf.keras).save(export.folder, save_format="tf")
    export.cases(export.load()).rows("serving_default", IMAGES)


def keras3_exported(export):
    import keras
    build(keras).export(export.folder, format="tf_saved_model", verbose=False)
    export.cases(export.load()).rows("serving_default", ROWS)


def keras3_convolutions(export):
    import keras
    image_model(keras).export(export.folder, format="tf_saved_model", verbose=False)
    export.cases(export.load()).rows("serving_default", IMAGES)
