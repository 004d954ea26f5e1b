"""Views of a piece of tissue in the gallery: sections, xz cuts and grey values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from sectome.report.gallery_figure import Histogram, Panel, Picture, grey_picture, label_picture
from sectome.types import Array, FloatArray, LabelArray, VoxelSize

Plane = Literal["xy", "xz"]


@dataclass(frozen=True)
class View:
    """What a column of a picture shows.

    Attributes:
        kind: content of the column.
        plane: "xy" is a section, "xz" a cut along x and z.
        index: number of the section, or y of the cut.
    """

    kind: Literal["image", "labels", "grey values"]
    plane: Plane
    index: int

    @property
    def title(self) -> str:
        """Title of the column."""
        if self.kind == "grey values":
            return "grey values"
        place = f"section {self.index}" if self.plane == "xy" else "xz"
        return place if self.kind == "image" else f"labels, {place}"


@dataclass(frozen=True)
class State:
    """A piece before or after a transform.

    Attributes:
        image: (Z, Y, X) grey values.
        labels: (Z, Y, X) labels, or `None` if they do not matter.
        voxel_size_nm: voxel size (z, y, x).
        limits: grey values drawn black and white.
        caption: text in the first picture.
        span: limits of the axis of grey values; those of the image if `None`.
    """

    image: Array
    labels: LabelArray | None
    voxel_size_nm: VoxelSize
    limits: tuple[float, float]
    caption: str = ""
    span: tuple[float, float] | None = None

    def panel(self, view: View, caption: bool = False) -> Panel:
        """Return the panel of a view."""
        if view.kind == "grey values":
            return Histogram(self.image, self.span)
        grey = grey_picture(plane(self.image, view), self.limits)
        if view.kind == "labels" and self.labels is not None:
            grey = label_picture(grey, plane(self.labels, view))
        return picture(grey, view, self.voxel_size_nm, self.caption if caption else "")


def plane(volume: Array, view: View) -> Array:
    """Return the plane (rows, columns) of a (Z, Y, X) volume that a view shows."""
    return volume[view.index] if view.plane == "xy" else volume[:, view.index]


def picture(values: FloatArray, view: View, voxel_size_nm: VoxelSize, caption: str = "") -> Picture:
    """Return the (rows, columns) values of a view's plane as a picture with the proportions of the tissue."""
    rows_nm = voxel_size_nm[1] if view.plane == "xy" else voxel_size_nm[0]
    return Picture(values, values.shape[0] * rows_nm, values.shape[1] * voxel_size_nm[2], caption)


def grey_limits(image: Array, margin: float = 0.0) -> tuple[float, float]:
    """Return the 0.5th and 99.5th percentiles, both moved outwards by `margin` times their distance."""
    low, high = np.percentile(image, (0.5, 99.5))
    return float(low - margin * (high - low)), float(high + margin * (high - low))


@dataclass(frozen=True)
class Change:
    """The change that a transform made to a piece.

    Attributes:
        amount: (Z, Y, X) absolute differences.
    """

    amount: FloatArray

    @property
    def by_section(self) -> FloatArray:
        """The mean change of each section."""
        means: FloatArray = self.amount.mean(axis=(1, 2))
        return means

    @property
    def partial(self) -> bool:
        """Whether some sections are unchanged."""
        return bool((self.by_section == 0).any())

    @property
    def section(self) -> int:
        """The middle section if all changed, the first changed one if all after it did, else the most changed one."""
        changes = self.by_section
        if not self.partial:
            return len(changes) // 2
        first = int((changes > 0).argmax())
        return first if (changes[first:] > 0).all() else int(changes.argmax())

    @property
    def rank(self) -> tuple[bool, bool, float]:
        """Sort key of how well this change can be shown; greater is better."""
        # A defect shows best between sections without it, not at an end of the piece.
        depth = len(self.by_section)
        inner = depth // 4 <= self.section < depth - depth // 4
        return self.partial, inner, float(self.by_section.max())

    def views(self, labels_move: bool) -> list[View]:
        """Return the views that show this change."""
        depth, height = self.amount.shape[:2]
        at = self.section
        y = int(self.amount.mean(axis=(0, 2)).argmax()) if self.partial else height // 2
        here, cut = View("image", "xy", at), View("image", "xz", y)
        if labels_move:
            labels = [View("labels", "xy", at), View("labels", "xz", y)]
            return [*([View("image", "xy", max(at - 1, 0))] if self.partial else []), here, labels[0], cut, labels[1]]
        if not self.partial:
            return [here, cut, View("grey values", "xy", at)]
        around = [View("image", "xy", z) for z in range(max(at - 1, 0), min(at + 2, depth))]
        return [*around, cut]
