"""Gallery of transforms: a picture of tissue before and after each."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from monai.transforms import MapTransform, Transform
from torch import Tensor
from tqdm import tqdm

import sectome.transforms
from sectome.checks import InputError, check_choice
from sectome.replace import replacing
from sectome.report.gallery_examples import EXAMPLES, OPTIONS, Example, Source
from sectome.report.gallery_figure import Panel, gallery_figure, grey_picture, small_png
from sectome.report.gallery_piece import Piece, middle_piece, phantom_piece
from sectome.report.gallery_views import Change, Plane, State, View, grey_limits, picture, plane
from sectome.report.mask_figure import mask_figure
from sectome.report.reconstruction_figure import tinted
from sectome.transforms import Augmentation, LoadVolume, StandardiseIntensity, ToImageAxes
from sectome.types import Array, LabelArray

MASKS = "masks"
"""Name of the picture of the autoencoder's masks, which are not transforms."""

PATCH_SIZE = (4, 16, 16)
"""Patch size (z, y, x) in voxels in that picture, as in the bundles' configs."""

DRAWS = 16
"""Number of random draws, of which the one with the greatest `Change.rank` is shown."""


def public_transforms() -> dict[str, type[Transform]]:
    """Return the array transforms of `sectome.transforms` by name, without bases, `LoadVolume` and `ToImageAxes`."""
    things = {name: getattr(sectome.transforms, name) for name in sectome.transforms.__all__}
    return {
        name: thing
        for name, thing in things.items()
        if inspect.isclass(thing)
        and issubclass(thing, Transform)
        and not issubclass(thing, (MapTransform, LoadVolume, ToImageAxes))
        and not inspect.isabstract(thing)
    }


def make_gallery(
    out: str | Path,
    names: Sequence[str] | str | None = None,
    volume: str | None = None,
    seed: int = 0,
    labels: str | None = None,
    voxel_size_nm: Sequence[float] | None = None,
) -> list[Path]:
    """Write `NAME.png` for each transform: tissue before and after, with probability 1 and strong options.

    The name "masks" stands for the picture of `sectome.masking`.

    Args:
        out: folder of the pictures.
        names: names of the transforms. `None` is all, or, on a volume without labels, those that need none.
        volume: path of a volume whose middle is shown; synthetic tissue if `None`.
        seed: seed of the synthetic tissue and the draws.
        labels: path of the label volume of `volume`.
        voxel_size_nm: voxel size (z, y, x), for files that do not state it.

    Returns:
        Paths of the pictures.

    Raises:
        InputError: if a name is unknown or needs labels that are not given, or a volume cannot be used.
    """
    known = public_transforms()
    chosen = [names] if isinstance(names, str) else list([*known, MASKS] if names is None else names)
    for name in chosen:
        check_choice(name, (*known, MASKS), "names")
    if volume is None and labels is not None:
        raise InputError(f"labels must be given with a volume, got {labels} without one")
    piece = phantom_piece(seed) if volume is None else middle_piece(volume, labels, voxel_size_nm)
    figures: dict[str, Figure] = {}
    for name in tqdm(chosen, desc="gallery", unit="picture", delay=2):
        if name == MASKS:
            patch = [min(edge, max(length // 2, 1)) for edge, length in zip(PATCH_SIZE, piece.image.shape, strict=True)]
            figures[name] = mask_figure(piece.image, piece.voxel_size_nm, patch, seed)
        elif issubclass(known[name], Augmentation):
            figures[name] = _random_figure(name, known[name], piece, seed)
        elif piece.source(EXAMPLES[name].source) is not None:
            figures[name] = _example_figure(name, known[name], piece)
        elif names is not None:
            raise InputError(f"expected labels for {name}, which changes them, got a volume without: give --labels")
    pictures = {Path(out) / f"{name}.png": small_png(figure) for name, figure in figures.items()}
    for path, content in pictures.items():
        with replacing(path) as partial:
            partial.write_bytes(content)
    return list(pictures)


def _random_figure(name: str, kind: Any, piece: Piece, seed: int) -> Figure:
    """Return a figure of tissue before and after a random transform, with labels if they move."""
    options = OPTIONS.get(name, {})
    transform = kind(**options, prob=1.0)
    before = StandardiseIntensity()(torch.from_numpy(piece.image)[None])

    def change(draw: int) -> tuple[Tensor, Change]:
        transform.set_random_state(seed=draw)
        after = transform(before)
        return after, Change((after - before).abs()[0].numpy())

    draw = max(range(seed, seed + DRAWS), key=lambda number: change(number)[1].rank)
    after, changed = change(draw)
    old = new = None
    if not transform.grey_only and piece.labels is not None:
        old = piece.labels.astype(np.int64)
        new = transform(torch.from_numpy(old)[None], randomize=False)[0].numpy()
    limits = grey_limits(before.numpy(), margin=0.15)
    both = torch.cat([before, after])
    span = (float(both.min()), float(both.max()))
    states = {
        row: State(image[0].numpy(), labels, piece.voxel_size_nm, limits, span=span)
        for row, image, labels in (("before", before, old), ("after", after, new))
    }
    return _before_and_after(_call(name, options), states, changed.views(labels_move=old is not None))


def _example_figure(name: str, kind: Any, piece: Piece) -> Figure:
    """Return a figure of what a deterministic transform makes of grey values or labels."""
    example = EXAMPLES[name]
    options = dict(example.options)
    if "voxel_size_nm" in inspect.signature(kind).parameters:
        options["voxel_size_nm"] = piece.voxel_size_nm
    source = piece.source(example.source)
    assert source is not None
    after = np.asarray(kind(**options)(torch.from_numpy(source)[None]))
    title = _call(name, options)
    if example.channels:
        return _targets(title, example, source, after, piece)
    places = _places(after[0], example.source)
    if example.source.endswith("image"):
        states = {
            row: State(image, None, piece.voxel_size_nm, grey_limits(image))
            for row, image in (("before", source), ("after", after[0]))
        }
        views = [*(View("image", *place) for place in places), View("grey values", "xy", 0)]
    else:
        limits = grey_limits(piece.image)
        states = {
            row: State(piece.image, labels, piece.voxel_size_nm, limits, _describe(labels))
            for row, labels in (("before", source), ("after", after[0]))
        }
        views = [View("labels", *place) for place in places]
    return _before_and_after(title, states, views)


def _before_and_after(title: str, states: dict[str, State], views: list[View]) -> Figure:
    panels = [[state.panel(view, caption=view is views[0]) for view in views] for state in states.values()]
    return gallery_figure(title, [view.title for view in views], list(states), panels)


def _targets(title: str, example: Example, labels: LabelArray, after: Array, piece: Piece) -> Figure:
    """Return a figure of labels and target channels computed from them, in a section and an xz cut."""
    known = len(after) // 2
    state = State(piece.image, labels, piece.voxel_size_nm, grey_limits(piece.image))
    limits = min(0.0, float(after[:known].min())), 1.0
    places = _places(labels, example.source)
    panels: list[list[Panel]] = []
    for place in places:
        view = View("labels", *place)
        row: list[Panel] = [state.panel(view)]
        for _, channel in example.channels:
            grey = grey_picture(plane(after[channel], view), limits)
            values = tinted(grey, plane(after[known + channel], view) == 0)
            row.append(picture(values, view, piece.voxel_size_nm))
        panels.append(row)
    columns = ["labels", *(channel_title for channel_title, _ in example.channels)]
    return gallery_figure(title, columns, [f"section {places[0][1]}", "xz"], panels)


def _places(source: Array, kind: Source) -> list[tuple[Plane, int]]:
    """Return the planes to show: the middle ones of grey values, or those with most objects of labels."""
    if kind.endswith("image"):
        return [("xy", source.shape[0] // 2), ("xz", source.shape[1] // 2)]
    objects = [[len(np.unique(part)) for part in np.moveaxis(source, axis, 0)] for axis in range(2)]
    return [("xy", int(np.argmax(objects[0]))), ("xz", int(np.argmax(objects[1])))]


def _describe(labels: LabelArray) -> str:
    ids = np.unique(labels[labels > 0])
    return f"{len(ids)} ids, {ids.min()} to {ids.max()}" if len(ids) else "no ids"


def _call(name: str, options: dict[str, Any]) -> str:
    return f"{name}({', '.join(f'{option}={value!r}' for option, value in options.items())})"
