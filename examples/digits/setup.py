"""Package of the digits trainer. TensorFlow comes with the runtime."""

from setuptools import find_packages, setup

setup(
    name="digits-trainer",
    version="1.0",
    description="Reads handwritten digits of 8 by 8 pixels.",
    packages=find_packages(),
    install_requires=["tensorboard"],  # for the summaries
    python_requires=">=3.9",
)
