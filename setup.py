"""What pyproject.toml cannot say: compiled kernels, and the shipped configurations.

The kernels of the recipe ``native`` are optional: without a compiler the package installs and runs,
more slowly, on XLA alone. The configurations of ``configs/`` are shipped in the package.
"""

import platform
from importlib.util import find_spec
from pathlib import Path

from setuptools import Extension, find_packages, setup


def include() -> str:
    """The folder of the headers of XLA's interface for foreign functions, which jaxlib brings."""
    spec = find_spec("jaxlib")
    if spec is None or not spec.submodule_search_locations:
        return ""
    return str(Path(next(iter(spec.submodule_search_locations))) / "include")


PLAIN = ["-pthread", "-w"]

kernels = Extension(
    "jaxseg.models._native",
    sources=[
        f"native/{name}.cc"
        for name in (
            "addition",
            "convolution",
            "depthwise",
            "normalization",
            "pairs",
            "rows",
            "spreading",
        )
    ],
    depends=[
        f"native/{name}.h"
        for name in ("activation", "handlers", "pairs", "parallel", "rows", "vectors")
    ],
    include_dirs=["native", include()],
    # GCC turns a choice between two values into vectors only where operations may not trap; without
    # it the activations branch voxel by voxel and take ten times as long with AVX2.
    extra_compile_args=["-std=c++17", "-O3", "-fno-math-errno", "-fno-trapping-math", *PLAIN],
    extra_link_args=["-pthread"],
    language="c++",
    # A compiler or headers that are missing stop the kernels, not the installation.
    optional=True,
)

setup(
    packages=[*find_packages(include=["jaxseg*"]), "jaxseg.templates"],
    package_dir={"jaxseg.templates": "configs"},
    # Microsoft's compiler has none of the vector types of GCC and Clang.
    ext_modules=[] if platform.system() == "Windows" else [kernels],
)
