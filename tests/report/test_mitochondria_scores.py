"""A run that finds mitochondria in the report: its own table and sentence, and none of the neurons' sections."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from sectome.checks import InputError
from sectome.report import write_report
from sectome.report.runs import read_run

MEASURES = ("foreground_iou", "average_precision_50", "average_precision_75", "average_precision_75_mitoem", "segments")


def row(*values):
    return dict(zip(MEASURES, values, strict=True))


SCORES = {
    "targets": "boundary_contour",
    "validation": ["near"],
    "test": ["far"],
    "scores": {
        "watershed": row(0.812, 0.7, 0.6, 0.65, 12),
        "connected components": row(0.823, 0.4, 0.3, 0.35, 345),
        "all background": row(0.0, 0.0, 0.0, 0.0, 0),
        "true maps": row(0.991, 1.0, 0.9, 0.95, 11),
    },
    "average_precision": {"foreground": 0.912, "contour": 0.456},
}


@pytest.fixture
def make_found(make_arm, tissue):
    """Return a function that writes the folder of a run that finds mitochondria, with some scores replaced."""

    def make(name="found", **changes):
        folder = make_arm(name)
        (folder / "scores.json").write_text(json.dumps({**SCORES, **changes}))
        planes = {key.replace("affinity", "foreground"): array for key, array in tissue.items()}
        np.savez(folder / "overlays.npz", **planes)
        return folder

    return make


def test_it_is_read(make_found):
    run = read_run(make_found())
    assert run.finds_mitochondria
    assert list(run.scores.predictions) == ["watershed"]
    assert run.scores.methods["true maps"]["segments"] == 11
    assert run.scores.voxel_precision == {"foreground": 0.912, "contour": 0.456}
    assert run.overlays["foreground_xz"].shape == (12, 64)


def test_a_page_shows_its_scores_and_no_sections_of_neurons(make_found, tmp_path):
    text = write_report([make_found()], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "found (from scratch) finds mitochondria with a foreground IoU of 0.812 and an AP-75 of 0.600" in text
    assert "Raw, foreground, segmentation and truth of found" in text
    assert "Volume: far." in text
    table = text.split('id="mitochondria"')[1].split("</table>")[0]
    assert all(number in table for number in ("0.812", "0.912", "0.456", "345", "0.991"))
    assert len(re.findall(r'<tr class="control">', table)) == 3
    for absent in ('id="threshold"', 'id="scores"', "Not evaluated yet", "VOI"):
        assert absent not in text


def test_thresholds_chosen_on_tested_tissue_are_pointed_out(make_found, tmp_path):
    text = write_report([make_found(validation=["near", "far"])], tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Thresholds were chosen on tissue that is also scored (far): scores flatter." in text


def test_a_page_shows_it_beside_a_run_of_neurons(make_found, make_arm, tmp_path):
    text = write_report([make_found(), make_arm("plain")], tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'id="mitochondria"' in text
    assert "Raw, affinity, segmentation and truth of plain" in text
    scores = text.split('id="scores"')[1].split("</table>")[0]
    assert "plain" in scores
    assert "found" not in scores


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scores": {"watershed": {"foreground_iou": 1}}}, "a number as 'average_precision_50', got None"),
        ({"scores": []}, "'scores' as an object, got list"),
        ({"average_precision": {"contour": "high"}}, "a number as 'contour', got 'high'"),
    ],
)
def test_broken_scores_are_named(make_found, changes, message):
    with pytest.raises(InputError, match=message):
        read_run(make_found(**changes))


def test_a_missing_array_is_named(make_found, tissue):
    folder = make_found()
    np.savez(folder / "overlays.npz", **tissue)
    with pytest.raises(InputError, match="must hold the array 'foreground_xy'"):
        read_run(folder)
