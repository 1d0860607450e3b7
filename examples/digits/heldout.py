#!/usr/bin/env python3
"""Images that the digits trainer keeps out of training.

    python3 heldout.py images digits.csv.gz N           N of them, as lines of JSON
    python3 heldout.py compare digits.csv.gz ANSWERS    the model's answers about them, beside the truth
"""

import json
import sys

from trainer import data


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("images", "compare"):
        sys.exit(__doc__)
    with open(sys.argv[2], "rb") as file:
        images, digits = data.split(*data.read(file))[1]
    if sys.argv[1] == "images":
        for image in spread(images, int(sys.argv[3])):
            print(json.dumps(image))
        return
    with open(sys.argv[3], encoding="utf-8") as file:
        predictions = json.load(file)["predictions"]
    compare(predictions, spread(digits, len(predictions)))


def spread(items, count):
    """Takes as many of the items, at equal distances."""
    return [items[i * len(items) // count] for i in range(count)]


def compare(predictions, digits):
    print("image  answer  sure    truth")
    right = 0
    for number, (prediction, digit) in enumerate(zip(predictions, digits), start=1):
        answer = prediction["digit"]
        right += answer == digit
        mark = "" if answer == digit else "  <- wrong"
        print(f"{number:5}  {answer:6}  {max(prediction['probabilities']):6.1%}  {digit:5}{mark}")
    print(f"{right} of {len(predictions)} right")
    # The trainer reaches 97 % on all of them; far less here is no bad luck.
    if right < 0.8 * len(predictions):
        sys.exit("the model has learnt nothing")


if __name__ == "__main__":
    main()
