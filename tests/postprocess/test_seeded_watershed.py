"""The watershed from seeds: by hand, against sorted edges in Python, and what no region may be."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import ndimage

from sectome.postprocess.seeded_watershed import seeded_watershed


def line(heights, seeds, affinities):
    """A volume of one row."""
    nearest = np.zeros((3, 1, 1, len(heights)), np.float32)
    nearest[2, 0, 0, 1:] = affinities
    return nearest, np.array([[heights]], np.float32), np.array([[seeds]], np.int32)


def reference_seeded_watershed(nearest, heights, seeds, low, per_section):
    """Kruskal's algorithm with sets of voxels, by exact heights."""
    edges = []
    for p in itertools.product(*map(range, heights.shape)):
        for axis in range(1 if per_section else 0, 3):
            q = tuple(a - (d == axis) for d, a in enumerate(p))
            if q[axis] >= 0 and nearest[(axis, *p)] > low:
                ends = sorted((float(heights[p]), float(heights[q])))
                edges.append((-(0.9 * ends[0] + 0.1 * ends[1]), p, axis, q))
    sets = {p: {p} for p in itertools.product(*map(range, heights.shape))}
    seed_of = {p: int(seeds[p]) for p in sets}
    touched = set()
    for _, p, _, q in sorted(edges):
        touched |= {p, q}
        one, other = sets[p], sets[q]
        seed, other_seed = (max(seed_of[r] for r in members) for members in (one, other))
        if one is other or (seed and other_seed and seed != other_seed):
            continue
        one |= other
        for r in other:
            sets[r] = one
        for r in one:
            seed_of[r] = seed or other_seed
    labels, numbers = np.zeros(heights.shape, np.uint32), {}
    for p in sorted(touched):
        labels[p] = numbers.setdefault(id(sets[p]), len(numbers) + 1)
    return labels


def test_two_seeds_meet_at_the_lowest_place():
    regions = seeded_watershed(*line([5, 4, 2, 1, 3, 6], [1, 0, 0, 0, 0, 2], 1), top=10, low=0)
    # The lowest voxel goes to the higher of its neighbours.
    assert regions.tolist() == [[[1, 1, 1, 2, 2, 2]]]


def test_an_edge_at_the_low_threshold_is_not_crossed_and_what_no_seed_reaches_is_a_region():
    regions = seeded_watershed(*line([5, 4, 4, 4, 9], [1, 0, 0, 0, 0], [0.5, 0.125, 0.5, 0.125]), top=10, low=0.125)
    assert regions.tolist() == [[[1, 1, 2, 2, 0]]]


def test_a_seed_of_several_voxels_is_one_region():
    assert seeded_watershed(*line([5, 5, 5, 1], [3, 3, 3, 0], 1), top=10, low=0).tolist() == [[[1, 1, 1, 1]]]


def test_a_flat_volume_without_seeds_is_one_region():
    nearest = np.ones((3, 2, 3, 4), np.float32)
    regions = seeded_watershed(nearest, np.zeros((2, 3, 4), np.float32), np.zeros((2, 3, 4), np.int32), top=10, low=0)
    assert np.all(regions == 1)


@pytest.mark.parametrize("per_section", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_the_regions_agree_with_the_reference(random_affinities, seed, per_section):
    nearest = random_affinities(seed, shape=(4, 6, 7), levels=3)
    rng = np.random.default_rng(seed)
    heights = rng.random((4, 6, 7)).astype(np.float32)
    seeds = np.where(rng.random((4, 6, 7)) < 0.06, rng.permutation(4 * 6 * 7).reshape(4, 6, 7) + 1, 0).astype(np.int32)
    before = [array.copy() for array in (nearest, heights, seeds)]
    got = seeded_watershed(nearest, heights, seeds, top=10, low=0.4, per_section=per_section)
    np.testing.assert_array_equal(got, reference_seeded_watershed(nearest, heights, seeds, 0.4, per_section))
    for array, copy in zip((nearest, heights, seeds), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_every_region_is_one_piece_with_one_seed(random_affinities):
    nearest = random_affinities(7, shape=(6, 12, 13))
    heights = ndimage.gaussian_filter(np.random.default_rng(0).random((6, 12, 13)), 1)
    seeds, count = ndimage.label(heights > np.quantile(heights, 0.95), np.ones((3, 3, 3)))
    regions = seeded_watershed(nearest, heights, seeds, top=10, low=0)
    assert regions.min() == 1
    for region in range(1, int(regions.max()) + 1):
        # Seeds hang together by corners too, so a seed alone may be several pieces until its region is grown.
        assert len(set(seeds[regions == region].tolist()) - {0}) == 1
    assert set(np.unique(seeds[seeds > 0])) == set(range(1, count + 1))
