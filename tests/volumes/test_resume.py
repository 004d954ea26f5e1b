"""A conversion that is stopped resumes by the same command, to the same bytes, and loses no output meanwhile."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from sectome.checks import InputError
from sectome.cli import convert
from sectome.run_folder import RunFolder
from sectome.volumes import blocks, open_volume, write_volume
from sectome.volumes.downsample import Downsampled
from sectome.volumes.progress import WatchedSource

SHAPE = (70, 70, 70)
SIZE_NM = (8.0, 8.0, 8.0)
OUTPUTS = [
    "b.zarr",
    "b.zarr:deep/raw",
    "old.zarr:deep/raw",
    "b.ome.zarr",
    "old.ome.zarr:labels/raw",
    "b.n5",
    "b.n5:deep/raw",
    "old.n5:deep/raw",
    "b.precomputed",
]


class StoppedError(Exception):
    pass


def labels(dtype: type = np.uint8) -> np.ndarray:
    """Return labels that only differ in the blocks of 32^3 voxels they fill."""
    return sum(axis // 32 * step for axis, step in zip(np.indices(SHAPE), (1, 5, 25), strict=True)).astype(dtype) + 1


def noise() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, SHAPE, np.uint8)


def files(folder: Path) -> dict[str, bytes]:
    return {f"{path.relative_to(folder)}": path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def stop_at(monkeypatch: pytest.MonkeyPatch, most: int | None) -> count[int]:
    """Fail at the block of this number, over all levels; return the numbers of the blocks still to come."""
    numbers = count()
    for kind in (WatchedSource, Downsampled):

        def read(source, box, *, own=kind.__dict__["__getitem__"]):
            if next(numbers) == most:
                raise StoppedError
            return own(source, box)

        monkeypatch.setattr(kind, "__getitem__", read)
    return numbers


def converted(folder: Path, output: str, monkeypatch: pytest.MonkeyPatch, most: int | None = None) -> int:
    """Convert a.h5 of a folder, up to a block, and return how many blocks were read."""
    with monkeypatch.context() as patches:
        numbers = stop_at(patches, most)
        convert(f"{folder}/a.h5", f"{folder}/{output}")
        return next(numbers)


def place(folder: Path, voxels: np.ndarray, output: str) -> None:
    """Make a folder that holds the source, and for outputs named "old" a container with the output and another."""
    write_volume(folder / "a.h5", voxels, voxel_size_nm=SIZE_NM, offset_nm=(8, 16, 24))
    if output.startswith("old"):
        container = output.partition(":")[0]
        for name in ("other", output.partition(":")[2]):
            write_volume(f"{folder}/{container}:{name}", voxels[:9], voxel_size_nm=SIZE_NM)


@pytest.mark.parametrize("voxels", [labels(), labels(np.uint64), noise()], ids=["labels", "ids", "image"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_conversion_that_is_stopped_goes_on_to_the_same_bytes(tmp_path, monkeypatch, capsys, output, voxels):
    monkeypatch.setattr(blocks, "_BYTES_AT_ONCE", 32 * 64 * 70 * voxels.itemsize)
    place(tmp_path / "whole", voxels, output)
    place(tmp_path / "begun", voxels, output)
    number = converted(tmp_path / "whole", output, monkeypatch)
    assert number >= 6
    whole = files(tmp_path / "whole")
    for most in range(number):
        shutil.copytree(tmp_path / "begun", tmp_path / "twice")
        for after in (most, 0):
            with pytest.raises(StoppedError):
                converted(tmp_path / "twice", output, monkeypatch, after)
        kept = files(tmp_path / "twice")
        assert files(tmp_path / "begun").items() <= kept.items()
        assert any(".run/" in name for name in kept) == (most > 0)
        capsys.readouterr()
        assert converted(tmp_path / "twice", output, monkeypatch) == number - most
        assert capsys.readouterr().out.startswith("continuing after block " if most else "wrote ")
        assert files(tmp_path / "twice") == whole
        assert not list((tmp_path / "twice").rglob("*.run"))
        shutil.rmtree(tmp_path / "twice")


@pytest.mark.parametrize("output", OUTPUTS)
def test_one_that_is_stopped_just_before_it_takes_its_name_takes_it(tmp_path, monkeypatch, output):
    for name in ("whole", "twice"):
        place(tmp_path / name, labels(), output)
    converted(tmp_path / "whole", output, monkeypatch)
    rename = os.replace

    def refuse(partial, path):
        if ".run/output" in f"{partial}" and ".run" not in f"{path}":
            raise StoppedError
        rename(partial, path)

    with monkeypatch.context() as patches:
        patches.setattr(os, "replace", refuse)
        with pytest.raises(StoppedError):
            convert(f"{tmp_path}/twice/a.h5", f"{tmp_path}/twice/{output}")
    assert converted(tmp_path / "twice", output, monkeypatch) == 0
    assert files(tmp_path / "twice") == files(tmp_path / "whole")


@pytest.mark.parametrize(("begun", "finished"), [("container", ""), ("", "container")])
@pytest.mark.parametrize("output", ["b.zarr:deep/raw", "b.ome.zarr:labels/raw", "b.n5:deep/raw"])
def test_its_container_may_come_or_go_meanwhile(tmp_path, monkeypatch, output, begun, finished):
    place(tmp_path, labels(), output)
    container = output.partition(":")[0]
    write_volume(f"{tmp_path}/other/{container}:other", labels()[:9], voxel_size_nm=SIZE_NM)
    if begun:
        shutil.copytree(tmp_path / "other" / container, tmp_path / container)
    with pytest.raises(StoppedError):
        converted(tmp_path, output, monkeypatch, 1)
    if finished:
        shutil.copytree(tmp_path / "other" / container, tmp_path / container)
    else:
        shutil.rmtree(tmp_path / container)
    converted(tmp_path, output, monkeypatch)
    np.testing.assert_array_equal(open_volume(f"{tmp_path}/{output}")[...], labels())
    if finished:
        np.testing.assert_array_equal(open_volume(f"{tmp_path}/{container}:other")[...], labels()[:9])


def killed_conversion(source: Path, output: Path, block: int) -> None:
    """Run `sectome convert` in a process that gets SIGKILL when it reads this block."""
    script = f"""
import os, signal, sys
from itertools import count
from sectome.cli import main
from sectome.volumes.progress import WatchedSource
read, numbers = WatchedSource.__getitem__, count()
WatchedSource.__getitem__ = lambda source, box: (
    os.kill(os.getpid(), signal.SIGKILL) if next(numbers) == {block} else read(source, box)
)
sys.argv = ["sectome", "convert", {str(source)!r}, {str(output)!r}]
main()
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("output", ["b.ome.zarr", "b.tif"])
def test_a_killed_conversion_goes_on_or_begins_anew_by_the_same_command(tmp_path, run, output):
    write_volume(tmp_path / "a.h5", np.resize(labels(), (200, 60, 60)), voxel_size_nm=SIZE_NM)
    killed_conversion(tmp_path / "a.h5", tmp_path / "twice" / output, 2)
    assert [path.name for path in (tmp_path / "twice").iterdir()] == [f"{output}.run"]
    code, out, err = run("convert", tmp_path / "a.h5", tmp_path / "twice" / output)
    assert (code, out.splitlines()[:-1]) == (0, ["continuing after block 2"] * (output == "b.ome.zarr")), err
    assert run("convert", tmp_path / "a.h5", tmp_path / "once" / output)[0] == 0
    assert files(tmp_path / "twice") == files(tmp_path / "once")


def test_what_a_killed_conversion_without_progress_has_left_is_replaced_by_another(tmp_path, run):
    for name, voxels in (("a.h5", labels()), ("c.h5", noise())):
        write_volume(tmp_path / name, voxels, voxel_size_nm=SIZE_NM)
    killed_conversion(tmp_path / "a.h5", tmp_path / "b.tif", 1)
    code, out, err = run("convert", tmp_path / "c.h5", tmp_path / "b.tif")
    assert (code, out) == (0, f"wrote {tmp_path / 'b.tif'}\n"), err
    np.testing.assert_array_equal(open_volume(tmp_path / "b.tif")[...], noise())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "b.tif", "c.h5"]


def test_another_conversion_to_the_same_output_is_refused_and_nothing_is_lost(tmp_path, monkeypatch):
    write_volume(tmp_path / "a.h5", noise(), voxel_size_nm=SIZE_NM)
    write_volume(tmp_path / "b.zarr", noise()[:7], voxel_size_nm=SIZE_NM)
    with pytest.raises(StoppedError):
        converted(tmp_path, "b.zarr", monkeypatch, 1)
    before = files(tmp_path)
    write_volume(tmp_path / "other.h5", noise() // 2, voxel_size_nm=SIZE_NM)
    write_volume(tmp_path / "smaller.h5", noise()[:, :66], voxel_size_nm=SIZE_NM)
    write_volume(tmp_path / "floats.h5", noise().astype(np.float32), voxel_size_nm=SIZE_NM)
    refused = {
        "sample '.*', got '": {"array": open_volume(tmp_path / "other.h5")},
        "shape .* 70, 70.*, got .* 66, 70": {"array": open_volume(tmp_path / "smaller.h5")},
        "dtype 'uint8', got 'float32'": {"array": open_volume(tmp_path / "floats.h5")},
        r"voxel_size_nm \[8.0, 8.0, 8.0\], got \[9.0": {"voxel_size_nm": (9, 8, 8)},
        r"offset_nm \[0.0, 0.0, 0.0\], got \[1.0": {"offset_nm": (1, 2, 3)},
    }
    for said, options in refused.items():
        with pytest.raises(InputError, match=rf"b\.zarr\.run was begun with .*{said}.*, or remove .*b\.zarr\.run to"):
            write_volume(tmp_path / "b.zarr", **{"array": open_volume(tmp_path / "a.h5"), **options})
    with (
        RunFolder(tmp_path / "b.zarr.run").in_use(),
        pytest.raises(InputError, match=r"working on in .*, got one in use"),
    ):
        converted(tmp_path, "b.zarr", monkeypatch)
    assert before.items() <= files(tmp_path).items()
    (tmp_path / "a.h5").rename(tmp_path / "moved.h5")
    convert(f"{tmp_path}/moved.h5", f"{tmp_path}/b.zarr")
    np.testing.assert_array_equal(open_volume(tmp_path / "b.zarr")[...], noise())


def test_a_copy_whose_blocks_are_others_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "_BYTES_AT_ONCE", 32 * 64 * 70)
    write_volume(tmp_path / "a.h5", noise(), voxel_size_nm=SIZE_NM)
    write_volume(tmp_path / "sections", open_volume(tmp_path / "a.h5"))
    with pytest.raises(StoppedError):
        converted(tmp_path, "b.zarr", monkeypatch, 1)
    with pytest.raises(InputError, match=r"was begun with .*block \[.*\], got \["):
        convert(f"{tmp_path}/sections", f"{tmp_path}/b.zarr")


@pytest.mark.parametrize("held", ["mine.txt", "plan.json"])
def test_a_folder_of_something_else_is_refused_and_stays(tmp_path, held):
    """For example, that of a segmentation of the same output."""
    write_volume(tmp_path / "a.h5", noise())
    (tmp_path / "b.zarr.run").mkdir()
    for name in (held, "log.csv"):
        (tmp_path / "b.zarr.run" / name).write_text("{}")
    with pytest.raises(InputError, match=r"new or empty folder for the run, got .*which has no plan|was begun with"):
        convert(f"{tmp_path}/a.h5", f"{tmp_path}/b.zarr")
    assert {held, "log.csv"} <= {path.name for path in (tmp_path / "b.zarr.run").iterdir()} <= {held, "log.csv", "lock"}


def test_an_array_leaves_nothing_when_it_is_stopped(tmp_path, monkeypatch):
    stop_at(monkeypatch, 1)
    with pytest.raises(StoppedError):
        write_volume(tmp_path / "b.zarr", noise())
    assert list(tmp_path.iterdir()) == []
