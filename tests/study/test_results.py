"""Numbers of runs: read by whatever names they have, averaged with the right interval, and compared seed by seed."""

from __future__ import annotations

import json
import math

import pytest

from sectome.study import read_study
from sectome.study.results import columns, read_results, score_numbers, training_numbers
from sectome.study.summary import interval, summarise, table


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def test_scores_of_neurons_are_those_of_the_first_method_with_the_others_beside(tmp_path):
    method = {"are": 0.2, "voi_split": 1.0, "voi_merge": 0.5, "segments": 7.0}
    content = {
        "threshold": 0.3,
        "scores": {"connected components": {**method, "are": 0.4}, "mean agglomeration": method},
        "boundary_average_precision": {"(-1, 0, 0)": 0.5, "(0, -1, 0)": 0.75, "(0, 0, -9)": 1.0},
    }
    row = score_numbers(write(tmp_path / "scores.json", content))
    assert row == {
        "are": 0.2,
        "voi_split": 1.0,
        "voi_merge": 0.5,
        "segments": 7.0,
        "voi": 1.5,
        "connected components: are": 0.4,
        "connected components: voi_split": 1.0,
        "connected components: voi_merge": 0.5,
        "connected components: segments": 7.0,
        "connected components: voi": 1.5,
        "boundary_ap": 0.75,
        "boundary_ap_1": 0.625,
        "boundary_ap_9": 1.0,
    }
    assert columns([row])[-1].startswith("connected components: ")


def test_scores_of_mitochondria_are_taken_by_the_names_that_they_have(tmp_path):
    content = {
        "targets": "boundary_contour",
        "scores": {"watershed": {"foreground_iou": 0.8, "note": "no number"}, "true maps": {"foreground_iou": 1.0}},
        "average_precision": {"contour": 0.6},
    }
    row = score_numbers(write(tmp_path / "scores.json", content))
    assert row == {"foreground_iou": 0.8, "true maps: foreground_iou": 1.0, "average_precision_contour": 0.6}


@pytest.mark.parametrize(
    ("settings", "steps"), [({}, 12), ({"accumulation_steps": 1}, 12), ({"accumulation_steps": 4}, 3)]
)
def test_steps_are_those_of_the_optimizer(tmp_path, settings, steps):
    (tmp_path / "history.csv").write_text("iteration,seconds,name,value\n4,1,loss,0.5\n12,3,loss,0.25\n")
    write(tmp_path / "run.json", {"settings": settings, "parameters": 7})
    assert training_numbers(tmp_path) == {
        "steps": steps,
        "training_seconds": 3.0,
        "parameters": 7,
        "val_loss": None,
        "val_loss_of_mean": None,
    }


def test_a_run_without_a_history_has_no_steps(tmp_path):
    assert set(training_numbers(tmp_path).values()) == {None}


@pytest.mark.parametrize("shared", [0, 1, 7])
def test_a_pretraining_alone_that_all_seeds_share_has_one_row(declare, tmp_path, shared):
    pretraining = {"pretraining": "mae", "fine_tune": False}
    path = declare(seeds=[0, 1, 2], pretrainings={"mae": {"seed": shared}}, arms={"mae": pretraining}, baseline="")
    folder = tmp_path / f"pretrainings/mae/seed_{shared}"
    folder.mkdir(parents=True)
    write(folder / "evaluation.json", {"masked_loss": 0.5})
    assert read_results(read_study(path), tmp_path, [folder]) == [{"arm": "mae", "seed": 0, "masked_loss": 0.5}]


def test_the_interval_is_students_t():
    # By hand: mean 2, deviation 1, and 4.3027 is the t of two degrees of freedom.
    assert interval([1.0, 2.0, 3.0]) == pytest.approx((2, 2 - 4.302653 / math.sqrt(3), 2 + 4.302653 / math.sqrt(3)))
    mean, low, high = interval([4.0])
    assert mean == 4
    assert math.isnan(low)
    assert math.isnan(high)


@pytest.fixture
def study(declare):
    return read_study(declare(seeds=[0, 1, 2], pretrainings={"mae": {"seed": 0}}))


def row(arm, seed, voi, **more):
    return {"arm": arm, "value": None, "seed": seed, "voi": voi, **more}


def test_differences_are_taken_seed_by_seed(study):
    rows = [row("scratch", seed, 1.0 + seed) for seed in (0, 1)]
    rows += [row("pretrained", seed, 0.75 + seed, masked_loss=0.5) for seed in (0, 1, 2)]
    summary = {(line["arm"], line["measure"]): line for line in summarise(study, rows)}
    difference = summary["pretrained", "voi"]
    assert (difference["seeds"], difference["pairs"], difference["baseline"]) == (3, 2, "scratch")
    # The seeds differ by whole bits, the arms by a quarter: only pairs show it.
    for name in ("difference", "difference_low", "difference_high"):
        assert difference[name] == pytest.approx(-0.25)
    assert difference["mean"] == 1.75
    assert "baseline" not in summary["scratch", "voi"]
    text = table(summarise(study, rows), ["voi"])
    assert "-0.2500  [-0.2500, -0.2500] from scratch" in text


def test_a_pretraining_that_all_seeds_share_counts_once(study):
    rows = [row("pretrained", seed, 1.0, masked_loss=0.5) for seed in (0, 1, 2)]
    summary = {line["measure"]: line for line in summarise(study, rows)}
    assert summary["masked_loss"]["seeds"] == 1
    assert "low" not in summary["masked_loss"]
    assert summary["voi"]["seeds"] == 3


def test_a_number_that_is_none_is_told_and_has_no_interval(study):
    rows = [row("scratch", seed, 1.0 + seed) for seed in (0, 1, 2)]
    rows += [row("pretrained", seed, math.nan if seed == 1 else 1.0, masked_loss=math.nan) for seed in (0, 1, 2)]
    summary = {(line["arm"], line["measure"]): line for line in summarise(study, rows)}
    for line in (summary["pretrained", "voi"], summary["pretrained", "masked_loss"]):
        assert math.isnan(line["mean"])
        assert "low" not in line
        assert "high" not in line
    assert math.isnan(summary["pretrained", "voi"]["difference"])
    assert "difference_low" not in summary["pretrained", "voi"]
    _, scratch, pretrained = table(summarise(study, rows), ["voi"]).splitlines()
    assert scratch.split()[:2] == ["scratch", "2.0000"]
    assert pretrained.split() == ["pretrained", "nan", "3", "+nan", "from", "scratch"]
