import json

import pytest

from sectome.report.comparison import compare
from sectome.report.runs import read_runs


def test_the_difference_is_pretrained_minus_from_scratch(make_arm):
    runs = read_runs([make_arm("a", "model.pt", voi_split=0.9, are=0.1), make_arm("b", voi_split=0.6, are=0.1)])
    (comparison,) = compare(runs)
    assert comparison.difference("voi_sum") == pytest.approx(0.3)
    assert comparison.verdict("voi_sum") == "worse by 0.300"
    assert comparison.verdict("are") == "no difference"
    assert "one run each (seed 0)" in comparison.caveat()


def test_what_rounds_to_nothing_is_no_difference(make_arm):
    runs = read_runs([make_arm("a", "model.pt", voi_split=0.60004), make_arm("b", voi_split=0.6)])
    assert compare(runs)[0].verdict("voi_split") == "no difference"


def test_arms_are_compared_with_those_of_their_settings(make_arm):
    folders = [make_arm(f"{kind}{crops}", kind, crops=crops) for crops in (1, 8) for kind in ("", "model.pt")]
    comparisons = compare(read_runs(folders))
    assert [(len(c.pretrained), len(c.scratch)) for c in comparisons] == [(1, 1), (1, 1)]
    assert {c.pretrained[0].settings["crops"] for c in comparisons} == {1, 8}
    assert not any(c.differing for c in comparisons)


def test_other_settings_that_differ_are_named(make_arm):
    runs = read_runs([make_arm("a", "model.pt", lr=0.1, depth=6, seed=1), make_arm("b", lr=0.2, depth=6)])
    (comparison,) = compare(runs)
    assert comparison.differing == ["lr"]
    assert "The arms also differ in lr, so the difference has more than one cause." in comparison.caveat()


def test_several_seeds_give_means_and_say_whether_ranges_overlap(make_arm):
    folders = [make_arm(f"a{seed}", "model.pt", voi_split=0.5 + seed / 10, seed=seed) for seed in (0, 1)]
    apart = [make_arm(f"b{seed}", voi_split=0.7 + seed / 10, seed=seed) for seed in (0, 1)]
    (comparison,) = compare(read_runs(folders + apart))
    assert comparison.verdict("voi_split") == "better by 0.200"
    assert "2 pre-trained and 2 from scratch); the ranges of VOI sum do not overlap" in comparison.caveat()
    overlapping = make_arm("b2", voi_split=0.55, seed=2)
    (comparison,) = compare(read_runs([*folders, *apart, overlapping]))
    assert "the ranges of VOI sum overlap" in comparison.caveat()


def test_different_encoders_are_pointed_out(make_arm):
    runs = read_runs([make_arm("a", "one.pt"), make_arm("b", "two.pt", seed=1), make_arm("c")])
    assert "start from 2 different encoders" in compare(runs)[0].caveat()


def test_arms_of_different_volumes_are_not_compared(make_arm):
    folders = [make_arm("a", "model.pt"), make_arm("b")]
    content = json.loads((folders[0] / "scores.json").read_text())
    (folders[0] / "scores.json").write_text(json.dumps({**content, "test": ["elsewhere"]}))
    assert compare(read_runs(folders)) == []


def test_arms_without_scores_are_not_compared(make_arm):
    assert compare(read_runs([make_arm("a", "model.pt"), make_arm("b", evaluated=False)])) == []


def test_arms_that_go_on_from_a_whole_model_are_not_from_scratch(make_arm):
    runs = read_runs([make_arm("a", "encoder.pt"), make_arm("b", weights="model.pt", voi_split=0.1)])
    assert [run.start for run in runs] == ["pre-trained", "from a whole model"]
    assert compare(runs) == []
    (comparison,) = compare([*runs, *read_runs([make_arm("c", voi_split=0.7)])])
    assert [run.name for run in comparison.scratch] == ["c"]
