"""A study's picture: what is drawn for which arms, and that nothing drawn is cut off."""

from __future__ import annotations

import pytest
from matplotlib.text import Text

from sectome.study import read_study
from sectome.study.figure import NOTE, panels, study_figure


def rows(study, **numbers):
    return [
        {"arm": arm.name, "value": arm.value, "seed": seed, "steps": 9}
        | {name: value + 0.1 * seed for name, value in numbers.items()}
        for arm in study.arms
        for seed in study.seeds
    ]


def test_panels_are_voi_and_boundaries_else_the_scores_at_hand(declare):
    study = read_study(declare())
    assert panels(study, rows(study, are=0.1, voi=1.0, boundary_ap=0.9, masked_loss=0.4)) == ["voi", "boundary_ap"]
    assert panels(study, rows(study, foreground_iou=0.1, average_precision_75=1.0)) == [
        "foreground_iou",
        "average_precision_75",
    ]
    assert panels(study, rows(study, val_loss=0.3)) == ["val_loss"]
    several = read_study(declare(pretrainings={"mae": {"vary": {"mask_ratio": [0.5, 0.9]}}}))
    assert panels(several, rows(several, voi=1.0, masked_loss=0.4)) == ["voi", "masked_loss"]


def test_arms_without_a_number_stand_below_each_other(declare):
    study = read_study(declare())
    drawn = rows(study, voi=1.0)
    (axes,) = study_figure(study, drawn).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["scratch", "pretrained"]
    low, high = axes.get_xlim()
    assert low < 1.0
    assert high > 1.1


def test_a_varied_number_is_the_axis_and_is_logarithmic_over_a_wide_range(declare):
    for numbers, scale in (([0.5, 0.75], "linear"), ([5, 100], "log")):
        study = read_study(declare(pretrainings={"mae": {"vary": {"mask_ratio": numbers}}}))
        voi, _ = study_figure(study, rows(study, voi=1.0, masked_loss=0.4)).axes
        assert voi.get_xscale() == scale
        assert voi.get_xlabel() == "mask ratio"
        assert list(voi.get_xticks()) == numbers
        assert voi.get_ylim()[1] > 1.1
        assert {line.get_label() for line in voi.get_lines()} >= {"scratch", "pretrained"}


def test_controls_are_lines_where_they_are_in_view_and_words_where_they_are_not(declare):
    study = read_study(declare())
    drawn = rows(study, voi=1.0)
    for row in drawn:
        row |= {"true affinities: voi": 0.02, "connected components: voi": 1.05}
    (axes,) = study_figure(study, drawn).axes
    assert axes.get_title(loc="left") == "not in view: true affinities 0.02"
    assert [text.get_text() for text in axes.texts] == ["connected components"]


def test_there_is_no_picture_of_nothing(declare):
    study = read_study(declare())
    assert study_figure(study, []) is None


@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_one_seed_has_no_interval_and_is_drawn(declare, seeds):
    study = read_study(declare(seeds=seeds))
    assert study_figure(study, rows(study, voi=1.0)) is not None


@pytest.mark.parametrize("scores", [{"val_loss": 0.3}, {"voi": 1.0, "boundary_ap": 0.9}])
def test_the_legend_lies_neither_on_a_long_question_nor_on_the_note(declare, scores):
    study = read_study(
        declare(
            asks=" ".join(["Is it worth it?"] * 9),
            baseline="one",
            pretrainings={"mae": {"vary": {"mask_ratio": [0.5, 0.75]}}},
            arms={name: {"pretraining": "mae"} for name in ("one", "other", "third", "last")},
        )
    )
    figure = study_figure(study, rows(study, **scores))
    figure.draw_without_rendering()
    legend = figure.legends[0].get_window_extent()
    words = [text for text in figure.findobj(Text) if text.get_text() in (NOTE, study.asks)]
    assert len(words) == 2
    assert not any(legend.overlaps(text.get_window_extent()) for text in words)
