"""Options of segmentation, and the file beside a model that stores them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np

from sectome.checks import InputError, check_at_least, check_choice, check_switches, check_whole_triple, check_within
from sectome.did_you_mean import nearest_or_all
from sectome.json_object import read_object, write_json
from sectome.postprocess.region_graph import LONG_RANGE_USES
from sectome.postprocess.scoring import parse_scoring
from sectome.postprocess.threshold import Threshold, check_threshold
from sectome.trained_settings import settings_path
from sectome.types import Shape3

FRAGMENTS = ("distance", "watershed")

TUNED_NAME = "segmentation.json"
"""Name of the file beside a model that stores its tuned options."""


AnyOptions = TypeVar("AnyOptions", bound="Options")


@dataclass(frozen=True)
class Options:
    """Base class of the segmentation options of all targets.

    Attributes:
        targets: the network's targets that these options turn into objects. The file states them, so that options for
            other targets are not loaded by mistake.
    """

    targets: ClassVar[str]

    def _take_probabilities(self, *names: str) -> None:
        """Check that the named options lie in 0..1, and store them as plain floats.

        A NumPy scalar would round the other side of a comparison to its own precision.
        """
        for name in names:
            object.__setattr__(self, name, check_within(getattr(self, name), 0, 1, name))

    @classmethod
    def for_model(cls: type[AnyOptions], model: str | Path | None) -> AnyOptions:
        """Return the options stored beside a model, or the defaults if there are none or no model is named.

        Raises:
            InputError: as `load_options_as`, or if the model does not exist or was trained for other targets.
        """
        trained = read_object(settings_path(model)) if model else {}
        targets = "boundary_contour" if trained.get("channels") else "affinities"
        if "channels" in trained and targets != cls.targets:
            raise InputError(
                f"expected a model for the targets {cls.targets}, got {model}, which was trained for {targets}; in a "
                f"bundle, name configs/targets/{targets}.json last"
            )
        kept = load_options_as(cls, model) if model else None
        # With TorchScript weights alone, model.json stands for the model.
        if model and kept is None and not trained and not Path(model).exists():
            raise InputError(f"expected a trained model at {model}, got none")
        return kept or cls()

    def but(self: AnyOptions, **changes: Any) -> AnyOptions:
        """Return a copy with some options changed; `None` leaves an option as it is.

        Raises:
            InputError: if there is no such option.
        """
        known = {field.name for field in dataclasses.fields(self)}
        for name in changes:
            if name not in known:
                raise InputError(f"unknown segmentation option '{name}'{nearest_or_all(name, sorted(known))}")
        return dataclasses.replace(self, **{name: value for name, value in changes.items() if value is not None})


@dataclass(frozen=True)
class SegmentationOptions(Options):
    """Options for turning affinities into segments.

    Attributes:
        method: score by which fragments merge: "mean", "quantile_Q" or "max_K" of the affinities between them, see
            `agglomerate`. "mutex" is the mutex watershed, which has neither fragments nor a threshold and needs offsets
            beyond the nearest. Of the other options it uses `strides`, `bias`, `low`, `foreground_threshold` and
            `min_size_voxels`.
        threshold: score from which two segments merge.
        fragments: "distance" grows fragments from the middles of objects, "watershed" along the steepest affinities.
        boundary_threshold: for "distance": mean affinity below which a voxel is boundary. A number, or a percentile
            such as "20%".
        sigma_nm: for "distance": smoothing of the distance; `None` is 1.5 times the shortest edge of a voxel.
        per_section: whether each section gets its own fragments, for thick sections.
        low: a voxel is background if none of its nearest affinities exceeds this. A number or a percentile.
        high: for "watershed": affinity from which every edge joins its voxels. A number or a percentile.
        foreground_threshold: mean nearest affinity below which a voxel is background.
        long_range: use of offsets beyond the nearest: "no", "touching" or "all", see `region_graph`.
        min_size_voxels: smaller segments become background.
        small_voxels: size below which a segment joins the neighbour with the greatest score, if that reaches
            `small_threshold`, after all merges at `threshold`.
        small_threshold: see `small_voxels`.
        large_voxels: size in voxels; two segments that both reach it never merge.
        strides: for "mutex": repelling edges are taken from every n-th voxel along (z, y, x).
        bias: for "mutex": number added to the attraction; above 0 merges more.

    Raises:
        InputError: if a name is unknown or a number is out of range.
    """

    targets: ClassVar[str] = "affinities"

    method: str = "mean"
    threshold: float = 0.3
    fragments: str = "distance"
    boundary_threshold: Threshold = 0.85
    sigma_nm: float | None = None
    per_section: bool = False
    low: Threshold = 1e-4
    high: Threshold = 0.9999
    foreground_threshold: float = 0.0
    long_range: str = "no"
    min_size_voxels: int = 0
    small_voxels: int = 0
    small_threshold: float = 0.1
    large_voxels: int | None = None
    strides: Shape3 = (1, 3, 3)
    bias: float = 0.0

    def __post_init__(self) -> None:
        if self.method != "mutex":
            try:
                parse_scoring(self.method)
            except InputError:
                raise InputError(
                    f"method must be mean, quantile_Q (as in quantile_75), max_K or mutex, got {self.method!r}"
                ) from None
        check_choice(self.fragments, FRAGMENTS, "fragments")
        check_choice(self.long_range, LONG_RANGE_USES, "long_range")
        self._take_probabilities("threshold", "foreground_threshold", "small_threshold")
        for name in ("boundary_threshold", "low", "high"):
            check_threshold(getattr(self, name), name)
        for name in ("min_size_voxels", "small_voxels"):
            check_at_least(getattr(self, name), 0, name)
        if self.sigma_nm is not None:
            check_at_least(self.sigma_nm, 0, "sigma_nm")
        if self.large_voxels is not None:
            check_at_least(self.large_voxels, max(1, self.small_voxels), "large_voxels")
        # A JSON file holds a list, which is not equal to the tuple that was saved.
        object.__setattr__(self, "strides", check_whole_triple(self.strides, "strides"))
        check_switches(per_section=self.per_section)
        check_within(self.bias, -1, 1, "bias")


_OF_PAIRS = (
    *("threshold", "fragments", "boundary_threshold", "per_section", "long_range"),
    *("small_voxels", "large_voxels"),
)
"""Options that only the methods that score pairs of fragments use, not the mutex watershed."""


def check_used(options: SegmentationOptions, given: Mapping[str, Any]) -> None:
    """Raise an `InputError` for the first given option (not `None`) that has no effect with the other options."""
    unused = dict.fromkeys(_OF_PAIRS if options.method == "mutex" else ("bias",), f"method {options.method}")
    if options.fragments == "watershed":
        unused.setdefault("boundary_threshold", "fragments watershed")
    for name, value in given.items():
        if value is not None and name in unused:
            raise InputError(f"{name} must be left out with {unused[name]}, where it does nothing, got {value!r}")


def tuned_path(model: str | Path) -> Path:
    """Return the path of a model's options: beside the model, or inside it if it is a folder."""
    model = Path(model)
    return (model if model.is_dir() else model.parent) / TUNED_NAME


def save_options(path: str | Path, options: Options, evidence: Mapping[str, Any]) -> None:
    """Write options and the evidence for their choice; the file appears only when it is complete."""
    values = dataclasses.asdict(options)
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}
    write_json({"targets": options.targets, "options": plain, **evidence}, path)


def load_options(model: str | Path) -> SegmentationOptions | None:
    """Return the options for affinities stored beside a model; see `load_options_as`."""
    return load_options_as(SegmentationOptions, model)


def load_options_as(kind: type[AnyOptions], model: str | Path) -> AnyOptions | None:
    """Return the options of class `kind` stored beside a model, or `None` if there are none.

    Raises:
        InputError: if the file does not hold options, or holds options for other targets.
    """
    path = tuned_path(model)
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text())
        options = content["options"]
        # Files from before there were other targets do not name a target.
        targets = content.get("targets", SegmentationOptions.targets)
        if targets == kind.targets:
            return kind().but(**options)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} must hold segmentation options as tuning wrote them, got: {error}") from None
    raise InputError(f"{path} must hold options for the targets {kind.targets}, got those for {targets}")
