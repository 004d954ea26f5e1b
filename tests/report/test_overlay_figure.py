import numpy as np
import pytest

from sectome.checks import InputError
from sectome.report import overlay_figure
from sectome.report.figure_style import png_bytes


def panel_inches(axes):
    width, height = axes.figure.get_size_inches()
    box = axes.get_position()
    return box.width * width, box.height * height


def test_panels_have_the_proportions_of_the_tissue(tissue):
    figure = overlay_figure(tissue)
    assert len(figure.axes) == 8
    for axes, rows_nm in zip(figure.axes, [48 * 8] * 4 + [12 * 30] * 4, strict=True):
        width, height = panel_inches(axes)
        assert height / width == pytest.approx(rows_nm / (64 * 8))
        assert axes.images[0].get_extent() == [0, 64 * 8, rows_nm, 0]


def test_titles_name_the_columns_and_planes(tissue):
    texts = {text.get_text() for text in overlay_figure(tissue).texts}
    assert texts == {"raw", "affinity", "segmentation", "truth", "xy", "xz"}


def test_a_right_segmentation_looks_like_the_truth(tissue):
    *_, segmentation, truth = overlay_figure(tissue).axes[:4]
    labelled = tissue["truth_xy"] > 0
    assert np.allclose(segmentation.images[0].get_array()[labelled], truth.images[0].get_array()[labelled], atol=0.51)
    inside = (slice(9, 10), slice(4, 12))
    assert np.allclose(segmentation.images[0].get_array()[inside], truth.images[0].get_array()[inside])


def test_overlays_are_not_modified(tissue):
    before = {name: array.copy() for name, array in tissue.items()}
    overlay_figure(tissue)
    assert all((before[name] == array).all() for name, array in tissue.items())


def test_a_constant_image_and_an_empty_segmentation_are_drawn(tissue):
    tissue["raw_xy"][:] = tissue["raw_xz"][:] = 7
    tissue["segmentation_xy"][:] = tissue["segmentation_xz"][:] = 0
    tissue["affinity_xy"][0] = np.nan
    assert png_bytes(overlay_figure(tissue)).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("truth_xy", None, "overlays must hold 'truth_xy', got"),
        ("truth_xz", np.ones((3, 64), int), r"the truth_xz must have the image's shape \(12, 64\), got \(3, 64\)"),
        ("raw_xy", np.ones((2, 3, 4)), r"raw_xy must have 2 axes, got shape \(2, 3, 4\)"),
        ("voxel_size_nm", np.array([8.0, 8.0]), "voxel_size_nm must be three positive numbers"),
        ("truth_xy", np.ones((48, 64)), "truth_xy must hold integers, got float64"),
    ],
)
def test_arrays_that_do_not_fit_are_named(tissue, name, array, message):
    overlays = {key: value for key, value in tissue.items() if key != name}
    if array is not None:
        overlays[name] = array
    with pytest.raises(InputError, match=message):
        overlay_figure(overlays)
