"""Test-time augmentation: the mean of a network's predictions for a window in several orientations."""

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
"""Orders of the axes by the choice of orientations; each is combined with all flips."""

_FLIPS: Final = tuple(product((False, True), repeat=3))


def predict_oriented(predict: Predict, orientations: str, offsets: Offsets | None = None) -> Predict:
    """Return a prediction that is the mean over orientations of a window.

    A flipped affinity lies at the other end of its pair of voxels, and a transposed one belongs to another channel:
    both are brought back. Where the other end lies outside of the window, that orientation has no vote. Windows are
    predicted one orientation after the other, so that no more memory is needed.

    Args:
        predict: maps windows (B, 1, z, y, x) to values (B, C, z, y, x).
        orientations: "one", the window as it is; "flips", all 8 of them; "in_plane", these with y and x exchanged as
            well, 16; or "isotropic", these with all axes exchanged, 48.
        offsets: (z, y, x) steps of the channels if they are affinities; None for channels that no orientation changes.

    Raises:
        InputError: if the choice is not known, or exchanging axes does not map the offsets onto themselves up to their
            signs; when it is called, if axes that are exchanged differ in length.
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
    """Return how often the network is run for a window; see `predict_oriented`."""
    orders = _orders_of(orientations)
    return 1 if orientations == "one" else len(orders) * len(_FLIPS)


def check_exchanged(orientations: str, lengths: Sequence[float], name: str, most_ratio: float = 1) -> None:
    """Raise an `InputError` if lengths along axes that the orientations exchange differ.

    Args:
        orientations: see `predict_oriented`.
        lengths: along (z, y, x).
        name: what is so long, for the message.
        most_ratio: of two of them, up to which they count as equal.
    """
    orders = _orders_of(orientations)
    exchanged = [lengths[axis] for axis in range(3) if any(order[axis] != axis for order in orders)]
    if exchanged and max(exchanged) > most_ratio * min(exchanged):
        raise InputError(
            f"{name} must be as long along the axes that orientations {orientations!r} exchange, got {tuple(lengths)} "
            "along (z, y, x)"
        )


def check_voxels_exchanged(orientations: str, voxel_size_nm: Sequence[float], name: str) -> None:
    """Raise an `InputError` if edges of a volume's voxels that the orientations exchange differ by more than a quarter.

    Args:
        orientations: see `predict_oriented`.
        voxel_size_nm: along (z, y, x).
        name: of the volume.
    """
    check_exchanged(orientations, voxel_size_nm, f"the voxels of {name}", most_ratio=1.25)


def _orders_of(orientations: str) -> tuple[tuple[int, ...], ...]:
    return _ORDERS[check_choice(orientations, tuple(_ORDERS), "orientations")]


def _check_mapped(steps: Sequence[Offset], orientations: str) -> None:
    """Raise an `InputError` if a step whose parts change places is none of the steps, whatever the signs."""
    sizes = [tuple(abs(part) for part in step) for step in steps]
    for step, size in zip(steps, sizes, strict=True):
        for order in _orders_of(orientations):
            if (exchanged := tuple(size[axis] for axis in order)) not in sizes:
                raise InputError(
                    f"offsets must stay the same set when orientations {orientations!r} exchange their axes, got "
                    f"{step} without one of {exchanged}, up to signs"
                )


def _add(
    total: Tensor,
    votes: Tensor,
    values: Tensor,
    steps: Sequence[Offset] | None,
    order: Sequence[int],
    signs: Sequence[int],
) -> None:
    """Add values that were turned back to the sum, each channel to that which it means, and count the votes."""
    if steps is None:
        total += values
        votes += 1
        return
    known = [list(step) for step in steps]
    for channel, step in enumerate(steps):
        # The network saw axis `order[i]` as its axis i: its step along that, in the direction of the flip.
        seen = [0, 0, 0]
        for axis in range(3):
            seen[order[axis]] = step[axis]
        seen = [sign * part for sign, part in zip(signs, seen, strict=True)]
        # The same pair of voxels, from its other end.
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
        # values[p] is the pair p and p + seen; that is what total[target] has at p + shift.
        total[:, target][there] += values[:, channel][here]
        votes[:, target][there] += 1
