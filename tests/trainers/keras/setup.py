from setuptools import find_packages, setup

setup(
    name="trainer",
    version="0.1",
    packages=find_packages(),
    install_requires=["humanize>=4", "tensorflow>=2.16"],
    description="A Keras model with a dependency",
)
