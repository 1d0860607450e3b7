"""Trains a small Keras model and exports it for serving."""

import argparse
import os

import humanize
import keras
import numpy as np


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--job-dir", required=True)
    parser.add_argument("--epochs", type=int, default=3)
    args = parser.parse_args()

    x = np.random.RandomState(0).rand(512, 2).astype("float32")
    y = (x.sum(1) > 1).astype("int32")
    model = keras.Sequential([keras.Input([2]), keras.layers.Dense(8, "relu"), keras.layers.Dense(2, "softmax")])
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    print("a model of", humanize.intcomma(model.count_params()), "numbers, with Keras", keras.__version__)
    model.fit(x, y, epochs=args.epochs, verbose=2)
    model.export(os.path.join(args.job_dir, "export"))


if __name__ == "__main__":
    main()
