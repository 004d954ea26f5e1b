"""The figure of predictions shows each channel's target above what was predicted, at the right place and tone."""

from __future__ import annotations

import numpy as np
import pytest

from sectome.checks import InputError
from sectome.report import prediction_figure
from sectome.report.reconstruction_figure import HIDDEN_TONE

SHAPE = (3, 4, 6)
NAMES = ["z -1", "x -9"]


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    return {
        "image": random.normal(size=SHAPE).astype(np.float32),
        "labels": random.integers(-1, 3, SHAPE),
        "targets": random.integers(0, 2, (2, *SHAPE)).astype(np.uint8),
        "valid": random.integers(0, 2, (2, *SHAPE)).astype(np.uint8),
        "predicted": random.random((2, *SHAPE)).astype(np.float32),
    }


def pictures(figure):
    """Pictures by row and column."""
    shown = [axes.images[0] for axes in figure.axes]
    return [shown[row * 3 : row * 3 + 3] for row in range(4)]


def test_each_panel_shows_its_plane_of_its_channel(arrays):
    figure = prediction_figure(**arrays, names=NAMES, voxel_size_nm=(30, 6, 4))
    assert {text.get_text() for text in figure.texts} == {
        "image",
        *NAMES,
        *(f"{kind}, {plane}" for kind in ("target", "predicted") for plane in ("xy", "xz")),
    }
    rows = pictures(figure)
    for first, cut, extent in ((0, np.s_[:, 1], 4 * 6), (2, np.s_[:, :, 2], 3 * 30)):
        for channel in range(2):
            target, predicted = rows[first][channel + 1], rows[first + 1][channel + 1]
            assert np.array_equal(predicted.get_array(), arrays["predicted"][cut][channel])
            known = arrays["valid"][cut][channel] == 1
            expected = np.repeat(arrays["targets"][cut][channel][..., None], 3, axis=-1).astype(float)
            expected[~known] = HIDDEN_TONE
            assert np.allclose(target.get_array(), expected)
            assert target.get_extent() == [0, 24, extent, 0]
            assert target.get_array().dtype == np.float32, "whole numbers would be taken for 0 to 255"


def test_the_image_is_tinted_where_labels_are(arrays):
    rows = pictures(prediction_figure(**arrays, names=NAMES, voxel_size_nm=(30, 6, 4)))
    tinted, plain = rows[0][0].get_array(), rows[1][0].get_array()
    coloured = np.ptp(tinted, axis=-1) > 0
    inside = arrays["labels"][1] > 0
    assert np.array_equal(coloured, inside)
    assert np.allclose(tinted[~inside], plain[~inside][:, None])


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"names": ["one"]}, "targets must have the image's shape"),
        ({"labels": np.zeros((3, 4, 5), int)}, "labels must have the image's shape"),
        ({"image": np.zeros((4, 6))}, "image must be a crop"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays, change, sentence):
    with pytest.raises(InputError, match=sentence):
        prediction_figure(**{"names": NAMES, "voxel_size_nm": (30, 6, 4), **arrays, **change})
