"""A disk that is full, or takes no larger file, while a volume is written: one sentence, and nothing stays."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sectome.affinity_file import write_affinities
from sectome.checks import InputError
from sectome.volumes import write_volume

NAMES = (
    "a.tif",
    "a.h5",
    "a.zarr",
    "a.ome.zarr:labels/a",
    "a.n5",
    "a.precomputed",
    "a.nii",
    "a.mrc",
    "a.npy",
    "a.npz",
    "sections/",
)


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (64, 256, 256), dtype=np.uint8)


@pytest.fixture
def no_large_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("no_large_files")
@pytest.mark.filterwarnings("ignore:a.npy cannot hold")
# mrcfile leaves the file of its own that it could not extend to be closed by Python.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "a.mrc"])
def test_a_file_that_may_not_grow_is_one_sentence(tmp_path, name):
    with pytest.raises(InputError, match=r"expected a writable output, got .*: .*") as caught:
        write_volume(f"{tmp_path}/{name}", noise(), voxel_size_nm=(30, 6, 6))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_large_files")
def test_affinities_that_do_not_fit_are_what_the_system_says(tmp_path):
    maps = np.random.default_rng(0).random((3, 32, 128, 128), dtype=np.float32)
    with pytest.raises(OSError, match="File too large"):
        write_affinities(tmp_path / "a.zarr", maps, ["a", "b", "c"], (30, 6, 6))
    assert list(tmp_path.iterdir()) == []


FULL = f"""
import os, sys, warnings
from sectome.volumes import write_volume
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_full_disk import NAMES, noise
warnings.simplefilter("ignore")
for name in NAMES:
    try:
        write_volume(f"full/{{name}}", noise(), voxel_size_nm=(30, 6, 6))
    except ValueError as error:
        print(name, type(error).__name__, os.listdir("full"))
"""


def test_a_full_disk_does_not_take_the_process_down(tmp_path):
    (tmp_path / "full").mkdir()
    own_disk = "mount -t tmpfs -o size=2m none full"
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    if not shutil.which("unshare") or subprocess.run([*unshare, own_disk], cwd=tmp_path, check=False).returncode:
        pytest.skip("a disk of its own needs Linux's user namespaces")
    command = [*unshare, f'{own_disk} && exec "$0" -c "$1"', sys.executable, FULL]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{name} InputError []" for name in NAMES]
