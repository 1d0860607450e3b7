"""Trains with what Keras 3 has no more: HDF5 weights by layer, old optimizer arguments, SavedModels by save."""

import argparse
import os

import numpy as np
import tensorflow as tf
from tensorflow.keras import backend as K


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--job-dir", required=True)
    args = parser.parse_args()

    x = np.random.RandomState(0).rand(512, 2).astype("float32")
    y = (x.sum(1) > 1).astype("float32")
    model = tf.keras.models.Sequential([
        tf.keras.layers.Dense(8, activation="relu", input_shape=(2,), weights=[np.ones((2, 8)) / 8, np.zeros(8)]),
        tf.keras.layers.Dense(1, activation="sigmoid"),
    ])
    model.compile(tf.keras.optimizers.legacy.Adam(lr=0.01, decay=1e-6), "binary_crossentropy", metrics=["acc"])
    history = model.fit(x, y, epochs=3, verbose=2)
    print("Keras", tf.keras.__name__, "rate", K.get_value(model.optimizer.lr), sorted(history.history))
    model.save(os.path.join(args.job_dir, "export"), save_format="tf")


if __name__ == "__main__":
    main()
