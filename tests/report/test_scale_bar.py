import pytest

from sectome.report.figure_style import new_figure
from sectome.report.scale_bar import draw_scale_bar, format_length, round_length_nm


@pytest.mark.parametrize(
    ("extent", "length"), [(2000, 500), (3000, 1000), (2999, 500), (512, 100), (750, 200), (30, 10), (1e5, 20000)]
)
def test_the_bar_is_the_longest_round_length_up_to_a_third(extent, length):
    assert round_length_nm(extent) == pytest.approx(length)


@pytest.mark.parametrize(("length", "text"), [(500, "500 nm"), (1000, "1 µm"), (20000, "20 µm"), (0.5, "0.5 nm")])
def test_lengths_are_said_in_nm_or_micrometres(length, text):
    assert format_length(length) == text


def test_the_bar_is_as_long_as_it_says():
    axes = new_figure(2, 2).add_subplot()
    draw_scale_bar(axes, 2000, 1500)
    left, right = axes.lines[0].get_xdata()
    assert right - left == 500
    assert axes.texts[0].get_text() == "500 nm"


def test_a_flat_picture_goes_without():
    axes = new_figure(2, 2).add_subplot()
    draw_scale_bar(axes, 2000, 200)
    assert not axes.lines
