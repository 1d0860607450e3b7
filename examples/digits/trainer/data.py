"""The images and the rule that keeps some of them out of training.

Each row of digits.csv.gz is one image: 64 grey values from 0 to 16, row by
row, then the digit that it shows. This module needs nothing but Python, so
that whoever asks the model about unseen images can use the same rule.
"""

import csv
import gzip
import io

PIXELS = 64
HELD_OUT_EVERY = 5


def read(binary_file):
    """Reads digits.csv.gz from a file opened for bytes: (images, digits)."""
    images, digits = [], []
    with gzip.GzipFile(fileobj=binary_file) as unzipped:
        for row in csv.reader(io.TextIOWrapper(unzipped, encoding="ascii")):
            numbers = [float(field) for field in row]
            if len(numbers) != PIXELS + 1:
                raise ValueError(f"an image has {len(numbers)} numbers instead of {PIXELS + 1}")
            images.append(numbers[:PIXELS])
            digits.append(int(numbers[PIXELS]))
    return images, digits


def held_out(index):
    """Whether the image with this index is kept out of training."""
    return index % HELD_OUT_EVERY == 0


def split(images, digits):
    """Parts the data: ((images, digits) to learn from, (images, digits) held out)."""
    parts = ([], []), ([], [])
    for index, (image, digit) in enumerate(zip(images, digits)):
        part = parts[held_out(index)]
        part[0].append(image)
        part[1].append(digit)
    return parts
