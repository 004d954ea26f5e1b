"""Where windows lie and what they weigh."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from monai.data.utils import compute_importance_map, dense_patch_slices

from sectome.checks import InputError
from sectome.inference import window_grid

SHAPE, WINDOW = (37, 70, 64), (16, 32, 20)


@pytest.mark.parametrize("overlap", [0, 0.25, 0.5, 0.9])
def test_windows_lie_where_those_of_monai_do(overlap):
    grid = window_grid(SHAPE, WINDOW, overlap)
    stride = [max(1, int(size * (1 - overlap))) for size in WINDOW]
    for axis, along in enumerate(grid.starts):
        places = {part[axis].start for part in dense_patch_slices(SHAPE, WINDOW, stride)}
        assert list(along) == sorted(places)


def test_gaussian_weights_are_those_of_monai_but_for_its_floor():
    z, y, x = window_grid(SHAPE, WINDOW).weights
    theirs = compute_importance_map(WINDOW, mode="gaussian", sigma_scale=0.125).numpy()
    theirs /= theirs.max()
    np.testing.assert_allclose(np.maximum(z[:, None, None] * y[:, None] * x, theirs.min()), theirs, rtol=1e-4)


@given(
    extent=st.integers(5, 60),
    size=st.integers(1, 20),
    overlap=st.floats(0, 0.95),
    blending=st.sampled_from(["gaussian", "linear", "constant"]),
)
def test_every_voxel_has_a_window_and_the_sum_of_its_weights(extent, size, overlap, blending):
    size = min(size, extent)
    grid = window_grid((extent,) * 3, (size,) * 3, overlap, blending)
    slow = np.zeros(extent)
    for start in grid.starts[1]:
        assert 0 <= start <= extent - size
        slow[start : start + size] += grid.weights[1]
    assert slow.min() > 0
    np.testing.assert_allclose(grid.sums[1], slow, rtol=1e-5)
    assert len(set(grid.starts[1])) == len(grid.starts[1])


def test_an_overlap_may_be_a_number_of_numpy():
    assert window_grid(SHAPE, WINDOW, np.float32(0.5)).starts == window_grid(SHAPE, WINDOW, 0.5).starts


def test_what_cannot_be_laid_is_refused():
    with pytest.raises(
        InputError, match=r"a window must fit into the volume of \(37, 70, 64\) voxels, got \(40, 8, 8\)"
    ):
        window_grid(SHAPE, (40, 8, 8))
    with pytest.raises(InputError, match="overlap must be a number of at least 0 and less than 1, got 1"):
        window_grid(SHAPE, WINDOW, 1)
    with pytest.raises(InputError, match="blending must be one of 'gaussian', 'linear', 'constant', got 'mean'"):
        window_grid(SHAPE, WINDOW, 0.5, "mean")
