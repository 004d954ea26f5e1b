"""Labels that tell no objects apart are warned of before a training has taken its time."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from sectome.phantom import make_phantom
from sectome.tissue import open_tissue, warn_of_doubtful_labels
from sectome.volumes import write_volume

VOXEL_SIZE_NM = (30, 6, 6)


@pytest.fixture(scope="module")
def phantom():
    return make_phantom((8, 96, 96), VOXEL_SIZE_NM, seed=0)


def warned_of(tmp_path, **volumes):
    """Return what is said of an entry with these volumes."""
    for name, volume in volumes.items():
        write_volume(tmp_path / f"{name}.tif", volume, voxel_size_nm=VOXEL_SIZE_NM)
    tissue = open_tissue([{name: str(tmp_path / f"{name}.tif") for name in volumes}])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_doubtful_labels(tissue)
    return [str(one.message) for one in caught]


def test_labels_membranes_and_volumes_without_labels_pass(tmp_path, phantom):
    assert warned_of(tmp_path, image=phantom.raw) == []
    assert warned_of(tmp_path, image=phantom.raw, label=phantom.neurons) == []
    assert warned_of(tmp_path, image=phantom.raw, membrane=(phantom.neurons == 0).astype(np.uint8)) == []


@pytest.mark.parametrize("wrong", ["mask", "grey values", "nothing", "masked out"])
def test_what_is_no_labels_is_named(tmp_path, phantom, wrong):
    volumes = {"image": phantom.raw, "label": phantom.neurons}
    if wrong == "masked out":
        volumes["mask"] = np.zeros_like(phantom.raw)
    else:
        volumes["label"] = {
            "mask": np.where(phantom.neurons > 0, 255, 0).astype(np.uint8),
            "grey values": phantom.raw,
            "nothing": np.zeros_like(phantom.neurons),
        }[wrong]
    (said,) = warned_of(tmp_path, **volumes)
    sentence = {"mask": "hold one object (id 255)", "grey values": "change from voxel to voxel (9"}
    assert "image.tif: the labels " + sentence.get(wrong, "hold no object") in said
