"""A volume with what is known of it, which gives crops of image and labels."""

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
    """A volume with what is known of it: where crops may lie, and how its grey values are distributed."""

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
        """What tells this tissue from other: the end of its path, its dataset, and sections, rows and columns."""
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
        """Return where a box of the tissue lies in its volume, without what is beyond the tissue."""
        z, y, x = (
            slice(part.start + own.start, min(part.stop + own.start, own.stop))
            for part, own in zip(box, self.box, strict=True)
        )
        return z, y, x

    def read(
        self, start: Sequence[int], size: Sequence[int], max_empty: float = 1.0, raw: bool = False
    ) -> dict[str, Tensor] | None:
        """Read the crop at `start` (z, y, x), counted from the first voxel allowed.

        Along an axis where the tissue is thinner than the crop, the image goes on as its mirror image and nothing is
        labelled there.

        Args:
            start: first voxel along (z, y, x); negative only where the tissue is thinner than the crop.
            size: voxels along (z, y, x).
            max_empty: the greatest share of voxels of value 0, as padding is, that the crop may have.
            raw: leave grey values as they are in the volume; the image may then be a view of it, not to be changed.

        Returns:
            "image" (1, Z, Y, X) float32, normalised as fitted to the whole volume, if not `raw`, and, where the tissue
            has labels, "label" (1, Z, Y, X) int64: `UNLABELLED` where the mask is 0, beyond the tissue, and where the
            ids are 2**63 or greater, as CREMI marks what is not known. None if too much of the crop is empty.

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
        """Tell whether a crop of a box of the volume has more voxels of value 0; a device is asked only in doubt."""
        if isinstance(self.image, ResidentVolume) and self.image.most_zeros(box) <= most:
            return False
        # numpy counts bytes in a thirtieth of torch's time, whose own `count_nonzero` does not know uint16.
        zeros = int((image == 0).sum()) if image.is_cuda else image.numel() - np.count_nonzero(image.numpy())
        return zeros > most

    def read_whole(self) -> dict[str, Tensor]:
        """Read all that crops may cover; see `read`."""
        whole = self.read((0, 0, 0), self.shape)
        assert whole is not None
        return whole

    def warn_of_decoding(self, sections: int) -> None:
        """Warn as `Volume.warn_of_decoding` does; what is resident was decoded once."""
        for volume in (self.image, self.label, self.mask):
            if isinstance(volume, Volume):
                volume.warn_of_decoding(sections)

    def on(self, device: torch.device | str) -> Tissue:
        """Return the same tissue with its voxels in the memory of a device, in the types that the files have.

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
        """Bytes of all voxels that crops may cover, in the types that the files have."""
        z, y, x = self.shape
        volumes = (self.image, self.label, self.mask)
        return sum(volume.dtype.itemsize * z * y * x for volume in volumes if volume is not None)

    def read_labels(self, box: Box) -> Tensor:
        """Return labels (Z, Y, X), int64 with `UNLABELLED` voxels, of a box of the tissue, which must have labels.

        Raises:
            InputError: if a label is negative and not `UNLABELLED`.
        """
        assert self.label is not None
        box = self.in_volume(box)
        labels = as_tensor(self.label[box])
        if labels.dtype == torch.uint64:
            # The greatest ids would not survive a conversion; as a view they are negative.
            labels = labels.view(torch.int64).clamp(min=UNLABELLED)
        else:
            # A device is asked once, when it takes the labels: each answer would be waited for.
            if not isinstance(self.label, ResidentVolume):
                _check_ids(labels, self.label, box)
            labels = labels.to(torch.int64, copy=True)
        if self.mask is not None:
            labels.masked_fill_(as_tensor(self.mask[box]) == 0, UNLABELLED)
        return labels


def _check_ids(labels: Tensor, volume: Volume | ResidentVolume, box: Box) -> None:
    if labels.is_signed() and (least := int(labels.min())) < UNLABELLED:
        raise InputError(
            f"labels must be ids from 0 on, or {UNLABELLED} where nothing is known, got {least} in "
            f"{volume.name}{_written(box)}"
        )


def _extend(crop: dict[str, Tensor], axis: int, places: Tensor, extent: int) -> dict[str, Tensor]:
    """Return a crop that goes on along an axis: at each of its `places` the tissue or, beyond it, its mirror image."""
    extended = {key: value.index_select(axis, mirror(places, extent)) for key, value in crop.items()}
    if "label" in extended:
        shape = [-1 if number == axis else 1 for number in range(3)]
        extended["label"].masked_fill_(((places < 0) | (places >= extent)).reshape(shape), UNLABELLED)
    return extended


@contextmanager
def naming(volume: Volume | ResidentVolume) -> Iterator[None]:
    """Let an `InputError` about grey values say whose they are."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{volume.name}: {error}") from None


def _written(box: Box) -> str:
    """Return a box as a user would index it."""
    return f"[{', '.join(f'{part.start}:{part.stop}' for part in box)}]"
