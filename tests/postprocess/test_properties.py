"""What holds of every segmentation: no axis is special, segments are one piece, and odd volumes are fine or refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import measure

from sectome.checks import InputError
from sectome.neighbourhoods import ISOTROPIC, NEAREST
from sectome.postprocess import (
    affinities_to_history,
    affinities_to_labels,
    agglomerate,
    fragments_distance,
    fragments_watershed,
    mutex_watershed,
    region_graph,
)
from sectome.postprocess.check_affinities import check_fragments

OFFSETS = (*NEAREST, (-2, 0, 0), (0, -2, 0), (0, 0, -2), (1, -1, 2), (2, 1, -1), (-1, 2, 1))
EVERY_METHOD = pytest.mark.parametrize("method", ["mean", "quantile_50", "max_3", "mutex"])
EVERY_ROAD = pytest.mark.parametrize(
    "options",
    [
        *(
            {"method": method, "fragments": fragments, "long_range": long_range}
            for method in ("mean", "quantile_75", "max_3")
            for fragments in ("watershed", "distance")
            for long_range in ("no", "touching", "all")
        ),
        {"fragments": "distance", "per_section": True, "small_voxels": 40},
        {"fragments": "watershed", "high": 0.95, "small_voxels": 40, "min_size_voxels": 10},
        {"fragments": "watershed", "long_range": "all", "large_voxels": 300},
        {"method": "mutex"},
        {"method": "mutex", "min_size_voxels": 20, "bias": 0.1},
    ],
    ids=lambda options: "-".join(map(str, options.values())),
)


def partition(labels):
    """Labels by first appearance, to compare partitions."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse].reshape(labels.shape)


def assert_same_segments(one, other):
    np.testing.assert_array_equal(partition(one), partition(other))
    np.testing.assert_array_equal(one > 0, other > 0)


def turned(affinities, offsets, axes):
    """Affinities and offsets of the volume with its axes in another order."""
    steps = [tuple(step[axis] for axis in axes) for step in offsets]
    return np.ascontiguousarray(affinities.transpose(0, *(1 + axis for axis in axes))), steps


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10**6),
    axes=st.permutations(range(3)),
    options=st.sampled_from(
        [
            {"long_range": "no"},
            {"long_range": "touching"},
            {"long_range": "all", "small_voxels": 4},
            {"method": "mutex", "strides": (1, 1, 1)},
        ]
    ),
)
def test_no_axis_is_special(random_affinities, seed, axes, options):
    affinities = random_affinities(seed, channels=len(OFFSETS))
    options = {"fragments": "watershed", "threshold": 0.55, "low": 0.3, **options}
    expected = affinities_to_labels(affinities, OFFSETS, **options)
    segments = affinities_to_labels(*turned(affinities, OFFSETS, axes), **options)
    assert 1 < expected.max() < expected.size
    assert_same_segments(expected.transpose(axes), segments)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), axes=st.permutations(range(3)))
def test_no_axis_is_special_to_fragments(random_affinities, seed, axes):
    affinities = random_affinities(seed)
    expected = fragments_watershed(affinities, NEAREST, low=0.2, high=0.9)
    fragments = fragments_watershed(*turned(affinities, NEAREST, axes), low=0.2, high=0.9)
    assert_same_segments(expected.transpose(axes), fragments)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), low=st.integers(0, 100), high=st.integers(150, 256))
def test_only_the_order_of_affinities_counts_for_the_watershed(random_affinities, seed, low, high):
    # Squares of 8 bits are exact in float32.
    affinities = random_affinities(seed, levels=256)
    np.testing.assert_array_equal(
        fragments_watershed(affinities, NEAREST, low=low / 256, high=high / 256),
        fragments_watershed(affinities**2, NEAREST, low=(low / 256) ** 2, high=(high / 256) ** 2),
    )


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), percent=st.sampled_from([10, 50, 75]))
def test_only_the_order_of_affinities_counts_for_quantiles(random_affinities, seed, percent):
    levels = (random_affinities(seed, levels=99) * 99).round().astype(np.uint8)
    raised = np.sort(np.random.default_rng(seed).choice(256, 100, replace=False)).astype(np.uint8)
    fragments = fragments_watershed(levels, NEAREST, high=1.0)
    one, other = (
        agglomerate(region_graph(volume, NEAREST, fragments, keep_levels=True), scoring=f"quantile_{percent}")
        for volume in (levels, raised[levels])
    )
    np.testing.assert_array_equal(one.merges, other.merges)
    np.testing.assert_array_equal(raised[(one.scores * 255).round().astype(int)], (other.scores * 255).round())


@EVERY_ROAD
def test_segments_are_numbered_from_one_and_each_is_one_piece(bodies, predicted, options):
    affinities = predicted(bodies, offsets=ISOTROPIC)
    options = {"voxel_size_nm": (30.0, 6.0, 8.0), "threshold": 0.4, **options}
    segments = affinities_to_labels(affinities, ISOTROPIC, **options)
    assert segments.dtype == np.min_scalar_type(int(segments.max()))
    assert sorted({0, *np.unique(segments).tolist()}) == list(range(int(segments.max()) + 1))
    assert measure.label(segments, connectivity=1, background=0).max() == segments.max()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6), levels=st.sampled_from([None, 4]), per_section=st.booleans())
def test_fragments_and_segments_of_noise_are_one_piece_each(random_affinities, seed, levels, per_section):
    affinities = random_affinities(seed, levels=levels)
    for fragments in (
        fragments_watershed(affinities, NEAREST, high=0.9, per_section=per_section),
        fragments_distance(affinities, NEAREST, boundary_threshold=0.5, per_section=per_section),
    ):
        assert measure.label(fragments, connectivity=1, background=0).max() == fragments.max()
        history = agglomerate(region_graph(affinities, NEAREST, fragments))
        segments = history.labels_at(0.6, fragments)
        assert measure.label(segments, connectivity=1, background=0).max() == segments.max()


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6))
def test_a_lower_threshold_only_merges(random_affinities, seed):
    affinities = random_affinities(seed, channels=len(OFFSETS))
    thresholds = (0.7, 0.55, 0.4)
    finer, *coarser = (
        affinities_to_labels(affinities, OFFSETS, fragments="watershed", long_range="all", threshold=threshold)
        for threshold in thresholds
    )
    for labels in coarser:
        pairs = np.unique(np.stack([finer.ravel(), labels.ravel()]), axis=1)
        assert len(np.unique(pairs[0])) == pairs.shape[1]
        finer = labels


@EVERY_ROAD
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_volume_without_tissue_has_no_segments(options, dtype):
    affinities = np.zeros((len(ISOTROPIC), 4, 5, 6), dtype)
    assert not affinities_to_labels(affinities, ISOTROPIC, **options).any()
    affinities[:] = 200 if dtype == np.uint8 else 0.8
    assert not affinities_to_labels(affinities, ISOTROPIC, foreground_threshold=0.9, **options).any()


@EVERY_ROAD
@pytest.mark.parametrize("shape", [(1, 6, 7), (6, 1, 7), (1, 1, 8), (2, 8, 1)])
def test_one_section_and_one_row_are_fine(options, shape):
    affinities = np.ones((len(ISOTROPIC), *shape), np.float32)
    segments = affinities_to_labels(affinities, ISOTROPIC, **options)
    assert np.all(segments == (1 if affinities[0].size >= options.get("min_size_voxels", 0) else 0))


@EVERY_ROAD
def test_one_voxel_is_background(options):
    one = affinities_to_labels(np.ones((len(ISOTROPIC), 1, 1, 1), np.float32), ISOTROPIC, **options)
    assert one.tolist() == [[[0]]]


def test_affinities_that_rounding_took_out_of_range_count_as_0_and_1(random_affinities):
    affinities = random_affinities(0, channels=len(OFFSETS))
    affinities = np.where(affinities < 0.2, -5e-5, np.where(affinities > 0.8, 1.00005, affinities)).astype(np.float32)
    clipped = affinities.clip(0, 1)
    fragments = fragments_watershed(clipped, OFFSETS)
    for long_range in ("no", "touching", "all"):
        options = {"long_range": long_range, "keep_levels": True}
        got, expected = (region_graph(volume, OFFSETS, fragments, **options) for volume in (affinities, clipped))
        np.testing.assert_array_equal(got.edges, expected.edges)
        np.testing.assert_array_equal(got.counts, expected.counts)
        np.testing.assert_array_equal(got.levels, expected.levels)
        np.testing.assert_allclose(got.means, expected.means, atol=1e-4)
    for method in ("mean", "quantile_50", "max_3", "mutex"):
        options = {"method": method, "fragments": "watershed"}
        assert_same_segments(
            affinities_to_labels(affinities, OFFSETS, **options), affinities_to_labels(clipped, OFFSETS, **options)
        )


@EVERY_METHOD
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"affinities": np.full((9, 2, 3, 4), np.nan)}, r"must lie in 0\.\.1 .*, got values in nan\.\.nan"),
        ({"affinities": np.full((9, 2, 3, 4), 1.1)}, r"must lie in 0\.\.1 .*, got values in 1\.1\.\.1\.1"),
        ({"affinities": np.full((9, 2, 3, 4), np.inf)}, r"got values in inf\.\.inf"),
        ({"affinities": np.zeros((9, 2, 3, 4), int)}, "must be floats in 0..1 or uint8 in 0..255, got int64"),
        (
            {"affinities": np.zeros((8, 2, 3, 4))},
            r"must have 9 channels, one per offset, got 8 in shape \(8, 2, 3, 4\)",
        ),
        ({"affinities": np.zeros((9, 3, 4))}, r"must have axes \(K, Z, Y, X\), got shape \(9, 3, 4\)"),
        ({"affinities": np.zeros((9, 2, 0, 4))}, "must hold at least one voxel"),
        ({"offsets": (*ISOTROPIC[:-1], (0, 0, 0))}, r"must not be \(0, 0, 0\)"),
        ({"offsets": (*ISOTROPIC[:-1], (0, 1))}, r"must have 3 parts \(z, y, x\), got \[0, 1\]"),
        ({"offsets": (*ISOTROPIC[:-1], NEAREST[0])}, r"must be given once, got \(-1, 0, 0\) twice"),
        ({"offsets": ((0, 0, -7), *ISOTROPIC[1:])}, r"must hold the nearest neighbour \(-1, 0, 0\)"),
        ({"offsets": ()}, "must name at least one"),
    ],
)
def test_affinities_that_do_not_fit_are_refused(method, change, sentence):
    arguments = {"affinities": np.zeros((9, 2, 3, 4), np.float32), "offsets": ISOTROPIC, **change}
    with pytest.raises(InputError, match=sentence):
        affinities_to_labels(**arguments, method=method)


def test_one_nan_among_many_is_found(random_affinities):
    affinities = random_affinities(0)
    affinities[1, 2, 3, 4] = np.nan
    for call in (affinities_to_labels, affinities_to_history, fragments_watershed, fragments_distance):
        with pytest.raises(InputError, match=r"got values in nan\.\.nan"):
            call(affinities, NEAREST)


def test_a_mutex_watershed_has_no_history(random_affinities):
    with pytest.raises(InputError, match=r"method must be one that scores pairs .* for a merge history, got mutex"):
        affinities_to_history(random_affinities(0, channels=9), ISOTROPIC, method="mutex")


def test_a_mutex_watershed_without_long_offsets_is_refused(random_affinities):
    with pytest.raises(InputError, match=r"offsets must include some beyond .*, which repel, .*, got none"):
        affinities_to_labels(random_affinities(0), NEAREST, method="mutex")
    with pytest.raises(InputError, match="offsets must include some beyond"):
        mutex_watershed(random_affinities(0), NEAREST)


@pytest.mark.parametrize("last", [2**31, 2**40])
def test_ids_beyond_31_bits_are_refused(last):
    fragments = np.array([[[1, last]]])
    with pytest.raises(InputError, match=rf"fragment ids must lie in 0\.\.2147483647, got 1\.\.{last}"):
        check_fragments(fragments)
    assert check_fragments(fragments - last + 2**31 - 1 + (last - 2**31 + 1) * (fragments == 1)).dtype == np.uint32
