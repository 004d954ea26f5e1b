import numpy as np
import pytest

from sectome.report import blend_labels, label_colours


def test_background_is_transparent_and_labels_are_opaque():
    colours = label_colours(np.array([[0, 1], [2, 0]]))
    assert colours.shape == (2, 2, 4)
    assert colours.dtype == np.uint8
    assert (colours[0, 0] == 0).all()
    assert (colours[..., 3] == [[0, 255], [255, 0]]).all()


def test_a_label_has_its_colour_whatever_is_beside_it():
    alone, beside = label_colours(np.array([7])), label_colours(np.array([3, 7, 900]))
    assert (alone[0] == beside[1]).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.uint64])
def test_colours_do_not_depend_on_the_type_of_the_labels(dtype):
    assert (label_colours(np.arange(100, dtype=dtype)) == label_colours(np.arange(100))).all()


def test_neighbouring_labels_differ_even_where_a_float_could_not_tell_them_apart():
    for first in (1, 10**6, 2**63):
        labels = np.array([first + step for step in range(12)], np.uint64)
        colours = label_colours(labels)[:, :3].astype(int)
        distance = np.abs(colours[:, None] - colours[None]).sum(-1) + 1000 * np.eye(len(labels), dtype=int)
        assert distance.min() > 40


def test_a_picture_stays_grey_outside_of_labels():
    raw = np.full((5, 8), 0.25)
    labels = np.zeros((5, 8), np.int64)
    labels[:, 4:] = 3
    before = labels.copy()
    blended = blend_labels(raw, labels)
    assert blended.shape == (5, 8, 3)
    assert (blended[:, :4] == 0.25).all()
    tint = label_colours(np.array([3]))[0, :3] / 255
    assert blended[2, 6] == pytest.approx(0.25 * 0.6 + tint * 0.4)
    assert blended[2, 4] == pytest.approx(0.25 * 0.1 + tint * 0.9)
    assert (labels == before).all()
