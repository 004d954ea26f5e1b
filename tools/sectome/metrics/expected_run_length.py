"""Expected run length: how far one can follow a neuron before its segment ends or merges."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage, sparse
from scipy.sparse.csgraph import minimum_spanning_tree
from scipy.spatial import KDTree
from skimage.morphology import skeletonize

from sectome.checks import InputError, check_at_least, check_triple
from sectome.metrics.contingency import check_labels, contingency_table
from sectome.types import LabelArray


@dataclass(frozen=True, eq=False)
class Skeletons:
    """The skeletons (centre lines) of all objects of a volume.

    Attributes:
        shape: shape (Z, Y, X) of the volume in voxels.
        nodes: (N, 3) int64 voxel positions (z, y, x).
        objects: (N,) object id of each node.
        edges: (E, 2) int64 pairs of nodes of one object that are 26-neighbours; they form no cycles.
        lengths_nm: (E,) float64 edge lengths in nm.
    """

    shape: tuple[int, ...]
    nodes: npt.NDArray[np.int64]
    objects: LabelArray
    edges: npt.NDArray[np.int64]
    lengths_nm: npt.NDArray[np.float64]

    @property
    def greatest_run_length_nm(self) -> float:
        """The expected run length of an error-free segmentation, in nm."""
        objects = self.objects[self.edges[:, 0]]
        return _expected_length(objects, objects, self.lengths_nm, self.lengths_nm.sum())


def skeletons(truth: Any, voxel_size_nm: Sequence[float]) -> Skeletons:
    """Return the skeleton of every object, thinned by scikit-image (Lee et al. 1994, doi:10.1006/cgip.1994.1042).

    The remaining voxels are nodes. The edges are the minimum spanning tree of 26-neighbours by length in nm, so that a
    clump of voxels is not counted twice. Thinning itself ignores the voxel size. It leaves nothing of some objects
    whose thickness is an even number of voxels: those do not count.

    Args:
        truth: (Z, Y, X) integer ground truth; 0 is no object.
        voxel_size_nm: voxel size (z, y, x).

    Raises:
        InputError: if the ground truth is not such an array, the voxel size is not three positive numbers, or no object
            is long enough to have an edge.
    """
    size = check_triple(voxel_size_nm, "voxel_size_nm")
    truth = check_labels(truth, "truth")
    if truth.ndim != 3:
        raise InputError(f"the truth must have three axes (Z, Y, X), got shape {truth.shape}")
    ids, places = np.unique(truth, return_inverse=True)
    places = places.reshape(truth.shape)
    boxes = ndimage.find_objects(places + 1) if truth.size else []
    parts = [np.empty((0, 4), np.int64)]
    for number, box in enumerate(boxes):
        if ids[number] != 0:
            nodes = np.argwhere(skeletonize(places[box] == number)) + [axis.start for axis in box]
            parts.append(np.insert(nodes, 0, number, axis=1))
    owners, nodes = np.split(np.concatenate(parts), [1], axis=1)
    edges, lengths_nm = _spanning_trees(nodes, owners.ravel(), size)
    if not len(edges):
        raise InputError(
            f"the truth must hold an object with a skeleton of two voxels or more, got none in {truth.shape}"
        )
    return Skeletons(truth.shape, nodes, ids[owners.ravel()], edges, lengths_nm)


def expected_run_length_of(skeletons: Skeletons, segmentation: Any, *, merge_nodes: int = 5) -> float:
    """Return the expected run length in nm of a segmentation; see `expected_run_length`.

    Args:
        skeletons: skeletons of the ground truth.
        segmentation: (Z, Y, X) integer labels.
        merge_nodes: see `expected_run_length`.

    Raises:
        InputError: if the segmentation is not integer or differs in shape, or `merge_nodes` is below 1.
    """
    segmentation = check_labels(segmentation, "segmentation")
    if segmentation.shape != skeletons.shape:
        raise InputError(f"the segmentation must have the truth's shape {skeletons.shape}, got {segmentation.shape}")
    check_at_least(merge_nodes, 1, "merge_nodes")
    segments = segmentation[tuple(skeletons.nodes.T)]
    table = contingency_table(skeletons.objects, segments, ignore_label=None)
    mergers = table.segments[(table.counts >= merge_nodes).sum(axis=0) > 1]
    one, other = segments[skeletons.edges.T]
    correct = (one == other) & (one != 0) & ~np.isin(one, mergers)
    objects, lengths_nm = skeletons.objects[skeletons.edges[correct, 0]], skeletons.lengths_nm[correct]
    return _expected_length(objects, one[correct], lengths_nm, skeletons.lengths_nm.sum())


def expected_run_length(
    truth: Any, segmentation: Any, voxel_size_nm: Sequence[float], *, merge_nodes: int = 5
) -> float:
    """Return the expected length in nm of the error-free run around a random point of a skeleton.

    This is the expected run length (Januszewski et al. 2018, doi:10.1038/s41592-018-0049-4). An edge of an object's
    skeleton belongs to a segment's run if both its ends lie in the segment. The score is the sum of squared run lengths
    over the length of all skeletons, since a random point falls into a run in proportion to its length. The
    segmentation's 0 has no run, nor has a merger, a segment that holds two objects or more. To score several
    segmentations, call `skeletons` once and `expected_run_length_of` for each.

    Args:
        truth: (Z, Y, X) integer ground truth; 0 is no object.
        segmentation: (Z, Y, X) integer labels.
        voxel_size_nm: voxel size (z, y, x).
        merge_nodes: number of an object's nodes, at least 1, from which a segment holds the object. Skeleton tips reach
            the surface, and thin objects are all surface, so segments catch single nodes of neighbours without a
            merger: on synthetic neurons whose borders were a voxel off, 1 cost 40% of the run length, 5 cost 2%. An
            object with fewer nodes is never held.

    Returns:
        0 to `Skeletons.greatest_run_length_nm`.

    Raises:
        InputError: see `skeletons` and `expected_run_length_of`.
    """
    return expected_run_length_of(skeletons(truth, voxel_size_nm), segmentation, merge_nodes=merge_nodes)


def _spanning_trees(nodes: Any, owners: Any, voxel_size_nm: Sequence[float]) -> tuple[Any, Any]:
    """Return the (E, 2) edges of each owner's minimum spanning forest of 26-neighbours, and their lengths in nm."""
    # Between sqrt(3), the distance of a diagonal neighbour, and 2, that of the next voxel but one.
    pairs = KDTree(nodes).query_pairs(1.9, output_type="ndarray")
    one, other = pairs[owners[pairs[:, 0]] == owners[pairs[:, 1]]].T
    lengths_nm = np.linalg.norm((nodes[one] - nodes[other]) * np.asarray(voxel_size_nm), axis=1)
    trees = minimum_spanning_tree(sparse.csr_array((lengths_nm, (one, other)), shape=(len(nodes), len(nodes))))
    return np.stack(trees.nonzero(), axis=1), trees.data


def _expected_length(objects: Any, segments: Any, lengths_nm: Any, total_nm: float) -> float:
    """Return the sum of squared runs divided by the total length; a run is all edges of an object in a segment."""
    ids, rows = np.unique(objects, return_inverse=True)
    others, columns = np.unique(segments, return_inverse=True)
    runs = sparse.csr_array((lengths_nm, (rows, columns)), shape=(len(ids), len(others)))
    return float((runs.data**2).sum() / total_nm)
