from setuptools import find_packages, setup

setup(name="trainer", version="0.1", packages=find_packages(), description="An estimator on flowers that were made up")
