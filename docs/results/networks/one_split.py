"""How much of the shipped weights' error is one body that these sections do not show as one.

python ../../docs/results/networks/one_split.py FOLDER, from bundles/em_segmentation: segments sections 120 to 169 of
fib25_medulla (SECTOME_DATA) into FOLDER, prints scores with the truth as it is and with the largest body's two parts as
two, and draws where they touch, one_split.png.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy import ndimage

from sectome.metrics import adapted_rand_error, variation_of_information
from sectome.report.figure_style import LABEL_POINTS, TEXT, new_figure, png_bytes
from sectome.report.label_colours import blend_labels
from sectome.report.overlay_figure import grey_values
from sectome.types import Array, LabelArray
from sectome.volumes import open_volume, write_volume

SECTIONS = slice(120, 170)
VOXEL_SIZE_NM = (8, 8, 8)
NECK_VOXELS = 3
"""Parts that hang together by less than twice as many voxels count as two."""
HALF_WIDTH = 20
"""Of the pictures, in voxels."""


def main(folder: Path) -> None:
    """Segment, score twice and draw."""
    data = f"{os.environ['SECTOME_DATA']}/fib25_medulla"
    raw = open_volume(f"{data}/labelled_raw.tif", voxel_size_nm=VOXEL_SIZE_NM)[SECTIONS]
    truth = open_volume(f"{data}/labelled_labels.npz:labels", voxel_size_nm=VOXEL_SIZE_NM)[SECTIONS]
    write_volume(folder / "raw.tif", raw, voxel_size_nm=VOXEL_SIZE_NM)
    run = [sys.executable, "-m", "monai.bundle", "run", "--config_file", "configs/inference.json"]
    subprocess.run([*run, "--image", str(folder / "raw.tif"), "--output_dir", str(folder)], check=True)
    labels = np.asarray(open_volume(folder / "raw_labels.tif"))

    body = np.bincount(truth[truth > 0]).argmax()
    first, second = two_parts(truth == body)
    parted = np.where(second, truth.max() + 1, truth)
    for name, ids in {"as it is": truth, "in two parts": parted}.items():
        split, merge = variation_of_information(ids, labels)
        scores = {"are": adapted_rand_error(ids, labels), "voi_split": split, "voi_merge": merge, "voi": split + merge}
        print(json.dumps({"truth": name, "voxels_of_the_second_part": int(second.sum()), **scores}))
    (folder / "one_split.png").write_bytes(png_bytes(draw(raw, labels, first, second)))


def two_parts(body: Array) -> tuple[Array, Array]:
    """Return the two largest parts of a body (Z, Y, X) that are left without thin necks, grown to share all of it."""
    cores, _ = ndimage.label(ndimage.binary_erosion(body, iterations=NECK_VOXELS, border_value=1))
    largest = 1 + np.argsort(-np.bincount(cores.ravel())[1:])[:2]
    to_first, to_second = (ndimage.distance_transform_edt(cores != core) for core in largest)
    second = body & (to_second < to_first)
    return body & ~second, second


def draw(raw: Array, labels: LabelArray, first: Array, second: Array) -> Figure:
    """Return a figure of where the parts touch, in two planes: raw, and our segments with the truth's outline."""
    touching = np.argwhere(ndimage.binary_dilation(first) & second)
    place = np.median(touching, axis=0).astype(int)
    z, y, x = (slice(max(0, at - HALF_WIDTH), at + HALF_WIDTH) for at in place)
    figure = new_figure(9, 2.5)
    panels = figure.subplots(1, 4)
    planes = {"xy": (place[0], y, x), "zy": (z, y, place[2])}
    greys = grey_values([raw[where] for where in planes.values()])
    for pair, grey, (plane, where) in zip((panels[:2], panels[2:]), greys, planes.items(), strict=True):
        pair[0].imshow(grey, cmap="gray", vmin=0, vmax=1)
        pair[1].imshow(blend_labels(grey, labels[where]))
        for panel, name in zip(pair, ("truth's outline", "our segments"), strict=True):
            panel.contour((first | second)[where], [0.5], colors="cyan", linewidths=1)
            panel.set_title(f"{plane}: {name}", fontsize=LABEL_POINTS, color=TEXT)
            panel.set_axis_off()
    return figure


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
