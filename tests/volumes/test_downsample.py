from __future__ import annotations

import numpy as np
import pytest

from sectome.geometry import Placement
from sectome.volumes import open_volume, write_volume
from sectome.volumes.downsample import Downsampled, block_majority, block_mean, coarser_levels, next_factors


def reference_block_mean(voxels, factors):
    shape = [-(-extent // factor) for extent, factor in zip(voxels.shape, factors, strict=True)]
    mean = np.empty(shape)
    for at in np.ndindex(*shape):
        box = tuple(slice(i * factor, (i + 1) * factor) for i, factor in zip(at, factors, strict=True))
        mean[at] = voxels[box].mean(dtype=float)
    return mean


@pytest.mark.parametrize("dtype", ["uint8", "int8", "float32", "float64"])
@pytest.mark.parametrize("factors", [(1, 2, 2), (2, 2, 2), (2, 1, 2)])
def test_the_mean_is_that_of_each_block_also_at_the_far_end(make_array, dtype, factors):
    array = make_array(dtype)
    before = array.copy()
    expected = reference_block_mean(array, factors)
    np.testing.assert_allclose(block_mean(array, factors), expected, atol=0.51 if array.dtype.kind in "iu" else 1e-3)
    assert block_mean(array, factors).dtype == array.dtype
    np.testing.assert_array_equal(array, before)


@pytest.mark.parametrize(
    ("shape", "size", "factors"),
    [
        ((64, 64, 64), (8, 8, 8), None),
        ((65, 64, 64), (8, 8, 8), (2, 2, 2)),
        ((100, 900, 900), (30, 6, 6), (1, 2, 2)),
        ((100, 900, 900), (30, 12, 12), (1, 2, 2)),
        ((100, 900, 900), (30, 24, 24), (2, 2, 2)),
        ((1, 900, 900), (4, 8, 8), (1, 2, 2)),
    ],
)
def test_the_axes_with_the_shortest_voxels_are_halved(shape, size, factors):
    assert next_factors(shape, size) == factors


@pytest.mark.parametrize("is_labels", [True, False])
def test_a_box_of_a_coarser_level_is_that_box_of_the_whole(tmp_path, make_array, is_labels):
    array = make_array()
    write_volume(tmp_path / "a.npz", array)
    coarser = Downsampled(open_volume(tmp_path / "a.npz")._open(), (1, 2, 2), is_labels)
    whole = (block_majority if is_labels else block_mean)(array, (1, 2, 2))
    assert coarser.shape == whole.shape
    np.testing.assert_array_equal(coarser[1:3, 1:4, 2:6], whole[1:3, 1:4, 2:6])


@pytest.mark.parametrize("reduce", [block_majority, block_mean])
def test_a_first_block_that_lacks_voxels_holds_what_there_is(make_array, reduce):
    array = make_array(np.float32)
    lacking = reduce(array, (2, 1, 2), (1, 0, 1))
    assert lacking.shape == (3, 7, 6)
    np.testing.assert_array_equal(lacking[1:, :, 1:], reduce(array[1:, :, 1:], (2, 1, 2)))
    np.testing.assert_array_equal(lacking[:1, :, :1], array[:1, :, :1])
    np.testing.assert_array_equal(lacking[:1, :, 1:], reduce(array[:1, :, 1:], (1, 1, 2)))


def test_a_coarser_voxel_is_larger_and_its_centre_lies_further_in():
    first, second = coarser_levels((5, 140, 90), Placement((30, 6, 12), (300, 0, 0)))
    assert (first.factors, first.shape) == ((1, 2, 1), (5, 70, 90))
    assert first.placement == Placement((30, 12, 12), (300, 3, 0))
    assert (second.factors, second.shape) == ((1, 2, 2), (5, 35, 45))
    assert second.placement == Placement((30, 24, 24), (300, 9, 6))


def reference_block_majority(labels, factors):
    """Block by block, the first of the commonest."""
    shape = [-(-extent // factor) for extent, factor in zip(labels.shape, factors, strict=True)]
    majority = np.zeros(shape, labels.dtype)
    for at in np.ndindex(*shape):
        box = tuple(slice(a * f, (a + 1) * f) for a, f in zip(at, factors, strict=True))
        voxels = labels[box].ravel().tolist()
        majority[at] = max(dict.fromkeys(voxels), key=voxels.count)
    return majority


@pytest.mark.parametrize("factors", [(1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 1, 2)])
def test_the_majority_of_labels_agrees_with_the_reference(factors):
    labels = np.random.default_rng(0).integers(0, 4, (5, 6, 7)).astype(np.uint32)
    before = labels.copy()
    np.testing.assert_array_equal(block_majority(labels, factors), reference_block_majority(labels, factors))
    np.testing.assert_array_equal(labels, before)
