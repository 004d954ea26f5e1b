"""Affinities of a label volume: the targets that a network learns."""

from __future__ import annotations

from typing import Any

import numpy as np

from sectome.checks import InputError
from sectome.neighbourhoods import check_offsets
from sectome.types import Offset, Offsets

Slices = tuple[Any, ...]


def labels_to_affinities(labels: Any, offsets: Offsets, mask: Any = None) -> tuple[Any, Any]:
    """Return which pairs of voxels lie in the same object, and for which pairs this is known.

    ``affinities[k, p]`` is 1 where ``labels[p] == labels[p + offsets[k]] != 0`` (see `sectome.neighbourhoods`), and 0
    elsewhere, including pairs of background voxels (label 0) and pairs whose ``p + offsets[k]`` is outside the array.
    ``valid[k, p]`` is 1 where ``p + offsets[k]`` lies inside and, with a mask, both voxels are labelled.

    Args:
        labels: integer object ids of shape (..., Z, Y, X), a numpy array or a torch tensor on any device. Leading axes,
            if any, are batch axes. 0 is background.
        offsets: K offsets (z, y, x) in voxels. A channel whose offset is longer than the array is invalid everywhere.
        mask: non-zero where the tissue was annotated, in the shape of `labels` or of its last three axes; `None` means
            everywhere. Label 0 is background inside the mask; outside it nothing is known.

    Returns:
        affinities and valid, both uint8 of shape (..., K, Z, Y, X) with values 0 and 1, as numpy arrays or tensors like
        the labels, on the same device. Affinities are also set where they are invalid: multiply the loss by `valid`.

    Raises:
        InputError: if the labels are not integers, have fewer than three axes, differ in shape from the mask, or are
            so small that no offset fits.
    """
    steps = check_offsets(offsets)
    tensor = hasattr(labels, "new_zeros")
    if tensor and labels.device.type == "cpu":
        # numpy is faster and shares the memory. Given a tensor, torch is already imported.
        from torch import from_numpy

        affinities, valid = labels_to_affinities(labels.numpy(), offsets, None if mask is None else np.asarray(mask))
        return from_numpy(affinities), from_numpy(valid)
    if not tensor:
        labels = np.asarray(labels)
    _check_labels(labels, tensor=tensor)
    size = tuple(labels.shape[-3:])
    pairs = [both_ends(step, size) for step in steps]
    if all(pair is None for pair in pairs):
        raise InputError(
            f"labels must be larger than at least one offset, got shape {tuple(labels.shape)} and offsets {list(steps)}"
        )

    labelled = labels != 0
    shape = (*labels.shape[:-3], len(steps), *size)
    # The tensor allocates the zeros: they are on its device, and numpy users never wait for an import of torch.
    affinities = labelled.byte().new_zeros(shape) if tensor else np.zeros(shape, np.uint8)
    valid = labelled.byte().new_zeros(shape) if tensor else np.zeros(shape, np.uint8)
    known = None if mask is None else _known(mask, tuple(labels.shape))
    same = affinities.view(labelled.dtype)
    ids = labels if tensor else _narrowed(labels)

    for channel, pair in enumerate(pairs):
        if pair is None:
            continue
        here, there = pair
        out = (..., channel, *here[1:])
        same[out] = ids[here] == ids[there]
        same[out] &= labelled[here]
        valid[out] = 1 if known is None else known[here] & known[there]
    return affinities, valid


def _narrowed(labels: Any) -> Any:
    """Return the same ids in the smallest type, because comparing them is bound by memory bandwidth."""
    if not labels.size:
        return labels
    narrowed = np.result_type(np.min_scalar_type(labels.min()), np.min_scalar_type(labels.max()))
    # For -1 together with ids from 2**32 on, numpy chooses float64, in which ids beyond 2**53 become equal.
    return labels if narrowed.kind == "f" else labels.astype(narrowed, copy=False)


def _check_labels(labels: Any, *, tensor: bool) -> None:
    """Raise an `InputError` unless the labels are integers with at least three axes."""
    kind = str(labels.dtype).removeprefix("torch.") if tensor else labels.dtype.name
    if not kind.startswith(("int", "uint")):
        raise InputError(f"labels must be integers, one per object, got {kind}")
    if labels.ndim < 3:
        raise InputError(f"labels must have axes (..., Z, Y, X), got shape {tuple(labels.shape)}")


def _known(mask: Any, shape: tuple[int, ...]) -> Any:
    """Return the mask as booleans, or raise an `InputError` if it does not match labels of this shape."""
    if not hasattr(mask, "new_zeros"):
        mask = np.asarray(mask)
    if tuple(mask.shape) not in (shape, shape[-3:]):
        raise InputError(f"the mask must have the shape {shape} of the labels or {shape[-3:]}, got {tuple(mask.shape)}")
    return mask != 0


def both_ends(offset: Offset, size: tuple[int, ...]) -> tuple[Slices, Slices] | None:
    """Return the slices of all voxels p whose p + offset lies inside, and those of p + offset; `None` if none does."""
    here: list[Any] = [...]
    there: list[Any] = [...]
    for step, extent in zip(offset, size, strict=True):
        if abs(step) >= extent:
            return None
        here.append(slice(max(0, -step), extent - max(0, step)))
        there.append(slice(max(0, step), extent - max(0, -step)))
    return tuple(here), tuple(there)
