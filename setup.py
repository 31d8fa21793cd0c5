"""What pyproject.toml cannot say: the configurations of ``configs/`` are shipped in the package."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=["jaxseg*"]), "jaxseg.templates"],
    package_dir={"jaxseg.templates": "configs"},
)
