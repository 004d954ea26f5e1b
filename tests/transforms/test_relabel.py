"""New ids: golden rows, both orders, and a slow twin."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from sectome.checks import InputError
from sectome.transforms import Relabel, Relabeld, relabel


def reference_relabel(labels: np.ndarray, order: str) -> np.ndarray:
    seen: list[int] = []
    for value in labels.ravel().tolist():
        if value > 0 and value not in seen:
            seen.append(value)
    if order == "ascending":
        seen.sort()
    new = {-1: -1, 0: 0, **{old: number + 1 for number, old in enumerate(seen)}}
    return np.vectorize(new.get)(labels)


def test_a_row_by_hand():
    row = torch.tensor([[[70, 0, 9, -1, 70, 2**60]]])
    assert relabel(row).tolist() == [[[2, 0, 1, -1, 2, 3]]]
    assert relabel(row, "appearance").tolist() == [[[1, 0, 2, -1, 1, 3]]]


@pytest.mark.parametrize("order", ["ascending", "appearance"])
@pytest.mark.parametrize("low", [-1, 0, 1])
def test_it_equals_the_slow_twin(order, low):
    labels = np.random.default_rng(0).integers(low, 30, (3, 4, 5)) * 3
    labels = np.where(labels < 0, -1, labels)
    assert np.array_equal(relabel(torch.from_numpy(labels), order).numpy(), reference_relabel(labels, order))


def test_type_and_metadata_stay():
    labels = MetaTensor(torch.tensor([[[[9, 4]]]], dtype=torch.int32), meta={"voxel_size_nm": (30, 6, 6)})
    result = Relabeld("label")({"label": labels})["label"]
    assert result.tolist() == [[[[2, 1]]]]
    assert result.dtype == torch.int32
    assert result.meta["voxel_size_nm"] == (30, 6, 6)


def test_an_unknown_order_is_refused():
    with pytest.raises(InputError, match="order must be one of 'ascending', 'appearance', got 'random'"):
        Relabel("random")
