import numpy as np
import pytest

from sectome.checks import InputError
from sectome.report import reconstruction_figure
from sectome.report.reconstruction_figure import HIDDEN_TONE


def test_each_crop_has_a_row_of_six_panels(crops):
    assert len(reconstruction_figure(**crops).axes) == 12
    assert len(reconstruction_figure(**crops, crops=1).axes) == 6


def test_hidden_voxels_have_the_flat_tone_and_seen_ones_are_grey(crops):
    image, masked, reconstructed, *xz = reconstruction_figure(**crops).axes[:6]
    picture, hidden = masked.images[0].get_array(), crops["hidden"][0, 4]
    assert (picture[hidden] == HIDDEN_TONE).all()
    assert (np.ptp(picture[~hidden], axis=-1) == 0).all()
    assert (image.images[0].get_array() == crops["image"][0, 4]).all()
    assert (reconstructed.images[0].get_array() == crops["reconstructed"][0, 4]).all()
    assert (xz[0].images[0].get_array() == crops["image"][0, :, 16]).all()


def test_planes_have_true_proportions(crops):
    xy, *_, xz = reconstruction_figure(**crops).axes[:6]
    assert xy.images[0].get_extent() == [0, 256, 256, 0]
    assert xz.images[0].get_extent() == [0, 256, 240, 0]
    assert xy.get_aspect() == xz.get_aspect() == 1


def test_crops_are_not_modified(crops):
    before = {name: array.copy() for name, array in crops.items()}
    reconstruction_figure(**crops)
    assert all((before[name] == array).all() for name, array in crops.items())


def test_arrays_that_do_not_fit_are_refused(crops):
    with pytest.raises(
        InputError, match=r"the hidden must have the image's shape \(2, 8, 32, 32\), got \(1, 8, 32, 32"
    ):
        reconstruction_figure(**{**crops, "hidden": crops["hidden"][:1]})
    with pytest.raises(InputError, match=r"one or more crops \(N, Z, Y, X\), got shape \(8, 32, 32\)"):
        reconstruction_figure(**{**crops, "image": crops["image"][0]})
