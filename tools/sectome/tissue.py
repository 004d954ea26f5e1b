"""Volumes opened for training and evaluation: image, labels and mask, and what is known of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sectome.checks import InputError, check_same_shape, check_whole_number
from sectome.derived_volumes import EveryNthSection, MembraneLabels
from sectome.resident import ResidentVolume
from sectome.transforms.in_plane import mirror
from sectome.transforms.label_volume import UNLABELLED
from sectome.transforms.normaliser import FittedNormaliser, Normaliser
from sectome.transforms.standardise_intensity import StandardiseIntensity
from sectome.types import RANGES, Box, Shape3, VoxelSize
from sectome.volumes import Volume, open_with_default_size, require_voxel_size

Data = Sequence[Mapping[str, Any]]
"""Entries with "image" and optionally "label" and "mask" (paths, or opened volumes), "sections", "rows" and "columns"
([start, stop] along z, y and x, in voxels of the volume; all of an axis without), "weight" (how often random crops come
from here, against the others; 1 by default) and "near_voxel_size_nm" ((z, y, x), which level of a pyramid is taken).
"membrane", a mask, takes the place of "label": see `MembraneLabels`. "section_step" takes one section in so many of
the file's, counted from its first: see `EveryNthSection`; "sections" are the file's, still."""


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
        """What tells this tissue from other: the end of its path, and its sections, rows and columns if not all."""
        steps = (self.section_step, 1, 1)
        parts = [
            f", {name} {part.start * step} to {(part.stop - 1) * step}"
            for name, part, step, extent in zip(RANGES, self.box, steps, self.image.shape, strict=True)
            if part.stop - part.start < extent
        ]
        one_in = f", one in {self.section_step}" if self.section_step > 1 else ""
        return "/".join(Path(self.image.path).parts[-3:]) + "".join(parts) + one_in

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

    def read(self, start: Sequence[int], size: Sequence[int], max_empty: float = 1.0) -> dict[str, Tensor] | None:
        """Read the crop at `start` (z, y, x), counted from the first voxel allowed.

        Along an axis where the tissue is thinner than the crop, the image goes on as its mirror image and nothing is
        labelled there.

        Args:
            start: first voxel along (z, y, x); negative only where the tissue is thinner than the crop.
            size: voxels along (z, y, x).
            max_empty: the greatest share of voxels of value 0, as padding is, that the crop may have.

        Returns:
            "image" (1, Z, Y, X) float32, normalised as fitted to the whole volume, and, where the tissue has labels,
            "label" (1, Z, Y, X) int64: `UNLABELLED` where the mask is 0, beyond the tissue, and where the ids are 2**63
            or greater, as CREMI marks what is not known. None if too much of the crop is empty.

        Raises:
            InputError: if grey values are NaN or infinite, or a label is negative and not `UNLABELLED`.
        """
        z, y, x = (
            slice(0, extent) if length > extent else slice(first, first + length)
            for first, length, extent in zip(start, size, self.shape, strict=True)
        )
        box = self.in_volume((z, y, x))
        image = _as_tensor(self.image[box])
        if max_empty < 1 and self._has_more_zeros(image, box, max_empty * image.numel()):
            return None
        with _naming(self.image):
            crop = {"image": self.intensity.apply(image, box[0].start)}
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
        return image.numel() - int(image.count_nonzero()) > most

    def read_whole(self) -> dict[str, Tensor]:
        """Read all that crops may cover; see `read`."""
        whole = self.read((0, 0, 0), self.shape)
        assert whole is not None
        return whole

    def on(self, device: torch.device | str) -> Tissue:
        """Return the same tissue with its voxels in the memory of a device, in the types that the files have.

        Raises:
            InputError: if they would take more than half of the free memory of a GPU, or a label is negative and not
                `UNLABELLED`.
        """
        device = torch.device(device)
        z, y, x = self.shape
        volumes = (self.image, self.label, self.mask)
        needed = sum(volume.dtype.itemsize * z * y * x for volume in volumes if volume is not None)
        if device.type == "cuda" and needed > (free := torch.cuda.mem_get_info(device)[0]) / 2:
            raise InputError(
                f"a resident volume must leave half of the GPU's free memory to the network, got {self.name} of "
                f"{needed / 2**30:.1f} GiB where {free / 2**30:.1f} GiB are free; set resident to false"
            )
        image, label, mask = (
            None if volume is None else ResidentVolume(volume, self.box, device) for volume in volumes
        )
        assert image is not None
        if label is not None:
            _check_ids(label.voxels, label, self.box)
        return replace(self, image=image, label=label, mask=mask)

    def read_labels(self, box: Box) -> Tensor:
        """Return labels (Z, Y, X), int64 with `UNLABELLED` voxels, of a box of the tissue, which must have labels.

        Raises:
            InputError: if a label is negative and not `UNLABELLED`.
        """
        assert self.label is not None
        box = self.in_volume(box)
        labels = _as_tensor(self.label[box])
        if labels.dtype == torch.uint64:
            # The greatest ids would not survive a conversion; as a view they are negative.
            labels = labels.view(torch.int64).clamp(min=UNLABELLED)
        else:
            # A device is asked once, when it takes the labels: each answer would be waited for.
            if not isinstance(self.label, ResidentVolume):
                _check_ids(labels, self.label, box)
            labels = labels.to(torch.int64, copy=True)
        if self.mask is not None:
            labels.masked_fill_(_as_tensor(self.mask[box]) == 0, UNLABELLED)
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


def _as_tensor(voxels: Tensor | np.ndarray) -> Tensor:
    return voxels if isinstance(voxels, Tensor) else torch.from_numpy(voxels)


@contextmanager
def _naming(volume: Volume | ResidentVolume) -> Iterator[None]:
    """Let an `InputError` about grey values say whose they are."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{volume.name}: {error}") from None


def _written(box: Box) -> str:
    """Return a box as a user would index it."""
    return f"[{', '.join(f'{part.start}:{part.stop}' for part in box)}]"


def find_volumes(folder: str | Path) -> list[dict[str, str]]:
    """List the volumes of a folder: `images/*`, with `labels/*` and `masks/*` of the same name where they exist.

    Raises:
        InputError: if there is no image, a label or mask belongs to none, or two have one name up to the first dot.
    """

    def by_stem(kind: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for path in sorted((Path(folder) / kind).glob("[!.]*")):
            stem = path.name.split(".")[0]
            if stem in found:
                raise InputError(
                    f"volumes must differ in their names up to the first dot, got {found[stem]} and {path}"
                )
            found[stem] = str(path)
        return found

    images = by_stem("images")
    if not images:
        raise InputError(f"volumes were expected in {Path(folder) / 'images'}, got none")
    entries = {stem: {"image": path} for stem, path in images.items()}
    for kind in ("label", "mask"):
        for stem, path in by_stem(f"{kind}s").items():
            if stem not in entries:
                raise InputError(f"{path} must have an image of the same name in {Path(folder) / 'images'}, got none")
            entries[stem][kind] = path
    return list(entries.values())


def without_labels(data: Data) -> list[dict[str, Any]]:
    """Return the entries of `data` without what was labelled, for those who learn from images alone."""
    return [{key: value for key, value in entry.items() if key not in ("label", "membrane")} for entry in data]


def find_corrected(studies: str | Path) -> list[dict[str, str]]:
    """List the volumes of a folder that MONAI Label serves for which someone saved a label.

    Args:
        studies: holds `NAME.nii.gz`, or another format, and `labels/final/NAME.*`.

    Raises:
        InputError: if no label was saved, or one belongs to no image.
    """
    folder = Path(studies) / "labels" / "final"
    images = {
        path.name.split(".")[0]: str(path) for path in sorted(Path(studies).glob("[!.]*.*")) if path.suffix != ".json"
    }
    entries = []
    for label in sorted(folder.glob("[!.]*")):
        stem = label.name.split(".")[0]
        if stem not in images:
            raise InputError(f"{label} must have an image of the same name in {studies}, got none")
        entries.append({"image": images[stem], "label": str(label)})
    if not entries:
        raise InputError(f"corrected labels were expected in {folder}, got none")
    return entries


def open_tissue(
    data: Data,
    voxel_size_nm: Sequence[float] | None = None,
    *,
    labelled: bool = False,
    intensity: Normaliser | None = None,
) -> list[Tissue]:
    """Open the entries of `data` and check that image, label and mask belong together.

    Args:
        data: see `Data`.
        voxel_size_nm: of volumes whose files do not say it.
        labelled: whether every entry must have labels.
        intensity: how grey values are normalised, each volume by itself; standardised if none is given.

    Raises:
        InputError: if there is no entry, a volume cannot be opened, has no voxel size or another shape than its image,
            labels are missing or no integers, or a range lies outside.
    """
    if not data:
        raise InputError("data must list at least one volume, got none")
    return [_open_entry(entry, voxel_size_nm, labelled, intensity or StandardiseIntensity()) for entry in data]


def _open_entry(
    entry: Mapping[str, Any], voxel_size_nm: Sequence[float] | None, labelled: bool, intensity: Normaliser
) -> Tissue:
    known = {"image", "label", "mask", "membrane", *RANGES, "section_step", "weight", "near_voxel_size_nm"}
    if not isinstance(entry, Mapping):
        raise InputError(f"an entry of data must be a dictionary with an image, got {entry!r}")
    if "image" not in entry or not known.issuperset(entry):
        raise InputError(f"an entry of data must have an image and may have {sorted(known)}, got {sorted(entry)}")
    near = entry.get("near_voxel_size_nm")
    image = _open(entry["image"], voxel_size_nm, near)
    companions: dict[str, Volume | None] = {}
    for kind in ("label", "mask", "membrane"):
        companions[kind] = _open(entry[kind], voxel_size_nm, near) if entry.get(kind) else None
        if (companion := companions[kind]) is not None:
            check_same_shape(image.shape, companion.shape, f"{kind} {entry[kind]}")
    label, mask, membrane = companions.values()
    if membrane is not None:
        if label is not None:
            raise InputError(f"an entry of data must have a label or a membrane, got both for {entry['image']}")
        label = MembraneLabels(membrane)
    if labelled and label is None:
        raise InputError(f"{entry['image']} must have labels here, got none")
    if label is not None and not np.issubdtype(label.dtype, np.integer):
        raise InputError(f"labels must be integers, got {label.dtype} in {entry['label']}")
    sections, rows, columns = (_range(entry, name, extent) for name, extent in zip(RANGES, image.shape, strict=True))
    step = check_whole_number(entry.get("section_step", 1), 1, f"section_step of {image.name}")
    if step > 1:
        image = EveryNthSection(image, step)
        label, mask = (None if one is None else EveryNthSection(one, step) for one in (label, mask))
        sections = slice(-(-sections.start // step), -(-sections.stop // step))
        if sections.start == sections.stop:
            raise InputError(f"sections must hold one in {step}, got {entry['sections']} for {entry['image']}")
    voxel_size = require_voxel_size(image)
    weight = entry.get("weight", 1.0)
    if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 < weight < float("inf"):
        raise InputError(f"a volume's weight must be positive, got {weight!r} for {entry['image']}")
    with _naming(image):
        fitted = intensity.fit(image)
    return Tissue(image, label, mask, (sections, rows, columns), weight, voxel_size, fitted, step)


def _range(entry: Mapping[str, Any], name: str, extent: int) -> slice:
    """Return what an entry takes along an axis of so many voxels: all of it, if it does not say."""
    given = entry.get(name)
    if given is None:
        return slice(0, extent)
    if not isinstance(given, Sequence) or len(given) != 2 or not all(type(number) is int for number in given):
        raise InputError(
            f"{name} must be two whole numbers [first, behind the last], got {given!r} for {entry['image']}"
        )
    first, last = given
    if not 0 <= first < last <= extent:
        raise InputError(f"{name} must lie within 0 and {extent}, got {[first, last]} for {entry['image']}")
    return slice(first, last)


def _open(source: Any, voxel_size_nm: Sequence[float] | None, near: Sequence[float] | None) -> Volume:
    if isinstance(source, Volume):
        return source
    if not isinstance(source, (str, PathLike)):
        raise InputError(f"an entry of data must name its volumes by paths, got {source!r}")
    return open_with_default_size(source, voxel_size_nm, near)
