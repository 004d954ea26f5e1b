"""The mutex watershed against a slow twin, another tool, and volumes drawn by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sectome.affinities import labels_to_affinities
from sectome.checks import InputError
from sectome.metrics import adapted_rand_error
from sectome.neighbourhoods import ISOTROPIC, LONG_RANGE, NEAREST
from sectome.postprocess import affinities_to_labels, mutex_watershed

OFFSETS = (*NEAREST, (-2, 0, 0), (0, -3, 0), (0, 2, -3), (1, 0, 2))


def slow_twin(affinities, offsets, strides=(1, 1, 1), bias=0.0, foreground=None):
    """Segment with sets of voxels and sets of forbidden partners, edge by edge."""
    shape = affinities.shape[1:]
    inside = np.ones(shape, bool) if foreground is None else foreground != 0
    edges = []
    for channel, offset in enumerate(offsets):
        attracts = tuple(offset) in NEAREST
        for voxel in itertools.product(*map(range, shape)):
            there = tuple(np.add(voxel, offset))
            if any(not 0 <= place < extent for place, extent in zip(there, shape, strict=True)):
                continue
            if not (inside[voxel] and inside[there]):
                continue
            if not attracts and any(place % stride for place, stride in zip(voxel, strides, strict=True)):
                continue
            value = float(affinities[(channel, *voxel)])
            edges.append((-(value + bias if attracts else 1 - value), len(edges), attracts, voxel, there))
    segment = {voxel: {voxel} for voxel in itertools.product(*map(range, shape))}
    forbidden = {voxel: set() for voxel in segment}
    for _, _, attracts, here, there in sorted(edges):
        one, other = segment[here], segment[there]
        if one is other:
            continue
        if not attracts:
            forbidden[here].add(there)
            forbidden[there].add(here)
        elif not any(partner in other for voxel in one for partner in forbidden[voxel]):
            one |= other
            for voxel in other:
                segment[voxel] = one
    labels = np.zeros(shape, int)
    for voxel in itertools.product(*map(range, shape)):
        if labels[voxel] == 0 and len(segment[voxel]) > 1:
            labels[tuple(np.transpose(list(segment[voxel])))] = labels.max() + 1
    return labels


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(1, 4), st.integers(2, 6), st.integers(2, 7)),
    levels=st.sampled_from([None, 4]),
    strides=st.sampled_from([(1, 1, 1), (1, 2, 3)]),
    bias=st.sampled_from([0.0, 0.25, -0.25]),
)
def test_it_is_the_slow_twin(seed, shape, levels, strides, bias):
    rng = np.random.default_rng(seed)
    affinities = rng.random((len(OFFSETS), *shape), dtype=np.float32)
    if levels:
        affinities = np.round(affinities * levels) / np.float32(levels)  # ties come in the order of channel and voxel
    foreground = rng.random(shape) < 0.9
    got = mutex_watershed(affinities, OFFSETS, strides=strides, bias=bias, foreground=foreground)
    np.testing.assert_array_equal(got, slow_twin(affinities, OFFSETS, strides, bias, foreground))


def test_many_merges_with_many_exclusions_are_the_slow_twins(bodies, predicted):
    affinities = predicted(bodies[:6, :24, :24], offsets=ISOTROPIC)
    got = mutex_watershed(affinities, ISOTROPIC, strides=(1, 1, 1))
    np.testing.assert_array_equal(got, slow_twin(affinities, ISOTROPIC))
    assert got.max() > 5


def test_it_is_what_bioimage_cpp_finds(bodies, predicted):
    segmentation = pytest.importorskip("bioimage_cpp.segmentation")
    affinities = predicted(bodies, offsets=LONG_RANGE)
    weights = np.concatenate([affinities[:3], 1 - affinities[3:]])
    theirs = segmentation.mutex_watershed(weights, [list(step) for step in LONG_RANGE], 3, strides=[1, 3, 3])
    ours = mutex_watershed(affinities, LONG_RANGE)
    pairs = np.unique(np.stack([ours[ours > 0], theirs[ours > 0]]), axis=1)
    assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]


def test_a_repelling_edge_keeps_a_weak_wall_that_attraction_would_cross():
    affinities = np.ones((4, 1, 1, 6), np.float32)
    offsets = (*NEAREST, (0, 0, -2))
    affinities[2, 0, 0, 3] = 0.6  # a faint membrane between voxels 2 and 3
    assert mutex_watershed(affinities, offsets, strides=(1, 1, 1)).tolist() == [[[1] * 6]]
    affinities[3, 0, 0, 3:5] = 0.1  # seen from further away they are different
    assert mutex_watershed(affinities, offsets, strides=(1, 1, 1)).tolist() == [[[1, 1, 1, 2, 2, 2]]]
    assert mutex_watershed(affinities, offsets, strides=(1, 1, 1), bias=0.5).tolist() == [[[1] * 6]]


def test_true_affinities_give_the_true_cells(cells):
    affinities = labels_to_affinities(cells, ISOTROPIC)[0].astype(np.float32)
    segments = affinities_to_labels(affinities, ISOTROPIC, method="mutex")
    assert adapted_rand_error(cells, segments) < 1e-3
    assert (segments[cells == 0] == 0).all()
    assert np.unique(segments).tolist() == list(range(int(segments.max()) + 1))


def test_predictions_are_segmented_better_than_by_mean_agglomeration(bodies, predicted):
    affinities = predicted(bodies, offsets=ISOTROPIC)
    mutex = adapted_rand_error(bodies, affinities_to_labels(affinities, ISOTROPIC, method="mutex", min_size_voxels=20))
    assert mutex < 0.15


def test_bytes_are_taken_as_they_are(bodies, predicted):
    stored = (predicted(bodies, offsets=ISOTROPIC) * 255).round().astype(np.uint8)
    np.testing.assert_array_equal(
        mutex_watershed(stored, ISOTROPIC), mutex_watershed(stored / np.float32(255), ISOTROPIC)
    )


def test_permuting_axes_with_their_offsets_permutes_the_result():
    affinities = np.random.default_rng(5).random((len(ISOTROPIC), 5, 6, 7), dtype=np.float32)
    turned = [ISOTROPIC.index(tuple(np.array(step)[[1, 2, 0]])) for step in ISOTROPIC]
    moved = np.empty((len(ISOTROPIC), 6, 7, 5), np.float32)
    for channel, other in enumerate(turned):
        moved[other] = affinities[channel].transpose(1, 2, 0)
    one = mutex_watershed(affinities, ISOTROPIC, strides=(1, 1, 1)).transpose(1, 2, 0)
    two = mutex_watershed(moved, ISOTROPIC, strides=(1, 1, 1))
    assert adapted_rand_error(one, two) == 0
    assert np.array_equal(one > 0, two > 0)


def test_nothing_and_one_section_are_fine():
    affinities = np.zeros((len(ISOTROPIC), 1, 4, 4), np.float32)
    whole = mutex_watershed(affinities, ISOTROPIC)
    assert whole.shape == (1, 4, 4)
    nothing = mutex_watershed(affinities, ISOTROPIC, foreground=np.zeros((1, 4, 4)))
    assert not nothing.any()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"offsets": NEAREST}, "offsets must include some beyond .*, which repel, .*, got none"),
        ({"strides": (0, 1, 1)}, r"strides must be three whole numbers of at least 1 \(z, y, x\), got \[0, 1, 1\]"),
        ({"bias": 2}, r"bias must lie in -1\.\.1, got 2"),
        (
            {"foreground": np.ones((2, 2, 2))},
            r"foreground must have the affinities' shape \(2, 3, 4\), got \(2, 2, 2\)",
        ),
        ({"offsets": ISOTROPIC[2:]}, "offsets must hold the nearest neighbour"),
    ],
)
def test_what_cannot_be_segmented_is_refused(options, sentence):
    offsets = options.pop("offsets", ISOTROPIC)
    with pytest.raises(InputError, match=sentence):
        mutex_watershed(np.zeros((len(offsets), 2, 3, 4), np.float32), offsets, **options)
