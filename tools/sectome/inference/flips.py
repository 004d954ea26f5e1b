"""Test-time augmentation: the mean of a network's predictions for a window and its mirror images."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations, product

import torch
from torch import Tensor

from sectome.affinities import both_ends
from sectome.checks import InputError
from sectome.inference.blended_slabs import Predict
from sectome.neighbourhoods import check_offsets
from sectome.types import Offset, Offsets

ORIENTATIONS_IN_PLANE, ORIENTATIONS_ISOTROPIC = ((0, 1, 2), (0, 2, 1)), tuple(permutations(range(3)))


def predict_flipped(
    predict: Predict, offsets: Offsets | None = None, *, transpose: Sequence[Sequence[int]] = ((0, 1, 2),)
) -> Predict:
    """Return a prediction that is the mean over all flips of a window, and over transpositions of its axes.

    A flipped affinity lies at the other end of its pair of voxels, and a transposed one belongs to another channel:
    both are brought back. Where the other end lies outside of the window, that flip has no vote. Windows are predicted
    one orientation after the other, so that no more memory is needed.

    Args:
        predict: maps windows (B, 1, z, y, x) to values (B, C, z, y, x).
        offsets: (z, y, x) steps of the channels if they are affinities; None for channels that a flip leaves alone.
        transpose: orders of the axes, of windows as long along each axis that changes place. With offsets, each must
            map these onto themselves up to their signs.

    Raises:
        InputError: when it is called, if no order of the axes suits the window.
    """
    steps = None if offsets is None else check_offsets(offsets)

    def mean(windows: Tensor) -> Tensor:
        sums: tuple[Tensor, Tensor] | None = None
        for order in transpose:
            if [windows.shape[2 + axis] for axis in order] != list(windows.shape[2:]):
                continue
            for flipped in product((False, True), repeat=3):
                axes = [2 + axis for axis in range(3) if flipped[axis]]
                turned = windows.permute(0, 1, *(2 + axis for axis in order)).flip(axes)
                back = [2 + order.index(axis) for axis in range(3)]
                values = predict(turned).flip(axes).permute(0, 1, *back)
                signs = [-1 if flipped[order.index(axis)] else 1 for axis in range(3)]
                sums = sums or (torch.zeros_like(values), torch.zeros_like(values[:1]))
                _add(*sums, values, steps, list(order), signs)
        if sums is None:
            raise InputError(
                f"an order of the axes was expected that suits windows of {tuple(windows.shape[2:])}, got {transpose}"
            )
        total, votes = sums
        return total / votes

    return mean


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
