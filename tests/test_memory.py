from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp

from jaxseg import memory


def group(folder: Path, limit: str, names: tuple[str, str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(limit)
    (folder / names[1]).write_text("600\n")
    (folder / "memory.stat").write_text(f"anon 500\n{names[2]} 100\n")


def test_the_memory_of_control_groups(tmp_path: Path) -> None:
    second, first = memory.FILES[""], memory.FILES["memory"]
    group(tmp_path / "slice/job", "1000\n", second)
    group(tmp_path / "slice", "max\n", second)
    group(tmp_path / "memory/job", "2000\n", first)
    group(tmp_path, "5000\n", second)
    (tmp_path / "own").write_text("0::/slice/job\n4:cpu:/\n5:memory:/job\n")
    assert list(memory.free_of_groups(tmp_path / "own", tmp_path)) == [500, 4500, 1500]
    assert list(memory.free_of_groups(tmp_path / "nothing", tmp_path)) == []


def test_there_is_memory() -> None:
    assert 2**20 < memory.available() < 2**50
    devices = jax.devices()
    assert abs(memory.limit_of(devices) * len(devices) / memory.available() - 1) < 0.2


def test_a_buffer_that_is_used_again_counts_once() -> None:
    def doubled(x):
        return 2 * x

    image = jnp.zeros((512, 512))
    fresh = memory.need_of(jax.jit(doubled).lower(image).compile())
    again = memory.need_of(jax.jit(doubled, donate_argnums=0).lower(image).compile())
    assert fresh.total - again.total == image.nbytes
