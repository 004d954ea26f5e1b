"""Options for each transform in the gallery, chosen so that its effect is visible at a glance."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

Source = Literal["image", "uneven image", "labels", "sparse labels", "merged labels", "mitochondria"]
"""Input of a transform. "uneven" sections differ in brightness, "sparse" ids are large and have gaps, and each "merged"
id belongs to several neurons."""

OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "Charging": {"strength": (2.0, 3.0), "size_voxels": (6.0, 16.0)},
    "Contrast": {"gain": (0.5, 0.6), "offset": (0.5, 0.6)},
    "Crack": {"width_voxels": (8.0, 14.0)},
    "CutOut": {"max_count": 3, "max_size_voxels": (12, 48, 48)},
    "Elastic": {"sigma_voxels": 6.0, "spacing_voxels": 40.0},
    "Fold": {"hidden_voxels": (12.0, 20.0), "width_voxels": (8.0, 14.0)},
    "Gamma": {"exponents": (2.0, 2.5)},
    "GaussianNoise": {"deviation": (0.5, 0.6)},
    "Misalignment": {"max_shift_voxels": 28, "mode": "shift"},
    "MissingSection": {"fill": "flat"},
    "PartialSection": {"fraction": (0.3, 0.6)},
    "Scaling": {"factors": (0.7, 1.4)},
    "SectionBlur": {"sigma_voxels": (2.0, 3.0)},
    "SectionContrast": {"gain": (0.3, 0.5), "offset": (0.5, 0.8), "max_sections": 4},
    "ShotNoise": {"deviation": (0.6, 0.7)},
    "Stripes": {"period_voxels": (12.0, 16.0), "strength": (2.0, 3.0)},
}
"""Options of random transforms, stronger than for training; other transforms use their defaults."""


@dataclass(frozen=True)
class Example:
    """Example of a deterministic transform.

    Attributes:
        source: input of the transform.
        options: options of the transform; `voxel_size_nm` is taken from the piece.
        channels: titles and indices of the target channels to show; if empty, before and after are shown.
    """

    source: Source
    options: dict[str, Any] = field(default_factory=dict)
    channels: tuple[tuple[str, int], ...] = ()


EXAMPLES: Final[dict[str, Example]] = {
    "AffinityTargets": Example(
        "labels",
        {"offsets": [(-1, 0, 0), (0, -3, 0), (0, 0, -9)]},
        (("offset (-1, 0, 0)", 0), ("offset (0, -3, 0)", 1), ("offset (0, 0, -9)", 2)),
    ),
    "BoundaryContour": Example("mitochondria", {"width_voxels": 2}, (("foreground", 0), ("contour", 1))),
    "DistanceTargets": Example("labels", channels=(("distance", 0),)),
    "ErodeBorders": Example("labels", {"steps": 2, "in_plane": True}),
    "IgnoreBorders": Example("labels", {"steps": 1, "in_plane": True}),
    "PercentileIntensity": Example("uneven image", {"per_section": True}),
    "Relabel": Example("sparse labels", {"order": "appearance"}),
    "SplitDisconnected": Example("merged labels", {"ids": "new"}),
    "StandardiseIntensity": Example("image"),
}
"""Examples of deterministic transforms by name; a test compares them with `sectome.transforms`."""
