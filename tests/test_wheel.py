"""What a user has after ``pip install``: the built wheel in an empty folder, and the README."""

from __future__ import annotations

import os
import re
import shutil
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[1]
# Runs of the README are made small: a few steps of a small network.
SMALL = (
    "--patch 64 64 --model.features 4 8 --train.epochs 1 --train.steps 2 --train.batch 2 "
    "--predict.tta none"
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment with the wheel; its dependencies are those of this one."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    ignored = shutil.ignore_patterns(".*", "out", "build", "dist", "*.egg-info", "__pycache__")
    shutil.copytree(ROOT, source, ignore=ignored)
    pip = ["-m", "pip", "--disable-pip-version-check"]
    wheel = [*pip, "wheel", "-q", "--no-index", "--no-deps", "--no-build-isolation"]
    done = subprocess.run(
        [sys.executable, *wheel, "-w", str(folder), str(source)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (file,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
    install = [*pip, "install", "-q", "--no-index", "--no-deps", str(file)]
    subprocess.run([programs / "python", *install], check=True, env=environment())
    (packages,) = (folder / "venv").rglob("site-packages")
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return programs


def environment() -> dict[str, str]:
    """That of the tests without what makes a checkout visible."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@pytest.fixture(scope="module")
def folder(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but images, of the names that the README uses."""
    place = tmp_path_factory.mktemp("user")
    call(installed, place, "jaxseg demo 2d demo")
    for name, part in (("TRAIN", "train"), ("TEST", "test")):
        shutil.copytree(place / "demo" / part, place / name)
    return place


def call(installed: Path, folder: Path, command: str) -> str:
    """Run a line of a shell with the installed program; what it prints."""
    path = os.pathsep.join([str(installed), os.environ["PATH"]])
    env = {**environment(), "PATH": path}
    done = subprocess.run(
        command, shell=True, cwd=folder, env=env, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_package_is_that_of_the_wheel(installed: Path, folder: Path) -> None:
    code = "import jaxseg, pathlib; print(pathlib.Path(jaxseg.__file__).with_name('py.typed'))"
    typed = Path(call(installed, folder, f'python -c "{code}"').strip())
    assert typed.is_file()
    assert installed.parent in typed.parents
    listed = call(installed, folder, "jaxseg new-config")
    names = [line.split()[0] for line in listed.splitlines()]
    assert names == sorted(path.stem for path in (ROOT / "configs").glob("*.py"))


def readme_commands() -> list[str]:
    """The commands of the README that the installed program is asked for."""
    text = (ROOT / "README.md").read_text()
    blocks = re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("jaxseg ")]


def test_the_commands_of_the_readme_work(installed: Path, folder: Path) -> None:
    for line in readme_commands():
        command = line.partition(" #")[0].strip()
        if command.startswith(("jaxseg run", "jaxseg plan")) and "--help" not in command:
            command += f" {SMALL}"
        call(installed, folder, command)
