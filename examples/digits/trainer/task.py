"""Trains a small convolutional network on digits.csv.gz.

Everything is read and written through tf.io.gfile, so --data and --job-dir
may be gs:// paths or local ones. Below --job-dir it leaves:

    checkpoints/  the weights, to go on from if the training is repeated
    logs/         summaries for TensorBoard
    export/       the SavedModel
    eval.json     the accuracy on the images held out
"""

import argparse
import json
import os
import sys

import keras
import numpy as np
import tensorflow as tf

from trainer import data

LEAST_ACCURACY = 0.97
CHECKPOINT_EVERY = 10  # epochs


def main():
    args = parse_args()
    keras.utils.set_random_seed(args.seed)

    training, held_out = load(args.data)
    print(f"{len(training[1])} images to learn from, {len(held_out[1])} held out", flush=True)

    model = build_model()
    train(model, training, args)
    accuracy = float(model.evaluate(*held_out, verbose=0, return_dict=True)["accuracy"])
    export(model, os.path.join(args.job_dir, "export"))
    write_json(
        os.path.join(args.job_dir, "eval.json"),
        {"accuracy": accuracy, "images": len(held_out[1]), "epochs": args.epochs, "seed": args.seed},
    )

    print(f"accuracy on {len(held_out[1])} held-out images: {accuracy:.4f}", flush=True)
    if accuracy < LEAST_ACCURACY:
        sys.exit(f"the accuracy is below {LEAST_ACCURACY:.2f}")


def parse_args():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True, help="digits.csv.gz, for example gs://digits/data/digits.csv.gz")
    parser.add_argument("--job-dir", required=True, help="folder for everything that the training writes")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def load(path):
    """Reads and parts the data, as arrays."""
    with tf.io.gfile.GFile(path, "rb") as file:
        parts = data.split(*data.read(file))
    return [(np.array(images, "float32"), np.array(digits, "int64")) for images, digits in parts]


def build_model():
    """The network: 64 grey values in, the probabilities of the ten digits out."""
    image = keras.Input(shape=(data.PIXELS,), dtype="float32", name="image")
    x = keras.layers.Rescaling(1 / 16)(image)
    x = keras.layers.Reshape((8, 8, 1))(x)
    x = keras.layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = keras.layers.Conv2D(64, 3, padding="same", activation="relu")(x)
    x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dropout(0.4)(x)
    x = keras.layers.Dense(64, activation="relu")(x)
    probabilities = keras.layers.Dense(10, activation="softmax", name="probabilities")(x)
    model = keras.Model(image, probabilities)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def train(model, training, args):
    """Fits the model, leaving checkpoints and summaries on the way."""
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(model=model), os.path.join(args.job_dir, "checkpoints"), max_to_keep=2
    )

    def save(epoch, _):
        if (epoch + 1) % CHECKPOINT_EVERY == 0:
            manager.save(checkpoint_number=epoch + 1)

    model.fit(
        *training,
        batch_size=args.batch_size,
        epochs=args.epochs,
        verbose=2,
        callbacks=[
            keras.callbacks.LambdaCallback(on_epoch_end=save),
            keras.callbacks.TensorBoard(os.path.join(args.job_dir, "logs"), write_graph=False),
        ],
    )


def export(model, path):
    """Writes the SavedModel: `image` in, `digit` and `probabilities` out."""
    probabilities = model.output
    serving = keras.Model(
        model.input, {"digit": keras.ops.argmax(probabilities, axis=-1), "probabilities": probabilities}
    )
    serving.export(path, verbose=False)
    print(f"model exported to {path}", flush=True)


def write_json(path, value):
    with tf.io.gfile.GFile(path, "w") as file:
        json.dump(value, file, indent=2)
        file.write("\n")


if __name__ == "__main__":
    main()
