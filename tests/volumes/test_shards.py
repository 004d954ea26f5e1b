"""Shards: the same content in fewer files, each written once and whole."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import tensorstore as ts

from sectome.checks import InputError
from sectome.geometry import Placement
from sectome.volumes import open_volume
from sectome.volumes.shards import in_shards, write_box
from sectome.volumes.tensorstore_process import open_store, zarr_spec
from sectome.volumes.zarr_writer import array_metadata

SHAPE = (70, 130, 150)
PLACEMENT = Placement((30.0, 6.0, 6.0))


def boxes(size):
    for place in product(*(range(0, extent, part) for extent, part in zip(SHAPE, size, strict=True))):
        yield tuple(slice(at, min(at + part, extent)) for at, part, extent in zip(place, size, SHAPE, strict=True))


def create(path, size):
    metadata = in_shards(array_metadata(SHAPE, np.dtype(np.uint32), PLACEMENT), size)
    return open_store({**zarr_spec(path), "metadata": metadata}, create=True, write=True)


def files(path):
    return sorted(file for file in (path / "c").rglob("*") if file.is_file())


def file_writes():
    name = "/tensorstore/kvstore/file/write"
    found = {one["name"]: one["values"][0] for one in ts.experimental_collect_matching_metrics(name)}
    return found[name]["value"] if name in found else 0


@pytest.fixture(scope="module")
def labels():
    return np.random.default_rng(0).integers(1, 9, SHAPE, dtype=np.uint32)


@pytest.mark.parametrize("size", [(32, 64, 64), (32, 128, 64), (64, 128, 128), (70, 64, 150), (90, 192, 192)], ids=str)
def test_a_box_is_one_file_that_is_written_once_and_all_readers_see_the_same(tmp_path, labels, size):
    store, number = create(tmp_path / "a.zarr", size), 0
    for number, box in enumerate(boxes(size), 1):
        before = file_writes()
        write_box(store, box, np.ascontiguousarray(labels[box]))
        assert file_writes() == before + 1
        assert len(files(tmp_path / "a.zarr")) == number
    volume = open_volume(tmp_path / "a.zarr")
    np.testing.assert_array_equal(volume[...], labels)
    np.testing.assert_array_equal(volume[31:33, 60:131, 100:], labels[31:33, 60:131, 100:])
    assert volume.voxel_size_nm == PLACEMENT.voxel_size_nm
    zarr = pytest.importorskip("zarr", reason="the zarr package is a development dependency on Python 3.11 and newer")
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "a.zarr", mode="r")[...], labels)


@pytest.mark.parametrize("at", [0, -1], ids=["whole", "cut by the end"])
def test_a_box_that_is_written_again_takes_the_place_of_the_old_file_at_once(tmp_path, labels, at):
    size = (64, 128, 128)
    box = list(boxes(size))[at]
    write_box(create(tmp_path / "a.zarr", size), box, np.ascontiguousarray(labels[box]))
    (file,) = files(tmp_path / "a.zarr")
    content = file.read_bytes()
    with file.open("rb") as old:
        again = open_store(zarr_spec(tmp_path / "a.zarr"), open=True, write=True)
        write_box(again, box, np.ascontiguousarray(labels[box]) + 1)
        # Whoever had opened the file sees what it was.
        assert old.read() == content
    assert files(tmp_path / "a.zarr") == [file]
    np.testing.assert_array_equal(open_volume(tmp_path / "a.zarr")[box], labels[box] + 1)


def test_what_is_all_background_needs_no_file(tmp_path):
    size = (64, 128, 128)
    box = next(boxes(size))
    write_box(create(tmp_path / "a.zarr", size), box, np.zeros(size, np.uint32))
    assert not files(tmp_path / "a.zarr")
    assert not open_volume(tmp_path / "a.zarr")[box].any()


def test_boxes_that_cut_chunks_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"expected boxes of whole chunks of \[32, 64, 64\], got \[64, 100, 128\]"):
        create(tmp_path / "a.zarr", (64, 100, 128))
