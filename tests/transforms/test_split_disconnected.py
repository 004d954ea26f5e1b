"""Connected pieces: golden rows, both connectivities, and a slow twin that floods."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from sectome.checks import InputError
from sectome.transforms import SplitDisconnected, SplitDisconnectedd, split_disconnected


def reference_pieces(labels: np.ndarray, connectivity: int) -> list[list[tuple[int, ...]]]:
    """Return the voxels of each piece by flooding, pieces in the order of their first voxels."""
    steps = [step for step in itertools.product((-1, 0, 1), repeat=3) if any(step)]
    steps = [step for step in steps if connectivity == 26 or sum(map(abs, step)) == 1]
    seen, pieces = set(), []
    for place in np.ndindex(*labels.shape):
        if labels[place] <= 0 or place in seen:
            continue
        piece, queue = [], [place]
        seen.add(place)
        while queue:
            here = queue.pop()
            piece.append(here)
            for step in steps:
                there = tuple(a + b for a, b in zip(here, step, strict=True))
                inside = all(0 <= at < length for at, length in zip(there, labels.shape, strict=True))
                if inside and there not in seen and labels[there] == labels[here]:
                    seen.add(there)
                    queue.append(there)
        pieces.append(piece)
    return pieces


def reference_split(labels: np.ndarray, connectivity: int, ids: str) -> np.ndarray:
    result = np.minimum(labels, 0)
    pieces = reference_pieces(labels, connectivity)
    largest: dict[int, list[tuple[int, ...]]] = {}
    for piece in pieces:
        old = labels[piece[0]]
        if old not in largest or len(piece) > len(largest[old]):
            largest[old] = piece
    new = labels.max() if ids == "keep" else 0
    for piece in pieces:
        kept = ids == "keep" and largest[labels[piece[0]]] is piece
        new += not kept
        for place in piece:
            result[place] = labels[place] if kept else new
    return result


def test_a_row_by_hand():
    row = torch.tensor([[[7, 0, 7, 7, -1, 3, 7]]])
    assert split_disconnected(row).tolist() == [[[8, 0, 7, 7, -1, 3, 9]]]
    assert split_disconnected(row, ids="new").tolist() == [[[1, 0, 2, 2, -1, 3, 4]]]


def test_corners_join_with_26_neighbours_only():
    square = torch.tensor([[[5, 0], [0, 5]]])
    assert split_disconnected(square, 6).tolist() == [[[5, 0], [0, 6]]]
    assert split_disconnected(square, 26).tolist() == square.tolist()


@pytest.mark.parametrize("connectivity", [6, 26])
@pytest.mark.parametrize("ids", ["keep", "new"])
@pytest.mark.parametrize("seed", [0, 1])
def test_it_equals_the_slow_twin(connectivity, ids, seed):
    labels = np.random.default_rng(seed).integers(-1, 4, (4, 5, 7)).repeat(2, axis=2)
    result = split_disconnected(torch.from_numpy(labels), connectivity, ids).numpy()
    assert np.array_equal(result, reference_split(labels, connectivity, ids))


def test_type_metadata_and_each_crop_of_a_batch_are_kept():
    labels = MetaTensor(torch.tensor([[[[4, 0, 4]]], [[[4, 4, 4]]]], dtype=torch.int32), meta={"place": 3})
    result = SplitDisconnectedd("label")({"label": labels})["label"]
    assert result.tolist() == [[[[5, 0, 6]]], [[[4, 4, 4]]]]
    assert result.dtype == torch.int32
    assert result.meta["place"] == 3


def test_a_type_that_is_full_and_unknown_options_are_refused():
    with pytest.raises(InputError, match="cannot hold the id 256"):
        split_disconnected(torch.tensor([[[255, 0, 255]]], dtype=torch.uint8))
    with pytest.raises(InputError, match="connectivity must be one of 6, 26, got 18"):
        SplitDisconnected(18)
    with pytest.raises(InputError, match="ids must be one of 'keep', 'new', got 'old'"):
        SplitDisconnected(ids="old")
