"""Lucchi++: mouse hippocampus, a mask of all mitochondria of two volumes."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path

import numpy as np
from scipy import ndimage

from sectome.checks import InputError
from sectome.datasets.gather_sections import gather_sections
from sectome.datasets.public_set import Archive, PublicSet, PublicVolume
from sectome.types import LabelArray


def label_mask(unpacked: Path, pattern: str) -> LabelArray:
    """Return the connected components (Z, Y, X) of a mask, ids 1 to N; touching mitochondria share an id.

    Args:
        unpacked: Folder of unpacked archives.
        pattern: Glob of the mask's sections.

    Raises:
        InputError: If the mask's values are not 0 and exactly one other.
    """
    with warnings.catch_warnings():
        # The test volume's mask is known to be stored as colour; the set's description says so.
        warnings.filterwarnings("ignore", message=".*stored as colour")
        mask = np.asarray(gather_sections(unpacked, (pattern,)))
    values = np.unique(mask)
    if len(values) != 2 or values[0] != 0:
        raise InputError(f"expected a mask of 0 and one other value in {pattern}, got {values[:5].tolist()}")
    labels, count = ndimage.label(mask)
    return labels.astype(np.uint16 if count < 2**16 else np.uint32)


_SHAPE = (165, 768, 1024)

LUCCHI = PublicSet(
    name="lucchi",
    title="mouse hippocampus CA1, FIB-SEM, mitochondria of a training and a test volume (Lucchi++)",
    archives=(
        Archive(
            "lucchi_pp.zip",
            "http://www.casser.io/files/lucchi_pp.zip",
            "sha256:770ce9e98fc6f29c1b1a250c637e6c5125f2b5f1260e5a7687b55a79e2e8844d",
            250_000_000,
        ),
    ),
    volumes=(
        PublicVolume("train_image.tif", _SHAPE, make=partial(gather_sections, patterns=("Lucchi++/Train_In/*.png",))),
        PublicVolume(
            "train_labels.h5", _SHAPE, ids=(1, 10_000), make=partial(label_mask, pattern="Lucchi++/Train_Out/*.png")
        ),
        PublicVolume("test_image.tif", _SHAPE, make=partial(gather_sections, patterns=("Lucchi++/Test_In/*.png",))),
        PublicVolume(
            "test_labels.h5", _SHAPE, ids=(1, 10_000), make=partial(label_mask, pattern="Lucchi++/Test_Out/*.png")
        ),
    ),
    voxel_size_nm=(5.0, 5.0, 5.0),
    terms="research use; no licence was found: do not ship weights trained on it",
    citation="Lucchi et al. 2013, CVPR, doi:10.1109/CVPR.2013.132; Casser et al. 2018, arXiv:1812.06024",
    traps=(
        "The archive has a mask, not objects: ids are its connected components; mitochondria that touch share one.",
        "Sections of the mask are named 0.png to 164.png without padding, and those of the test volume are RGBA.",
    ),
)
