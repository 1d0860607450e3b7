#!/usr/bin/env python3
"""Makes the SavedModels that benchmarks and tests use, with requests and answers.

    python make_models.py OUTDIR [NAME ...]

Writes for each model OUTDIR/NAME/1/ (the SavedModel), request_bN.json (a predict
request with N instances) and expected_bN.json (the answer, computed by Python's
TensorFlow). The same weights and instances come out every time.

A request for another signature than the default one carries its name, for example
request_predict_examples_b1.json.
"""
import base64
import json
import os
import shutil
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tensorflow as tf

DEFAULT = "serving_default"


class Output:
    """One model's folder."""

    def __init__(self, root, name):
        self.folder = os.path.join(root, name)
        self.saved_model = os.path.join(self.folder, "1")

    def save(self, module, signatures):
        shutil.rmtree(self.folder, ignore_errors=True)
        tf.saved_model.save(module, self.saved_model, signatures=signatures)

    def write_requests(self, to_tensors, instances, sizes, signature=DEFAULT):
        """Writes requests of the given sizes and their answers."""
        run = tf.saved_model.load(self.saved_model).signatures[signature]
        tag = "" if signature == DEFAULT else "_" + signature
        for size in sizes:
            batch = [instances[i % len(instances)] for i in range(size)]
            request = {"instances": batch}
            if signature != DEFAULT:
                request["signature_name"] = signature
            outputs = {k: json_values(v.numpy()) for k, v in run(**to_tensors(batch)).items()}
            rows = [{k: with_bytes(k, v[i]) for k, v in outputs.items()} for i in range(size)]
            self.write(f"request{tag}_b{size}.json", request)
            self.write(f"expected{tag}_b{size}.json", {"predictions": rows})

    def write(self, name, value):
        with open(os.path.join(self.folder, name), "w") as f:
            json.dump(value, f)


def json_values(array):
    """Nested lists; a float32 becomes the shortest decimal that reads back as it."""
    if array.dtype == np.float32:
        shortest = np.vectorize(lambda v: float(np.format_float_scientific(v, unique=True)), otypes=[object])
        return shortest(array).tolist() if array.size else array.tolist()
    if array.dtype == tf.bfloat16.as_numpy_dtype:
        return array.astype(np.float32).tolist()
    return array.tolist()


def with_bytes(alias, value):
    """Strings as predict answers show them."""
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()} if alias.endswith("_bytes") else value.decode()
    if isinstance(value, list):
        return [with_bytes(alias, v) for v in value]
    return value


def column_tensors(dtypes):
    """Instances that are objects, to one tensor per input."""
    return lambda batch: {k: tf.constant([row[k] for row in batch], t) for k, t in dtypes.items()}


def half_plus_two(root):
    """The smallest model: y = x / 2 + 2."""

    class HalfPlusTwo(tf.Module):
        def __init__(self):
            self.half, self.two = tf.Variable(0.5), tf.Variable(2.0)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def predict(self, x):
            return {"y": self.half * x + self.two}

    out, m = Output(root, "half_plus_two"), HalfPlusTwo()
    out.save(m, {DEFAULT: m.predict})
    out.write_requests(lambda batch: {"x": tf.constant(batch, tf.float32)}, [1.0, 2.0, 5.0, -3.5, 0.0, 1e6], [1, 3, 32])


def mlp(root):
    """A small dense network: 784 numbers in, 10 classes out."""
    random = np.random.RandomState(11)

    class Dense(tf.Module):
        def __init__(self, inputs, outputs):
            limit = np.sqrt(6.0 / (inputs + outputs))
            self.w = tf.Variable(random.uniform(-limit, limit, (inputs, outputs)).astype("f"))
            self.b = tf.Variable(tf.zeros([outputs]))

        def __call__(self, x):
            return x @ self.w + self.b

    class MLP(tf.Module):
        def __init__(self):
            self.layers = [Dense(784, 512), Dense(512, 512), Dense(512, 10)]

        @tf.function(input_signature=[tf.TensorSpec([None, 784], tf.float32, name="image")])
        def predict(self, image):
            x = tf.nn.relu(self.layers[0](image))
            x = tf.nn.relu(self.layers[1](x))
            p = tf.nn.softmax(self.layers[2](x))
            return {"probabilities": p, "class_id": tf.argmax(p, -1)}

    out, m = Output(root, "mlp_784_512_512_10"), MLP()
    out.save(m, {DEFAULT: m.predict})
    pixels = random.rand(32, 784) * (random.rand(32, 784) < 0.25) * 4
    images = [[round(float(v), 4) for v in row] for row in pixels]
    out.write_requests(lambda batch: {"image": tf.constant(batch, tf.float32)}, images, [1, 8, 32])


EDUCATION = ["Bachelors", "HS-grad", "11th", "Masters", "9th", "Some-college", "Doctorate"]
OCCUPATION = ["Tech-support", "Craft-repair", "Sales", "Exec-managerial", "Prof-specialty", "Other-service"]


class WideDeep(tf.Module):
    """A tabular model with strings in and out, vocabularies read from files, and a
    second signature that parses tf.Example."""

    def __init__(self, vocabulary):
        random = np.random.RandomState(23)

        def normal(rows, columns, scale=1.0):
            return tf.Variable(random.randn(rows, columns).astype("f") * scale)

        def lines(name):
            return tf.lookup.TextFileInitializer(
                os.path.join(vocabulary, name), tf.string, tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64, tf.lookup.TextFileIndex.LINE_NUMBER)

        def pairs(keys, values, default):
            return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), default)

        self.education = tf.lookup.StaticHashTable(lines("education.txt"), default_value=-1)
        self.occupation = tf.lookup.StaticVocabularyTable(lines("occupation.txt"), num_oov_buckets=3)
        self.gender = pairs(["Male", "Female"], tf.constant([0, 1], tf.int64), 2)
        self.label = pairs(tf.constant([0, 1], tf.int64), ["<=50K", ">50K"], "?")
        self.wide = normal(1000, 1, 0.3)
        self.education_embedding = normal(len(EDUCATION) + 1, 8)
        self.occupation_embedding = normal(len(OCCUPATION) + 3, 8)
        self.w1, self.b1 = normal(21, 64, 0.3), tf.Variable(tf.zeros([64]))
        self.w2, self.b2 = normal(64, 1, 0.3), tf.Variable(tf.zeros([1]))

    def forward(self, age, hours_per_week, education, occupation, gender):
        deep = tf.concat([
            tf.stack([age / 50.0, hours_per_week / 40.0], 1),
            tf.one_hot(self.gender.lookup(gender), 3),
            tf.gather(self.education_embedding, self.education.lookup(education) + 1),
            tf.gather(self.occupation_embedding, self.occupation.lookup(occupation)),
        ], 1)
        hidden = tf.nn.relu(deep @ self.w1 + self.b1)
        crossed = tf.strings.to_hash_bucket_fast(tf.strings.join([education, "_X_", occupation]), 1000)
        logit = hidden @ self.w2 + self.b2 + tf.gather(self.wide, crossed)
        p = tf.sigmoid(logit)
        probabilities = tf.concat([1.0 - p, p], 1)
        chosen = tf.argmax(probabilities, 1)
        return {
            "logits": logit,
            "probabilities": probabilities,
            "class_ids": chosen[:, None],
            "classes": self.label.lookup(chosen)[:, None],
            "key_bytes": tf.strings.join([education, "|", occupation]),
        }

    @tf.function(input_signature=[
        tf.TensorSpec([None], tf.float32, name="age"), tf.TensorSpec([None], tf.float32, name="hours_per_week"),
        tf.TensorSpec([None], tf.string, name="education"), tf.TensorSpec([None], tf.string, name="occupation"),
        tf.TensorSpec([None], tf.string, name="gender")])
    def predict(self, age, hours_per_week, education, occupation, gender):
        return self.forward(age, hours_per_week, education, occupation, gender)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def examples(self, examples):
        columns = tf.io.parse_example(examples, {
            "age": tf.io.FixedLenFeature([], tf.float32),
            "hours_per_week": tf.io.FixedLenFeature([], tf.float32, 40.0),
            "education": tf.io.FixedLenFeature([], tf.string),
            "occupation": tf.io.FixedLenFeature([], tf.string, ""),
            "gender": tf.io.FixedLenFeature([], tf.string, "Male"),
        })
        return self.forward(**columns)


def widedeep(root):
    vocabulary = os.path.join(root, "vocabulary.tmp")
    os.makedirs(vocabulary, exist_ok=True)
    for name, words in (("education.txt", EDUCATION), ("occupation.txt", OCCUPATION)):
        with open(os.path.join(vocabulary, name), "w") as f:
            f.write("\n".join(words) + "\n")
    out, m = Output(root, "widedeep_tabular"), WideDeep(vocabulary)
    out.save(m, {DEFAULT: m.predict, "predict_examples": m.examples})
    shutil.rmtree(vocabulary)

    people = [{
        "age": float(18 + i * 2), "hours_per_week": float(20 + i),
        "education": (EDUCATION + ["Unknown"])[i % 8],
        "occupation": (OCCUPATION + ["Astronaut", "Pilot"])[i % 8],
        "gender": ["Male", "Female", "X"][i % 3],
    } for i in range(24)]
    columns = {"age": tf.float32, "hours_per_week": tf.float32, "education": tf.string,
               "occupation": tf.string, "gender": tf.string}
    out.write_requests(column_tensors(columns), people, [1, 4, 24])

    def example(person):
        features = {
            k: tf.train.Feature(float_list=tf.train.FloatList(value=[v])) if isinstance(v, float)
            else tf.train.Feature(bytes_list=tf.train.BytesList(value=[v.encode()])) for k, v in person.items()}
        return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString(deterministic=True)

    encoded = [{"b64": base64.b64encode(example(p)).decode()} for p in people]
    out.write_requests(
        lambda batch: {"examples": tf.constant([base64.b64decode(i["b64"]) for i in batch])},
        encoded, [1, 4], signature="predict_examples")


def every_dtype(root):
    """Gives each input back, one of every type that predict carries, and fails on
    request: an int32 below zero is refused by the graph."""
    dtypes = {t.name: t for t in (
        tf.float32, tf.float64, tf.half, tf.bfloat16, tf.int8, tf.int16, tf.int32, tf.int64,
        tf.uint8, tf.uint16, tf.uint32, tf.uint64, tf.bool, tf.string)}

    class EveryDtype(tf.Module):
        @tf.function(input_signature=[{k: tf.TensorSpec([None, 2, 2], t, name=k) for k, t in dtypes.items()}])
        def predict(self, inputs):
            refuse = tf.debugging.assert_non_negative(inputs["int32"], message="int32 is negative")
            with tf.control_dependencies([refuse]):
                return {"out_" + k: tf.identity(v) for k, v in inputs.items()}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
        def scalars(self, text):
            return {"rows": tf.size(text), "joined": tf.strings.reduce_join(text)}

    out, m = Output(root, "every_dtype"), EveryDtype()
    out.save(m, {DEFAULT: m.predict, "scalars": m.scalars})
    rows = []
    for i in range(2):
        row = {k: [[i, 1], [2, 3]] for k in dtypes}
        row.update({k: [[0.5 + i, -1.25], [0.0, 1e4]] for k in ("float32", "float64", "float16")})
        row.update(bfloat16=[[0.5 + i, -1.25], [0.0, 96.0]], bool=[[True, False], [i == 1, True]],
                   string=[["a", "ü\n\"" * 20], ["", f"row {i}"]], int64=[[-2**63, 2**63 - 1], [0, i]],
                   uint64=[[2**64 - 1, 0], [1, i]], uint32=[[2**32 - 1, 0], [1, i]])
        rows.append(row)
    out.write_requests(column_tensors(dtypes), rows, [1, 2])


class Wrapped(tf.Module):
    """A Keras 3 model whose variables a tf.Module keeps as plain tf.Variables, without
    which its SavedModel loads and then finds none of them."""

    def __init__(self, model):
        self.kept = [v.value for v in model.variables]
        self.model = lambda *inputs: model(*inputs, training=False)


def mobilenet(root):
    """MobileNetV2, whose request as JSON lists is 150,000 numbers; a second signature
    takes JPEG files."""
    keras.utils.set_random_seed(37)
    random = np.random.RandomState(37)
    model = keras.applications.MobileNetV2(
        weights=None, input_shape=(224, 224, 3), classes=1000, classifier_activation=None)
    calibrate(model, random.uniform(-1, 1, (8, 224, 224, 3)).astype("f"))
    model.layers[-1].kernel.assign(model.layers[-1].kernel * 3.0)

    def decode(jpeg):
        image = tf.io.decode_jpeg(jpeg, channels=3, dct_method="INTEGER_ACCURATE")
        return tf.image.resize(tf.cast(image, tf.float32), [224, 224]) / 127.5 - 1.0

    class MobileNet(Wrapped):
        @tf.function(input_signature=[tf.TensorSpec([None, 224, 224, 3], tf.float32, name="input_1")])
        def predict(self, input_1):
            return {"probabilities": tf.nn.softmax(self.model(input_1))}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
        def jpeg(self, image_bytes):
            images = tf.map_fn(decode, image_bytes, fn_output_signature=tf.TensorSpec([224, 224, 3], tf.float32))
            probabilities = tf.nn.softmax(self.model(images))
            best = tf.math.top_k(probabilities, 5)
            return {"scores": best.values, "classes": best.indices, "probabilities": probabilities}

    out, m = Output(root, "mobilenetv2_224"), MobileNet(model)
    out.save(m, {DEFAULT: m.predict, "serving_jpeg": m.jpeg})
    images = [np.round(random.uniform(-1, 1, (224, 224, 3)), 3).tolist() for _ in range(2)]
    out.write_requests(lambda batch: {"input_1": tf.constant(batch, tf.float32)}, images, [1, 2])
    files = [{"b64": base64.b64encode(picture(n)).decode()} for n in range(8)]
    out.write_requests(
        lambda batch: {"image_bytes": tf.constant([base64.b64decode(i["b64"]) for i in batch])},
        files, [1, 4, 8], signature="serving_jpeg")


def calibrate(model, images):
    """Sets the statistics of untrained batch normalisations to those of some images,
    else the activations die out layer by layer and every answer is the same."""
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momentums = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    model(tf.constant(images), training=True)
    for layer, momentum in zip(layers, momentums):
        layer.momentum = momentum


def picture(n):
    """The JPEG file of a pattern of 320 by 256 pixels."""
    y, x = np.mgrid[0:256, 0:320]
    colours = [(np.sin(x / (7.0 + n)) + 1) * 127, (np.cos(y / (5.0 + 2 * n)) + 1) * 127, (x * (n + 1) + y) % 256]
    return tf.io.encode_jpeg(np.stack(colours, -1).astype(np.uint8), quality=90).numpy()


def bert_tiny(root, layers=2, width=128, heads=2, words=30522, length=128):
    """A text encoder of BERT's shape: three inputs of int32, attention, an embedding of
    30,522 words."""
    keras.utils.set_random_seed(53)
    random = np.random.RandomState(53)
    norm = lambda x: keras.layers.LayerNormalization(epsilon=1e-12)(x)
    ids, mask, segments = (keras.Input((length,), dtype="int32") for _ in range(3))
    position = keras.layers.Embedding(length, width)(keras.ops.arange(length)[None, :])
    x = norm(keras.layers.Embedding(words, width)(ids) + keras.layers.Embedding(2, width)(segments) + position)
    attend = keras.ops.cast(mask, "bool")[:, None, :]
    for _ in range(layers):
        x = norm(x + keras.layers.MultiHeadAttention(heads, width // heads)(x, x, attention_mask=attend))
        x = norm(x + keras.layers.Dense(width)(keras.layers.Dense(4 * width, "gelu")(x)))
    pooled = keras.layers.Dense(width, "tanh")(x[:, 0])
    model = keras.Model([ids, mask, segments], [keras.layers.Dense(2)(pooled), pooled])

    class BERT(Wrapped):
        @tf.function(input_signature=[
            tf.TensorSpec([None, length], tf.int32, name="input_ids"),
            tf.TensorSpec([None, length], tf.int32, name="input_mask"),
            tf.TensorSpec([None, length], tf.int32, name="segment_ids")])
        def predict(self, input_ids, input_mask, segment_ids):
            logits, pooled = self.model([input_ids, input_mask, segment_ids])
            return {"logits": logits, "probabilities": tf.nn.softmax(logits), "pooled": pooled}

    out, m = Output(root, "bert_tiny_128"), BERT(model)
    out.save(m, {DEFAULT: m.predict})
    texts = []
    for _ in range(16):
        n = int(random.randint(8, length))
        texts.append({
            "input_ids": [101] + random.randint(1000, words, n - 2).tolist() + [102] + [0] * (length - n),
            "input_mask": [1] * n + [0] * (length - n),
            "segment_ids": [0] * length,
        })
    columns = dict.fromkeys(("input_ids", "input_mask", "segment_ids"), tf.int32)
    out.write_requests(column_tensors(columns), texts, [1, 8, 16])


MODELS = (half_plus_two, mlp, widedeep, every_dtype, mobilenet, bert_tiny)


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: make_models.py OUTDIR [NAME ...]\nNAME: " + " ".join(m.__name__ for m in MODELS))
    root, wanted = sys.argv[1], sys.argv[2:]
    for make in MODELS:
        if not wanted or make.__name__ in wanted:
            make(root)
            print(make.__name__, flush=True)


if __name__ == "__main__":
    main()
