from __future__ import annotations

import numpy as np
import pytest

from sectome.volumes import blocks, open_volume, write_volume
from sectome.volumes.blocks import iterate_blocks, iterate_sections
from sectome.volumes.progress import watched


@pytest.mark.parametrize("budget", [1, 10_000, 100_000, 2**30])
@pytest.mark.parametrize("chunk", [(32, 64, 64), (1, 150, 200), (3, 40, 70)])
def test_blocks_cover_each_voxel_once_and_start_at_chunks(monkeypatch, budget, chunk):
    monkeypatch.setattr(blocks, "_BYTES_AT_ONCE", budget)
    visits = np.zeros((70, 150, 200), np.uint8)
    for box in iterate_blocks(visits, chunk, 2):
        assert all(part.start % size == 0 for part, size in zip(box, chunk, strict=True))
        voxels = visits[box].size
        assert voxels * 2 <= budget or voxels <= np.prod(chunk)
        visits[box] += 1
    assert (visits == 1).all()


def test_sections_come_in_order(monkeypatch):
    monkeypatch.setattr(blocks, "_BYTES_AT_ONCE", 100)
    array = np.arange(385).reshape(5, 7, 11)
    np.testing.assert_array_equal(np.stack(list(iterate_sections(array))), array)


def test_compressed_sections_are_walked_over_in_greater_boxes(tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "_BYTES_AT_ONCE", 4 * 70 * 90)
    voxels = np.ones((8, 70, 90), np.uint8)
    write_volume(tmp_path / "sections", voxels)
    chunk, whole_sections = (8, 10, 10), (1, 70, 90)
    assert len(list(iterate_blocks(voxels, chunk))) == 3
    with watched(open_volume(tmp_path / "sections"), "") as slabs:
        assert list(iterate_blocks(slabs, chunk)) == [(slice(0, 8), slice(0, 70), slice(0, 90))]
        assert len(list(iterate_blocks(slabs, whole_sections))) == 2
