"""A volume with its labels and mask, read crop by crop."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from sectome.checks import InputError
from sectome.resident import ResidentVolume
from sectome.transforms.any_array import as_tensor
from sectome.transforms.in_plane import mirror
from sectome.transforms.label_volume import UNLABELLED
from sectome.transforms.normaliser import FittedNormaliser
from sectome.types import RANGES, Box, Shape3, VoxelSize
from sectome.volumes import Volume
from sectome.volumes.formats import split_dataset


@dataclass(frozen=True)
class Tissue:
    """A volume with its labels and mask, the box where crops may lie, and a normaliser fitted to its grey values."""

    image: Volume | ResidentVolume
    label: Volume | ResidentVolume | None
    mask: Volume | ResidentVolume | None
    box: Box
    weight: float
    voxel_size_nm: VoxelSize
    intensity: FittedNormaliser
    section_step: int = 1

    @property
    def name(self) -> str:
        """A name that identifies this tissue: the end of its path, its dataset, and sections, rows and columns."""
        steps = (self.section_step, 1, 1)
        parts = [
            f", {name} {part.start * step} to {(part.stop - 1) * step}"
            for name, part, step, extent in zip(RANGES, self.box, steps, self.image.shape, strict=True)
            if part.stop - part.start < extent
        ]
        one_in = f", one in {self.section_step}" if self.section_step > 1 else ""
        dataset = split_dataset(self.image.name)[1]
        place = "/".join(Path(self.image.path).parts[-3:]) + (f":{dataset}" if dataset else "")
        return place + "".join(parts) + one_in

    @property
    def shape(self) -> Shape3:
        """Voxels along (z, y, x) that crops may cover."""
        z, y, x = (part.stop - part.start for part in self.box)
        return z, y, x

    def in_volume(self, box: Box) -> Box:
        """Convert a box of the tissue to coordinates of its volume, clipped to the end of the tissue."""
        z, y, x = (
            slice(part.start + own.start, min(part.stop + own.start, own.stop))
            for part, own in zip(box, self.box, strict=True)
        )
        return z, y, x

    def read(
        self, start: Sequence[int], size: Sequence[int], max_empty: float = 1.0, raw: bool = False
    ) -> dict[str, Tensor] | None:
        """Read the crop at `start` (z, y, x), counted from the first voxel of the tissue.

        Along an axis where the tissue is thinner than the crop, the image is extended by its mirror image, and nothing
        is labelled there.

        Args:
            start: first voxel along (z, y, x); negative only where the tissue is thinner than the crop.
            size: voxels along (z, y, x).
            max_empty: the largest allowed share of voxels of value 0, such as padding.
            raw: keep the volume's grey values and type; the image may then be a view, which must not be modified.

        Returns:
            "image" (1, Z, Y, X), float32 and normalised as fitted to the whole volume unless `raw`, and, if the tissue
            has labels, "label" (1, Z, Y, X) int64: `UNLABELLED` where the mask is 0, beyond the tissue, and at ids from
            2**63 on, by which CREMI marks unknown voxels. None if too much of the crop is empty.

        Raises:
            InputError: if grey values are NaN or infinite, or a label is negative and not `UNLABELLED`.
        """
        z, y, x = (
            slice(0, extent) if length > extent else slice(first, first + length)
            for first, length, extent in zip(start, size, self.shape, strict=True)
        )
        box = self.in_volume((z, y, x))
        image = as_tensor(self.image[box])
        if max_empty < 1 and self._has_more_zeros(image, box, max_empty * image.numel()):
            return None
        with naming(self.image):
            crop = {"image": image if raw else self.intensity.apply(image, box[0].start)}
        if self.label is not None:
            crop["label"] = self.read_labels((z, y, x))
        for axis, (first, length, extent) in enumerate(zip(start, size, self.shape, strict=True)):
            if length > extent:
                crop = _extend(crop, axis, torch.arange(first, first + length, device=image.device), extent)
        return {key: value[None] for key, value in crop.items()}

    def _has_more_zeros(self, image: Tensor, box: Box, most: float) -> bool:
        """Return whether a crop has more than `most` voxels of value 0; a device is queried only in doubt."""
        if isinstance(self.image, ResidentVolume) and self.image.most_zeros(box) <= most:
            return False
        # numpy counts bytes 30 times as fast as torch, whose own `count_nonzero` does not support uint16.
        zeros = int((image == 0).sum()) if image.is_cuda else image.numel() - np.count_nonzero(image.numpy())
        return zeros > most

    def read_whole(self) -> dict[str, Tensor]:
        """Read everything that crops may cover; see `read`."""
        whole = self.read((0, 0, 0), self.shape)
        assert whole is not None
        return whole

    def warn_of_decoding(self, sections: int) -> None:
        """Warn as `Volume.warn_of_decoding` does, except of resident volumes, which are decoded once."""
        for volume in (self.image, self.label, self.mask):
            if isinstance(volume, Volume):
                volume.warn_of_decoding(sections)

    def on(self, device: torch.device | str) -> Tissue:
        """Return the same tissue with its voxels in a device's memory, in the types of the files.

        Raises:
            InputError: if grey values are NaN or infinite, or a label is negative and not `UNLABELLED`.
        """
        device = torch.device(device)
        with naming(self.image):
            image = ResidentVolume(self.image, self.box, device)
        label, mask = (
            None if volume is None else ResidentVolume(volume, self.box, device) for volume in (self.label, self.mask)
        )
        if label is not None:
            _check_ids(label.voxels, label, self.box)
        return replace(self, image=image, label=label, mask=mask)

    @property
    def nbytes(self) -> int:
        """Bytes of all voxels that crops may cover, in the types of the files."""
        z, y, x = self.shape
        volumes = (self.image, self.label, self.mask)
        return sum(volume.dtype.itemsize * z * y * x for volume in volumes if volume is not None)

    def read_labels(self, box: Box) -> Tensor:
        """Read the labels (Z, Y, X) of a box of a labelled tissue as int64, with `UNLABELLED` where nothing is known.

        Raises:
            InputError: if a label is negative and not `UNLABELLED`.
        """
        assert self.label is not None
        box = self.in_volume(box)
        labels = as_tensor(self.label[box])
        if labels.dtype == torch.uint64:
            # Ids from 2**63 on would not survive a conversion; in an int64 view they are negative.
            labels = labels.view(torch.int64).clamp(min=UNLABELLED)
        else:
            # Resident labels were checked when they were loaded: each check here would wait for the device.
            if not isinstance(self.label, ResidentVolume):
                _check_ids(labels, self.label, box)
            labels = labels.to(torch.int64, copy=True)
        if self.mask is not None:
            labels.masked_fill_(as_tensor(self.mask[box]) == 0, UNLABELLED)
        return labels


def _check_ids(labels: Tensor, volume: Volume | ResidentVolume, box: Box) -> None:
    if labels.is_signed() and (least := int(labels.min())) < UNLABELLED:
        raise InputError(
            f"labels must be 0 or more, or {UNLABELLED} where nothing is known, got {least} in "
            f"{volume.name}{_written(box)}"
        )


def _extend(crop: dict[str, Tensor], axis: int, places: Tensor, extent: int) -> dict[str, Tensor]:
    """Extend a crop along an axis: it holds at each of `places` the tissue or, beyond it, its mirror image."""
    extended = {key: value.index_select(axis, mirror(places, extent)) for key, value in crop.items()}
    if "label" in extended:
        shape = [-1 if number == axis else 1 for number in range(3)]
        extended["label"].masked_fill_(((places < 0) | (places >= extent)).reshape(shape), UNLABELLED)
    return extended


@contextmanager
def naming(volume: Volume | ResidentVolume) -> Iterator[None]:
    """Put the volume's name in front of an `InputError` about its grey values."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{volume.name}: {error}") from None


def _written(box: Box) -> str:
    """Format a box as a user would index it."""
    return f"[{', '.join(f'{part.start}:{part.stop}' for part in box)}]"
