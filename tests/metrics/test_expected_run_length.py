"""Expected run length: thin neurons by hand, and a slow twin on anisotropic voxels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from skimage.morphology import skeletonize

from sectome.checks import InputError
from sectome.metrics import expected_run_length, expected_run_length_of, skeletons

VOXEL_SIZE_NM = (40.0, 7.0, 5.0)


def two_neurons():
    """Neuron 3 runs along x for 11 voxels, neuron 8 along y for 6."""
    truth = np.zeros((4, 9, 13), np.uint8)
    truth[1, 1, 1:12] = 3
    truth[3, 2:8, 4] = 8
    return truth


def reference_expected_run_length(truth, segmentation, voxel_size_nm, merge_nodes):
    """Kruskal's algorithm on all pairs of skeleton voxels of an object, then runs in dictionaries."""
    edges, held = [], {}
    for label in sorted(set(truth.ravel().tolist()) - {0}):
        nodes = [tuple(node) for node in np.argwhere(skeletonize(truth == label)).tolist()]
        tree_of = {node: {node} for node in nodes}
        pairs = [
            (float(np.linalg.norm(np.subtract(one, other) * voxel_size_nm)), one, other)
            for one, other in itertools.combinations(nodes, 2)
            if max(abs(np.subtract(one, other))) == 1
        ]
        for length, one, other in sorted(pairs):
            if tree_of[one] is not tree_of[other]:
                edges.append((label, length, segmentation[one], segmentation[other]))
                tree_of[one] |= tree_of[other]
                for node in tree_of[other]:
                    tree_of[node] = tree_of[one]
        for node in nodes:
            held.setdefault(segmentation[node], {}).setdefault(label, []).append(node)
    mergers = {
        segment for segment, objects in held.items() if sum(len(nodes) >= merge_nodes for nodes in objects.values()) > 1
    }
    runs = {}
    for label, length, one, other in edges:
        if one == other != 0 and one not in mergers:
            runs[label, one] = runs.get((label, one), 0) + length
    return sum(run**2 for run in runs.values()) / sum(length for _, length, _, _ in edges)


def test_skeletons_are_lines_in_nm():
    found = skeletons(two_neurons(), VOXEL_SIZE_NM)
    assert found.nodes[found.objects == 3].tolist() == [[1, 1, x] for x in range(1, 12)]
    assert found.nodes[found.objects == 8].tolist() == [[3, y, 4] for y in range(2, 8)]
    assert sorted(found.lengths_nm.tolist()) == [5.0] * 10 + [7.0] * 5
    # A point lies on the first with 50 / 85, on the second with 35 / 85.
    assert found.greatest_run_length_nm == pytest.approx((50**2 + 35**2) / 85)


def test_the_truth_has_the_greatest_run_length():
    truth = two_neurons()
    greatest = skeletons(truth, VOXEL_SIZE_NM).greatest_run_length_nm
    assert expected_run_length(truth, truth, VOXEL_SIZE_NM) == pytest.approx(greatest)
    assert expected_run_length(truth, np.zeros_like(truth), VOXEL_SIZE_NM) == 0


def test_a_split_ends_a_run_and_the_edge_across_it_is_nobodys():
    truth = two_neurons()
    segmentation = truth.astype(np.int64) * 10**12
    segmentation[:, :, 8:] = 5
    # Voxels 1 to 7 and 8 to 11: six and three edges of 5 nm.
    expected = (30**2 + 15**2 + 35**2) / 85
    assert expected_run_length(truth, segmentation, VOXEL_SIZE_NM) == pytest.approx(expected)
    segmentation[:, :, 8:] = 0
    assert expected_run_length(truth, segmentation, VOXEL_SIZE_NM) == pytest.approx((30**2 + 35**2) / 85)


def test_a_merger_has_no_run_in_either_object():
    truth = two_neurons()
    segmentation = np.where(truth == 8, 3, truth)
    segmentation[:, :, 8:] = 5
    assert expected_run_length(truth, segmentation, VOXEL_SIZE_NM) == pytest.approx(15**2 / 85)


@pytest.mark.parametrize(("strays", "merges"), [(1, False), (4, False), (5, True)])
def test_a_few_strayed_nodes_are_no_merger(strays, merges):
    truth = two_neurons()
    segmentation = truth.copy()
    segmentation[3, 2 : 2 + strays, 4] = 3
    left = 7.0 * max(0, 5 - strays)
    expected = left**2 if merges else 50**2 + left**2 + (7.0 * (strays - 1)) ** 2
    assert expected_run_length(truth, segmentation, VOXEL_SIZE_NM) == pytest.approx(expected / 85)
    strict = expected_run_length(truth, segmentation, VOXEL_SIZE_NM, merge_nodes=1)
    assert strict == pytest.approx(left**2 / 85)


@pytest.mark.parametrize("merge_nodes", [1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_it_agrees_with_the_reference(seed, merge_nodes):
    rng = np.random.default_rng(seed)
    truth = np.kron(rng.integers(0, 5, (3, 3, 4)), np.ones((3, 5, 4), int))
    segmentation = np.kron(rng.integers(0, 20, (3, 3, 2)), np.ones((3, 5, 8), int))
    before = truth.copy(), segmentation.copy()
    found = skeletons(truth, VOXEL_SIZE_NM)
    for labels in (segmentation, truth, np.where(segmentation < 9, truth, segmentation)):
        expected = reference_expected_run_length(truth, labels, VOXEL_SIZE_NM, merge_nodes)
        assert expected_run_length_of(found, labels, merge_nodes=merge_nodes) == pytest.approx(expected)
    np.testing.assert_array_equal(truth, before[0])
    np.testing.assert_array_equal(segmentation, before[1])


def test_objects_that_touch_each_other_or_the_border_have_skeletons_of_their_own():
    truth = np.ones((1, 2, 8), np.uint64)
    truth[:, 1] = 2**63
    found = skeletons(truth, VOXEL_SIZE_NM)
    assert sorted(found.lengths_nm.tolist()) == [5.0] * 14
    assert found.greatest_run_length_nm == pytest.approx(35)
    assert expected_run_length_of(found, truth) == pytest.approx(35)


def test_an_object_of_one_voxel_has_no_length():
    truth = two_neurons()
    alone = skeletons(truth, VOXEL_SIZE_NM).greatest_run_length_nm
    truth[0, 8, 12] = 9
    found = skeletons(truth, VOXEL_SIZE_NM)
    assert 9 in found.objects
    assert found.greatest_run_length_nm == pytest.approx(alone)


def test_what_cannot_be_scored_is_refused():
    truth = two_neurons()
    with pytest.raises(InputError, match=r"the truth's shape \(4, 9, 13\), got \(3, 9, 13\)"):
        expected_run_length(truth, truth[1:], VOXEL_SIZE_NM)
    with pytest.raises(InputError, match="the segmentation must hold integer labels, got float64"):
        expected_run_length(truth, truth.astype(float), VOXEL_SIZE_NM)
    with pytest.raises(InputError, match=r"three axes \(Z, Y, X\), got shape \(9, 13\)"):
        skeletons(truth[1], VOXEL_SIZE_NM)
    with pytest.raises(InputError, match="voxel_size_nm must be three positive numbers"):
        skeletons(truth, (40, 0, 5))
    with pytest.raises(InputError, match="merge_nodes must be a number of at least 1, got 0"):
        expected_run_length(truth, truth, VOXEL_SIZE_NM, merge_nodes=0)
    one_voxel = np.zeros((3, 4, 5), int)
    for labels in (0 * one_voxel, one_voxel, one_voxel[:0]):
        with pytest.raises(InputError, match="an object with a skeleton of two voxels or more, got none"):
            skeletons(labels, VOXEL_SIZE_NM)
        one_voxel[1, 1, 1] = 1
