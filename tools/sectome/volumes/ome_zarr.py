"""Writing OME-Zarr 0.5: an image as a pyramid, each chunk of each level once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sectome.geometry import Placement
from sectome.types import Shape3
from sectome.unfinished import Unfinished
from sectome.volumes.blocks import Source
from sectome.volumes.downsample import Downsampled, coarser_levels
from sectome.volumes.multiscales import multiscale_attributes, multiscale_placements
from sectome.volumes.sampling import holds_labels, looks_like_labels
from sectome.volumes.store_folder import Place
from sectome.volumes.zarr import ZarrReader
from sectome.volumes.zarr_metadata import read_node
from sectome.volumes.zarr_writer import group_metadata, list_labels, new_node, write_array

_VOXELS = (1.0, 1.0, 1.0)


def write_ome_zarr(
    path: Place, dataset: str | None, source: Source, placement: Placement, progress: Unfinished
) -> None:
    """Write an OME-Zarr image with its coarser levels, at `path` or as `dataset` in a group there.

    Each level is made from the stored next finer one: by the mean of each block for an image, by the majority for
    labels. It halves the axes along which voxels are less than twice as long as along the shortest, until no axis
    exceeds 64 voxels. Translations are those of voxel centres. Without a voxel size, the axes have no unit. Integers
    that look like labels are declared labels, and a parent group `labels` lists them.
    """
    has_size = placement.voxel_size_nm is not None
    with new_node(path, dataset, progress.output) as folder:
        write_array(folder / "0", source, placement, progress)
        finer = ZarrReader(folder, "0")
        label_like = looks_like_labels(finer)
        is_labels = holds_labels(finer.dtype, label_like)
        image_label: dict[str, Any] | None = {} if label_like else None
        for number, level in enumerate(coarser_levels(finer.shape, placement), 1):
            coarser = Downsampled(finer, level.factors, is_labels)
            at = level.placement if has_size else Placement()
            write_array(folder / str(number), coarser, at, progress, coarser.voxel_bytes)
            finer = ZarrReader(folder, str(number))
        write_group(folder, path.name.split(".")[0], placement, tuple(source.shape), is_labels, image_label)
    if dataset and image_label is not None:
        list_labels(path, dataset)


def write_group(
    folder: Place,
    name: str,
    placement: Placement,
    shape: Shape3,
    is_labels: bool,
    image_label: Mapping[str, Any] | None,
) -> None:
    """Write the metadata that make the arrays 0, 1, ... of a folder an OME-Zarr image.

    Args:
        folder: Folder of the image.
        name: Name of the image.
        placement: Placement of the finest level.
        shape: Its voxels along (z, y, x).
        is_labels: Whether levels were made by the majority of each block instead of the mean.
        image_label: Content of OME-NGFF's "image-label"; None if the image does not hold labels.
    """
    has_size = placement.voxel_size_nm is not None
    finest = placement if has_size else Placement(_VOXELS)
    levels = [finest, *(level.placement for level in coarser_levels(shape, finest))]
    attributes = multiscale_attributes(
        name,
        {str(number): level for number, level in enumerate(levels)},
        "nanometer" if has_size else None,
        "majority" if is_labels else "mean",
    )
    if image_label is not None:
        attributes["ome"]["image-label"] = image_label
    (folder / "zarr.json").write_text(json.dumps(group_metadata(attributes), indent=2), encoding="utf-8")


def find_image(path: Path, dataset: str | None) -> Path | None:
    """Return the folder of the OME-Zarr image of which a dataset is a level; None if there is none."""
    group = (path / (dataset or "")).parent
    node = read_node(group) if dataset else None
    return group if node is not None and multiscale_placements(node.attributes) else None
