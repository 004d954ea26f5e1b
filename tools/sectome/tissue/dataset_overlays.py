"""Overlays that describe a lab's own volumes to both bundles, with settings that fit them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sectome.checks import InputError, check_choice
from sectome.neighbourhoods import ISOTROPIC, LONG_RANGE, NEAREST
from sectome.tissue.doubts import sampled_windows, warn_of_doubtful_labels, warn_of_voxels
from sectome.tissue.entries import without_labels
from sectome.tissue.fitting_sizes import FittingSizes, fitting_sizes
from sectome.tissue.open_tissue import open_tissue
from sectome.tissue.tissue import Tissue
from sectome.volumes import absolute_path, open_volume, open_with_default_size

_MOST_VALIDATED = 100
_PADDED = 0.05
_NAMES = {ISOTROPIC: "$neighbourhoods.ISOTROPIC", LONG_RANGE: "$neighbourhoods.LONG_RANGE"}

Overlay = dict[str, Any]

LABELLED = ("neurons", "mitochondria", "membranes")


@dataclass(frozen=True)
class DatasetOverlays:
    """What `configs/datasets/NAME.json` of each bundle holds.

    Attributes:
        pretraining: for `mae_pretrain`.
        segmentation: for `em_segmentation`; None without labels.
        reasons: why each setting was chosen, by its key.
    """

    pretraining: Overlay
    segmentation: Overlay | None
    reasons: dict[str, str]


def dataset_overlays(
    images: Sequence[str] = (),
    labels: Sequence[str] = (),
    unlabelled: Sequence[str] = (),
    *,
    voxel_size_nm: Sequence[float] | None = None,
    near_voxel_size_nm: Sequence[float] | None = None,
    labelled: str = "neurons",
) -> DatasetOverlays:
    """Describe volumes to both bundles: which sections to train on, and which crop, patch and offsets fit.

    The last fifth of the labelled sections of each volume, at most 100, is for validation; without labels, that of each
    unlabelled volume. Autoencoders train on all other sections. A few sections are read.

    Args:
        images: volumes that have labels.
        labels: their labels, in the same order: each has its image's shape or, by its offset, lies within it.
        unlabelled: further volumes for pre-training.
        voxel_size_nm: (z, y, x), for volumes whose files do not state it.
        near_voxel_size_nm: (z, y, x), selects the level of a pyramid; by default the finest of the first image and, of
            the others, the one nearest to that.
        labelled: what the labels are: ids of neurons or of mitochondria, or masks of membranes, whose gaps in each
            section are cells.

    Raises:
        InputError: if there is no volume, an image has no label, or `open_tissue` refuses them.
    """
    if len(images) != len(labels):
        raise InputError(f"images and labels must be as many as each other, got {len(images)} and {len(labels)}")
    if not images and not unlabelled:
        raise InputError("a data set must have images with labels, or unlabelled volumes, got none")
    key = "membrane" if check_choice(labelled, LABELLED, "labelled") == "membranes" else "label"
    entries: list[Overlay] = [
        {"image": absolute_path(image), key: absolute_path(label)} for image, label in zip(images, labels, strict=True)
    ]
    entries += [{"image": absolute_path(image)} for image in unlabelled]
    near = near_voxel_size_nm or open_with_default_size(entries[0]["image"], voxel_size_nm).voxel_size_nm
    for entry in entries if near_voxel_size_nm else entries[1:]:
        if near and open_volume(entry["image"]).levels:
            entry["near_voxel_size_nm"] = list(near)
    opened = open_tissue(entries, voxel_size_nm)
    volumes = [_Volume(entry, tissue) for entry, tissue in zip(entries, opened, strict=True)]
    validated = volumes[: len(images)] or volumes
    sizes = fitting_sizes(
        opened[0].voxel_size_nm, [min(extents) for extents in zip(*map(_extent, validated), strict=True)]
    )
    warn_of_doubtful_labels(opened, told_apart=labelled != "mitochondria")
    warn_of_voxels(opened, sizes.isotropic)

    reasons = _reasons(sizes, opened[0])
    common: Overlay = {} if voxel_size_nm is None else {"voxel_size_nm": list(voxel_size_nm)}
    common |= {key: getattr(sizes, key) for key in ("isotropic", "crop_size", "patch_size")}
    if (padded := max(map(_padding, opened))) > _PADDED:
        common["max_empty"] = 0.2
        reasons["max_empty"] = f"{padded:.0%} of a volume is 0"
    pretraining = common | {
        "train_data": list(_unlabelled_parts(volumes, validated)),
        "val_data": [one.image | {"sections": one.validation} for one in validated],
    }
    if not images:
        return DatasetOverlays(pretraining, None, reasons)
    offsets = sizes.offsets
    if labelled == "membranes":
        # Cells have other ids in each section.
        offsets = tuple(offset for offset in offsets if offset in NEAREST or not offset[0])
    segmentation = common | {"offsets": _NAMES.get(offsets, offsets)}
    if labelled == "membranes":
        segmentation["per_section"] = True
    if labelled == "neurons" and all(_touch(one.tissue) for one in validated):
        segmentation["erode_steps"] = 1
        reasons["erode_steps"] = "neurons touch without background between them"
    segmentation |= {
        "train_data": [one.entry | {"sections": one.training} for one in validated],
        "val_data": [one.entry | {"sections": one.validation} for one in validated],
        "test_data": "@val_data",
    }
    return DatasetOverlays(pretraining, segmentation, reasons)


@dataclass(frozen=True, eq=False)
class _Volume:
    """A volume's entry in an overlay, and its sections for training and validation, as first and behind the last."""

    entry: Overlay
    tissue: Tissue

    @property
    def image(self) -> Overlay:
        return without_labels([self.entry])[0]

    @property
    def training(self) -> list[int]:
        return [self.tissue.box[0].start, self.validation[0]]

    @property
    def validation(self) -> list[int]:
        start, stop = self.tissue.box[0].start, self.tissue.box[0].stop
        if stop - start < 2:
            raise InputError(
                f"a volume to train and validate on must have two sections or more, got one in {self.tissue.name}"
            )
        return [stop - min(max((stop - start) // 5, 1), _MOST_VALIDATED), stop]


def _extent(volume: _Volume) -> tuple[int, int, int]:
    """Return the voxels along (z, y, x) to train on."""
    first, behind = volume.training
    _, height, width = volume.tissue.shape
    return behind - first, height, width


def _unlabelled_parts(volumes: Sequence[_Volume], validated: Sequence[_Volume]) -> Iterator[Overlay]:
    """Yield entries for an autoencoder: all sections that do not validate, weighted by their millions of voxels.

    An image may be given several times, such as with two labelled cubes in it.
    """
    for volume in {one.image["image"]: one for one in volumes}.values():
        depth, height, width = volume.tissue.image.shape
        start = 0
        for first, last in [*sorted(one.validation for one in validated if one.image == volume.image), [depth, depth]]:
            if start < first:
                sections = {} if (start, first) == (0, depth) else {"sections": [start, first]}
                yield volume.image | sections | {"weight": float(f"{(first - start) * height * width / 1e6:.3g}")}
            start = max(start, last)


def _padding(tissue: Tissue) -> float:
    """Return the share of voxels of value 0 in sampled sections."""
    return float(np.mean([(tissue.image[box] == 0).mean() for box in map(tissue.in_volume, sampled_windows(tissue))]))


def _touch(tissue: Tissue) -> bool:
    """Return whether more pixels of objects have another object to their right than background."""
    others = background = 0
    for box in sampled_windows(tissue):
        labels = tissue.read_labels(box).numpy()
        left, right = labels[..., :-1], labels[..., 1:]
        others += int(((left != right) & (left > 0) & (right > 0)).sum())
        background += int(((left > 0) & (right == 0)).sum())
    return others > background


def _reasons(sizes: FittingSizes, tissue: Tissue) -> dict[str, str]:
    patch_nm, crop_nm = (
        " x ".join(f"{length * edge:.0f}" for length, edge in zip(size, tissue.voxel_size_nm, strict=True))
        for size in (sizes.patch_size, sizes.crop_size)
    )
    patches = np.prod(sizes.crop_size) // np.prod(sizes.patch_size)
    return {
        "patch_size": f"{patch_nm} nm",
        "crop_size": f"{crop_nm} nm, {patches} patches",
        "isotropic": f"voxels of {' x '.join(f'{edge:g}' for edge in tissue.voxel_size_nm)} nm",
    }
