"""Zip files that would exhaust the memory, or hold members that nobody writes."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from jaxseg.errors import InputError
from jaxseg.interop.bioimageio.archive import open_files

MIB = bytes(2**20)


def package(path: Path, mib: int, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("rdf.yaml", "name: a")
        with archive.open("weights.onnx", "w") as stream:
            for _ in range(mib):
                stream.write(MIB)
    return path


def test_a_member_of_zeros(tmp_path: Path) -> None:
    path = package(tmp_path / "a.zip", 70)
    claim = r"weights\.onnx claims to unpack to 0\.1 GiB"
    with pytest.raises(InputError, match=claim), open_files(path):
        pass
    with open_files(package(tmp_path / "b.zip", 70, zipfile.ZIP_STORED)) as files:
        assert files.description == "rdf.yaml"


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED])
def test_damaged_members(tmp_path: Path, compression: int) -> None:
    path = package(tmp_path / "a.zip", 1, compression)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo("weights.onnx").header_offset + 60
    path.write_bytes(content[:at] + bytes(8) + b"\xff" * 8 + content[at + 16 :])
    with (
        open_files(path) as files,
        pytest.raises(InputError, match=r"weights\.onnx cannot be read"),
    ):
        files.read("weights.onnx")
