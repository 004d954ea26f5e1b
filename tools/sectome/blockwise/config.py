"""The settings file of `sectome segment-volume`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sectome.affinity_file import StoredAffinities
from sectome.blockwise.mitochondria_plan import plan_mitochondria
from sectome.blockwise.neuron_plan import GROUP, AffinitySource, plan_neurons
from sectome.blockwise.plan import MapSource, Plan
from sectome.blockwise.predicted_maps import predicted_maps
from sectome.blockwise.schedulers import check_cluster
from sectome.checks import InputError, check_below_one, check_choice, check_triple, check_whole_number
from sectome.did_you_mean import nearest_or_all
from sectome.json_object import read_json_object
from sectome.map_file import MAPS, StoredMaps
from sectome.postprocess import BoundaryContourOptions, SegmentationOptions
from sectome.postprocess.check_affinities import check_long_range
from sectome.types import RANGES
from sectome.volumes.store_address import local_path

_OF_NEURONS = ("context_voxels", "group_blocks")
_OF_PREDICTION = (
    *RANGES,
    "window",
    "overlap",
    "blending",
    "batch_size",
    "orientations",
    "precision",
    "compile",
    "device",
    "mask",
    "bundle",
    "voxel_size_nm",
)
"""Arguments of `predicted_maps` besides the checkpoint."""

_TYPES: Mapping[str, tuple[Any, str]] = {
    "str": (str, "text"),
    "bool": (bool, "true or false"),
    "Mapping[str, Any]": (dict, "settings by name"),
}
"""JSON type of each declared type, as a Python type and in words; lists and numbers are checked separately."""


@dataclass(frozen=True)
class BlockwiseConfig:
    """Settings of a run; `None` means not given, so that the default of the function that takes the setting applies.

    Attributes:
        output: folder of the labels to write, whose name must end in .ome.zarr.
        volume: grey values, from which affinities, or foreground and contour, are predicted; or
        affinities: a .zarr folder of affinities, written by `sectome predict`; or
        maps: a .zarr folder of foreground and contour, written by `sectome predict`.
        run: folder with the state that the run needs to resume; by default OUTPUT.run.
        bundle: root folder of em_segmentation, for a volume; by default bundles/em_segmentation.
        checkpoint: the model, whose tuned options are used; by default the bundle's own for a volume, else none.
        voxel_size_nm: (z, y, x) in nm, for a volume whose file gives none.
        sections, rows, columns, mask, window, overlap, blending, batch_size, orientations, precision, compile, device:
            as in `sectome predict`, for a volume.
        gpu_resource: whether only workers with the Dask resource GPU predict blocks, for a volume.
        segmentation: options of `SegmentationOptions`, or of `BoundaryContourOptions` for mitochondria, that override
            those beside the model.
        block_voxels: block size (z, y, x) in voxels.
        context_voxels: voxels (z, y, x) that a block reads around its core, for neurons.
        group_blocks: blocks (z, y, x) of a group, merged before the whole, for neurons.
        scheduler, workers, job: see `connected`.
    """

    output: str
    volume: str | None = None
    affinities: str | None = None
    maps: str | None = None
    run: str | None = None
    bundle: str | None = None
    checkpoint: str | None = None
    voxel_size_nm: Sequence[float] | None = None
    sections: Sequence[int] | None = None
    rows: Sequence[int] | None = None
    columns: Sequence[int] | None = None
    mask: str | None = None
    window: Sequence[int] | None = None
    overlap: float | None = None
    blending: str | None = None
    batch_size: int | None = None
    orientations: str | None = None
    precision: str | None = None
    compile: bool | None = None
    device: str | None = None
    gpu_resource: bool | None = None
    segmentation: Mapping[str, Any] = field(default_factory=dict)
    block_voxels: Sequence[int] | None = None
    context_voxels: Sequence[int] | None = None
    group_blocks: Sequence[int] | None = None
    scheduler: str = "local"
    workers: int | None = None
    job: Mapping[str, Any] | None = None

    def plan(self) -> Plan:
        """Open the inputs and return the plan of the run.

        Raises:
            InputError: if a file cannot be opened or an option cannot be used.
        """
        given = [name for name in ("volume", "affinities", "maps") if getattr(self, name) is not None]
        if len(given) != 1:
            raise InputError(f"one of volume, affinities and maps must be given, got {' and '.join(given) or 'none'}")
        local_path(self.output, "the output")
        folder = local_path(self.run or f"{self.output.rstrip('/')}.run", "the run").absolute()
        if self.volume is None:
            self._refuse((*_OF_PREDICTION, "gpu_resource"), f"given with a volume only, got it with {given[0]}")
        if self.affinities is not None:
            return self._plan_neurons(StoredAffinities(self.affinities), folder, self.checkpoint)
        if self.maps is not None:
            return self._plan_mitochondria(StoredMaps(self.maps), folder, self.checkpoint)
        chosen = {name: value for name in ("checkpoint", *_OF_PREDICTION) if (value := getattr(self, name)) is not None}
        source = predicted_maps(folder, str(self.volume), **chosen)
        checkpoint = str(source.checkpoint)
        if source.offsets:
            return self._plan_neurons(source, folder, checkpoint)
        if tuple(source.channels) != MAPS[:2]:
            # A prediction is stored as bytes for 0..1; a distance exceeds that range.
            raise InputError(
                f"{source.checkpoint} must predict only {' and '.join(MAPS[:2])} for blockwise segmentation, got "
                f"{', '.join(map(str, source.channels))}"
            )
        return self._plan_mitochondria(source, folder, checkpoint)

    def _plan_neurons(self, source: AffinitySource, folder: Path, checkpoint: str | None) -> Plan:
        # Options beside the model may be for other offsets.
        check_long_range(self.segmentation.get("long_range"), source.offsets)
        return plan_neurons(
            source,
            self.output,
            folder,
            SegmentationOptions.for_model(checkpoint).but(**self.segmentation),
            block_voxels=self.block_voxels,
            context_voxels=self.context_voxels,
            group_blocks=GROUP if self.group_blocks is None else self.group_blocks,
            gpu_resource=bool(self.gpu_resource),
        )

    def _plan_mitochondria(self, source: MapSource, folder: Path, checkpoint: str | None) -> Plan:
        self._refuse(_OF_NEURONS, "given for neurons only, got it with maps of mitochondria")
        return plan_mitochondria(
            source,
            self.output,
            folder,
            BoundaryContourOptions.for_model(checkpoint).but(**self.segmentation),
            block_voxels=self.block_voxels,
            gpu_resource=bool(self.gpu_resource),
        )

    def _refuse(self, names: Sequence[str], reason: str) -> None:
        """Raise an `InputError` if any of these settings is given."""
        for name in names:
            if getattr(self, name) is not None:
                raise InputError(f"{name} must be {reason}")


def read_config(path: str | Path, **changes: Any) -> BlockwiseConfig:
    """Return the settings from a JSON file, overridden by `changes`; a null or `None` counts as not given.

    Raises:
        InputError: if there is no such file, it is not a JSON object, lacks the output, or has an unknown key or an
            invalid value.
    """
    if not Path(path).is_file():
        raise InputError(f"expected a JSON file at {path}, got none")
    content = read_json_object(Path(path), "a run's settings")
    content |= {name: value for name, value in changes.items() if value is not None}
    declared = {one.name: str(one.type) for one in dataclasses.fields(BlockwiseConfig)}
    for name in content:
        if name not in declared:
            raise InputError(f"unknown setting {name!r} in {path}{nearest_or_all(name, [*declared])}")
    said = {name: value for name, value in content.items() if value is not None}
    if "output" not in said:
        raise InputError(f"{path} must name the output, got {', '.join(said) or 'nothing'}")
    for name, value in said.items():
        _check_setting(name, value, declared[name])
    config = BlockwiseConfig(**said)
    check_cluster(config.scheduler, config.workers, config.job)
    return config


def _check_setting(name: str, value: Any, declared: str) -> None:
    """Check one setting on its own, early: the plan of a run is saved and cannot be corrected later.

    Boxes, sizes and segmentation options are checked when the plan is made.

    Args:
        name: name of the setting.
        value: its JSON value.
        declared: its type annotation in `BlockwiseConfig`.

    Raises:
        InputError: if the value has another type, or is not among those allowed.
    """
    kind, said = _TYPES.get(declared.removesuffix(" | None"), (object, ""))
    if not isinstance(value, kind):
        raise InputError(f"{name} must be {said}, got {value!r}")
    match name:
        case "voxel_size_nm":
            check_triple(value, name)
        case "batch_size":
            check_whole_number(value, 1, name)
        case "overlap":
            check_below_one(value, name)
        # Import late: prediction needs torch, which a run on affinities does without.
        case "blending":
            from sectome.inference.window_grid import BLENDINGS

            check_choice(value, BLENDINGS, name)
        case "precision":
            from sectome.training.autocast import PRECISIONS

            check_choice(value, PRECISIONS, name)
