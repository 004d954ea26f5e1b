"""Test-time augmentation: the mean of a network's predictions over several orientations of a window."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final

import torch
from torch import Tensor

from sectome.affinities import both_ends
from sectome.checks import InputError, check_choice
from sectome.inference.blended_slabs import Predict
from sectome.neighbourhoods import check_offsets
from sectome.transforms.random_orientation import ANISOTROPIC_ORDERS, ISOTROPIC_ORDERS
from sectome.types import Offset, Offsets

_ORDERS: Final[dict[str, tuple[tuple[int, ...], ...]]] = {
    "one": ((0, 1, 2),),
    "flips": ((0, 1, 2),),
    "in_plane": ANISOTROPIC_ORDERS,
    "isotropic": ISOTROPIC_ORDERS,
}
"""Axis orders by choice of orientations, each combined with all flips except for "one"."""

_FLIPS: Final = tuple(product((False, True), repeat=3))


def predict_oriented(predict: Predict, orientations: str, offsets: Offsets | None = None) -> Predict:
    """Return a prediction function that averages over orientations of each window.

    A flip moves an affinity to the other end of its pair of voxels, and a transposition to another channel; both are
    undone. If the other end lies outside the window, that orientation has no vote there. Orientations are predicted one
    after the other, so they need no more memory than one.

    Args:
        predict: maps windows (B, 1, z, y, x) to values (B, C, z, y, x).
        orientations: "one", the window as it is; "flips", all 8 flips; "in_plane", flips with and without exchanged y
            and x, 16; or "isotropic", flips with all permutations of axes, 48.
        offsets: (z, y, x) offsets of the channels if they are affinities; None for channels that do not depend on
            orientation.

    Raises:
        InputError: if the choice is unknown, or exchanging axes does not map the set of offsets onto itself up to
            signs; when the result is called, if exchanged axes of a window differ in length.
    """
    orders = _orders_of(orientations)
    if orientations == "one":
        return predict
    steps = None if offsets is None else check_offsets(offsets)
    if steps is not None:
        _check_mapped(steps, orientations)

    def mean(windows: Tensor) -> Tensor:
        check_exchanged(orientations, windows.shape[2:], "windows")
        sums: tuple[Tensor, Tensor] | None = None
        for order, flipped in product(orders, _FLIPS):
            axes = [2 + axis for axis in range(3) if flipped[axis]]
            turned = windows.permute(0, 1, *(2 + axis for axis in order)).flip(axes).contiguous()
            back = [2 + order.index(axis) for axis in range(3)]
            values = predict(turned).float().flip(axes).permute(0, 1, *back)
            signs = [-1 if flipped[order.index(axis)] else 1 for axis in range(3)]
            sums = sums or (torch.zeros_like(values), torch.zeros_like(values[:1]))
            _add(*sums, values, steps, order, signs)
        assert sums is not None
        total, votes = sums
        return total / votes

    return mean


def predictions_a_window(orientations: str) -> int:
    """Return how often the network runs per window; see `predict_oriented`."""
    orders = _orders_of(orientations)
    return 1 if orientations == "one" else len(orders) * len(_FLIPS)


def check_exchanged(orientations: str, lengths: Sequence[float], name: str, most_ratio: float = 1) -> None:
    """Raise an `InputError` if lengths along axes that the orientations exchange differ.

    Args:
        orientations: see `predict_oriented`.
        lengths: lengths along (z, y, x).
        name: what has these lengths, for the message.
        most_ratio: largest ratio of two lengths that still count as equal.
    """
    orders = _orders_of(orientations)
    exchanged = [lengths[axis] for axis in range(3) if any(order[axis] != axis for order in orders)]
    if exchanged and max(exchanged) > most_ratio * min(exchanged):
        raise InputError(
            f"{name} must have the same length along the axes that orientations {orientations!r} exchanges, got "
            f"{tuple(lengths)} along (z, y, x)"
        )


def check_voxels_exchanged(orientations: str, voxel_size_nm: Sequence[float], name: str) -> None:
    """Raise an `InputError` if voxel edges that the orientations exchange differ by more than a quarter.

    Args:
        orientations: see `predict_oriented`.
        voxel_size_nm: voxel size (z, y, x).
        name: name of the volume.
    """
    check_exchanged(orientations, voxel_size_nm, f"the voxels of {name}", most_ratio=1.25)


def _orders_of(orientations: str) -> tuple[tuple[int, ...], ...]:
    return _ORDERS[check_choice(orientations, tuple(_ORDERS), "orientations")]


def _check_mapped(steps: Sequence[Offset], orientations: str) -> None:
    """Raise an `InputError` if exchanging the axes of an offset yields one that is not in the set, up to signs."""
    sizes = [tuple(abs(part) for part in step) for step in steps]
    for step, size in zip(steps, sizes, strict=True):
        for order in _orders_of(orientations):
            if (exchanged := tuple(size[axis] for axis in order)) not in sizes:
                raise InputError(
                    f"offsets must stay the same set, up to signs, when orientations {orientations!r} exchanges their "
                    f"axes, got {step} without one of {exchanged}"
                )


def _add(
    total: Tensor,
    votes: Tensor,
    values: Tensor,
    steps: Sequence[Offset] | None,
    order: Sequence[int],
    signs: Sequence[int],
) -> None:
    """Add values whose orientation was undone to `total`, each channel to the one of its offset, and count votes."""
    if steps is None:
        total += values
        votes += 1
        return
    known = [list(step) for step in steps]
    for channel, step in enumerate(steps):
        # The network saw axis `order[i]` as its axis i: undo that permutation of the offset, then the flips.
        seen = [0, 0, 0]
        for axis in range(3):
            seen[order[axis]] = step[axis]
        seen = [sign * part for sign, part in zip(signs, seen, strict=True)]
        # The offset of the same voxel pairs from their other end.
        other = [-part for part in seen]
        if seen in known:
            target, shift = known.index(seen), (0, 0, 0)
        elif other in known:
            target, shift = known.index(other), (seen[0], seen[1], seen[2])
        else:
            continue
        if (pair := both_ends(shift, values.shape[2:])) is None:
            continue
        here, there = pair
        # values[p] belongs to the pair of p and p + seen, which total[target] stores at p + shift.
        total[:, target][there] += values[:, channel][here]
        votes[:, target][there] += 1
