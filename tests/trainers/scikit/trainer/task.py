"""Trains a forest on irises and leaves model.joblib in the bucket."""

import argparse
import os

import joblib
import tensorflow as tf
from sklearn import datasets
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--job-dir", required=True)
    args = parser.parse_args()
    x, y = datasets.load_iris(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, random_state=0)
    model = RandomForestClassifier(20, random_state=0).fit(x_train, y_train)
    print("accuracy", model.score(x_test, y_test))
    joblib.dump(model, "model.joblib")
    tf.io.gfile.makedirs(args.job_dir)
    tf.io.gfile.copy("model.joblib", os.path.join(args.job_dir, "model.joblib"), overwrite=True)


if __name__ == "__main__":
    main()
