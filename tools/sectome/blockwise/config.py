"""The file that says what `sectome segment-volume` is to do."""

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
"""What `predicted_maps` takes beside the checkpoint."""

_TYPES: Mapping[str, tuple[Any, str]] = {
    "str": (str, "text"),
    "bool": (bool, "true or false"),
    "Mapping[str, Any]": (dict, "settings by name"),
}
"""What a setting of a type must be in JSON, for Python and for people; lists and numbers have checks of their own."""


@dataclass(frozen=True)
class BlockwiseConfig:
    """What a run is to do and where; `None` is what has not been said, and has the default of what it is given to.

    Attributes:
        output: the labels to write, a folder that ends in .ome.zarr.
        volume: grey values to predict affinities, or foreground and contour, of; or
        affinities: a .zarr folder of affinities, as `sectome predict` writes it; or
        maps: a .zarr folder of foreground and contour, as it writes that.
        run: folder in which the run keeps what it needs to go on; OUTPUT.run without.
        bundle: the root of em_segmentation, for a volume; bundles/em_segmentation without.
        checkpoint: the model, whose options are taken; without, the bundle's own for a volume, else none.
        voxel_size_nm: (z, y, x) in nm, for a volume that does not say it.
        sections, rows, columns, mask, overlap, blending, batch_size, orientations, precision, compile,
            device: as those of `sectome predict`, for a volume.
        gpu_resource: whether blocks are predicted only by workers that have the Dask resource GPU, for a volume.
        segmentation: options of `SegmentationOptions`, or of `BoundaryContourOptions` for mitochondria, in the place
            of those beside the model.
        block_voxels: (z, y, x) of a block.
        context_voxels: (z, y, x) that a block looks beyond its core, for neurons.
        group_blocks: blocks (z, y, x) that are merged together before all are, for neurons.
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
        """Open what is to be read, and return the plan of the run.

        Raises:
            InputError: if a file can not be opened or an option can not be used.
        """
        given = [name for name in ("volume", "affinities", "maps") if getattr(self, name) is not None]
        if len(given) != 1:
            raise InputError(f"a volume, affinities or maps were expected, got {' and '.join(given) or 'none'}")
        local_path(self.output, "the output")
        folder = local_path(self.run or f"{self.output.rstrip('/')}.run", "the run").absolute()
        if self.volume is None:
            self._refuse((*_OF_PREDICTION, "gpu_resource"), f"for a volume, got it with {given[0]}")
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
            # A prediction is kept in bytes of 0..1, a distance is not of these.
            raise InputError(
                f"{source.checkpoint} must predict {' and '.join(MAPS[:2])} alone to be segmented block by block, got "
                f"{', '.join(map(str, source.channels))}"
            )
        return self._plan_mitochondria(source, folder, checkpoint)

    def _plan_neurons(self, source: AffinitySource, folder: Path, checkpoint: str | None) -> Plan:
        # What is kept beside the model may be of other offsets.
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
        self._refuse(_OF_NEURONS, "for neurons, got it with maps of mitochondria")
        return plan_mitochondria(
            source,
            self.output,
            folder,
            BoundaryContourOptions.for_model(checkpoint).but(**self.segmentation),
            block_voxels=self.block_voxels,
            gpu_resource=bool(self.gpu_resource),
        )

    def _refuse(self, names: Sequence[str], reason: str) -> None:
        """Raise an `InputError` if one of some settings is given."""
        for name in names:
            if getattr(self, name) is not None:
                raise InputError(f"{name} is {reason}")


def read_config(path: str | Path, **changes: Any) -> BlockwiseConfig:
    """Return what a JSON file says, with some of it changed; `None` changes nothing, and null says nothing.

    Raises:
        InputError: if there is no such file, it is no JSON object, lacks the output, or has a key that is not known or
            a value that can not be used.
    """
    if not Path(path).is_file():
        raise InputError(f"a JSON file was expected at {path}, got none")
    content = read_json_object(Path(path), "a run's settings")
    content |= {name: value for name, value in changes.items() if value is not None}
    declared = {one.name: str(one.type) for one in dataclasses.fields(BlockwiseConfig)}
    for name in content:
        if name not in declared:
            raise InputError(f"{path} has a setting {name!r} that is not known{nearest_or_all(name, [*declared])}")
    said = {name: value for name, value in content.items() if value is not None}
    if "output" not in said:
        raise InputError(f"{path} must say the output, got {', '.join(said) or 'nothing'}")
    for name, value in said.items():
        _check_setting(name, value, declared[name])
    config = BlockwiseConfig(**said)
    check_cluster(config.scheduler, config.workers, config.job)
    return config


def _check_setting(name: str, value: Any, declared: str) -> None:
    """Check a setting by itself: what is kept in the plan of a run can not be corrected there.

    Boxes, sizes and options of the segmentation are checked where the plan is made.

    Args:
        name: of the setting.
        value: that JSON has for it.
        declared: its type in `BlockwiseConfig`, as it is written there.

    Raises:
        InputError: if it is of another type, or none of the values that it can have.
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
        # What predicts needs torch, which a run on affinities does without.
        case "blending":
            from sectome.inference.window_grid import BLENDINGS

            check_choice(value, BLENDINGS, name)
        case "precision":
            from sectome.training.autocast import PRECISIONS

            check_choice(value, PRECISIONS, name)
