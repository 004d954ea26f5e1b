"""A study's runs by made-up commands: what is run once, what is refused, and what goes on after a failure."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

import pytest

from sectome.study import run_study
from tiny_networks import BUNDLES


def calls(folder: Path) -> list[str]:
    return (folder / "calls.txt").read_text().split()


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_run_has_its_log_its_commands_and_its_row(declare, run_stubbed, tmp_path):
    code, out, err = run_stubbed(declare())
    assert code == 0, err
    folder = tmp_path / "out"
    assert "6 runs, 0 done already, 2 at once" in out
    assert calls(folder / "pretrained/seed_1") == ["train", "evaluate"]
    assert calls(folder / "pretrainings/mae/seed_1") == ["train", "evaluate"]
    script = (folder / "pretrained/seed_1/commands.sh").read_text()
    pretrained = f"--pretrained {folder}/pretrainings/mae/seed_1/model.pt"
    assert f'cd "{BUNDLES / "em_segmentation"}"' in script
    assert (
        "python -m monai.bundle run --config_file \"['configs/train.json','configs/datasets/phantom.json']\"" in script
    )
    assert script.count(pretrained) == 1
    assert script.count("--epochs 3 --batch_size 2 --encoder_lr_factor 0.2 --seed 1") == 2
    assert (folder / "pretrained/seed_1/log.txt").read_text().count("$ python -m monai.bundle run") == 2
    table = rows(folder / "results.csv")
    assert [(row["arm"], row["seed"]) for row in table] == [(a, s) for a in ("scratch", "pretrained") for s in "01"]
    assert (folder / "small.png").read_bytes().startswith(b"\x89PNG")
    assert "-0.4000" in out


def test_a_pretraining_of_the_whole_network_is_trained_only_and_its_last_validation_counts(
    declare, run_stubbed, tmp_path
):
    entry = {"bundle": "em_segmentation", "overlays": ["configs/pretraining/masked_voxels.json"]}
    code, _, err = run_stubbed(declare(pretraining={}, pretrainings={"mae": entry}))
    assert code == 0, err
    first = tmp_path / "out/pretrainings/mae/seed_1"
    assert calls(first) == ["train"]
    script = (first / "commands.sh").read_text()
    assert f'cd "{BUNDLES / "em_segmentation"}"' in script
    assert "['configs/train.json','configs/pretraining/masked_voxels.json']" in script
    row = rows(tmp_path / "out/results.csv")[-1]
    assert (row["arm"], row["masked_loss"]) == ("pretrained", "0.4")


def test_a_finished_study_is_only_read_again(declare, run_stubbed, tmp_path):
    run_stubbed(declare())
    before = {path: path.read_bytes() for path in (tmp_path / "out").glob("*.*")}
    code, out, _ = run_stubbed(declare())
    assert code == 0
    assert "6 done already" in out
    assert calls(tmp_path / "out/pretrained/seed_1") == ["train", "evaluate"]
    assert {path: path.read_bytes() for path in (tmp_path / "out").glob("*.*")} == before


def test_only_some_arms_are_run_with_the_pretraining_that_they_need(declare, run_stubbed, tmp_path):
    code, _, _ = run_stubbed(declare(), "--only", "scratch")
    assert code == 0
    assert {path.name for path in (tmp_path / "out").iterdir() if path.is_dir()} == {"scratch"}
    assert {row["arm"] for row in rows(tmp_path / "out/results.csv")} == {"scratch"}
    code, out, _ = run_stubbed(declare(), "--only", "pretrained,scratch")
    assert code == 0
    assert "6 runs, 2 done already" in out


def test_an_arm_may_have_a_number_for_a_name(declare, run_stubbed):
    path = declare(arms={"scratch": {}, "25": {}, "50": {}}, pretrainings={})
    for only, runs in (("25", 2), ("25,50", 4), ("[25,scratch]", 4)):
        code, out, err = run_stubbed(path, "--only", only, "--redo", "25", "--dry_run")
        assert code == 0, err
        assert out.count("# ") == runs


def test_a_changed_declaration_of_a_finished_run_is_refused_with_what_differs(declare, run_stubbed, tmp_path):
    run_stubbed(declare(), "--only", "scratch")
    changed = declare(fine_tuning={"overlays": ["configs/datasets/phantom.json"], "overrides": {"epochs": 4}})
    code, _, err = run_stubbed(changed, "--only", "scratch")
    assert code == 2
    assert "overrides epochs 3, got 4; overrides batch_size 2, got None" in err
    assert "--redo scratch" in err
    assert calls(tmp_path / "out/scratch/seed_0") == ["train", "evaluate"]
    code, _, err = run_stubbed(changed, "--only", "scratch", "--redo", "scratch")
    assert code == 0, err
    assert calls(tmp_path / "out/scratch/seed_0") == ["train", "evaluate"]
    assert {row["steps"] for row in rows(tmp_path / "out/results.csv")} == {"400"}


def test_an_override_of_null_is_a_change(declare, run_stubbed):
    def path(**more):
        return declare(arms={"scratch": {"overrides": {"encoder_lr_factor": 1.0, **more}}}, pretrainings={})

    run_stubbed(path())
    code, _, err = run_stubbed(path(intensity=None))
    assert code == 2
    assert "scratch/seed_0 was made with overrides intensity None, got 'null'; declare it as it was" in err
    assert run_stubbed(path(intensity=None), "--redo", "scratch")[0] == 0
    assert "overrides intensity 'null', got None" in run_stubbed(path())[2]


def test_an_overlay_that_was_edited_since_a_run_is_refused_with_what_differs(declare, run_stubbed, tmp_path):
    root = tmp_path / "bundles/em_segmentation"
    for bundle in ("mae_pretrain", "em_segmentation"):
        shutil.copytree(BUNDLES / bundle / "configs", tmp_path / "bundles" / bundle / "configs")
    overlay = root / "configs/datasets/mine.json"
    overlay.write_text(json.dumps({"train_data": [{"image": "a.tif", "label": "b.tif", "sections": [0, 32]}]}))
    path = declare(fine_tuning={"overlays": ["configs/datasets/mine.json"]})
    options = ("--only", "scratch", "--bundles", tmp_path / "bundles")
    assert run_stubbed(path, *options)[0] == 0
    overlay.write_text(json.dumps({"train_data": [{"image": "a.tif", "label": "b.tif", "sections": [0, 16]}]}))
    code, _, err = run_stubbed(path, *options)
    assert code == 2
    assert "configs/datasets/mine.json train_data 0 sections [0, 32], got [0, 16]" in err
    assert "--redo scratch" in err
    assert run_stubbed(path, *options, "--redo", "scratch")[0] == 0
    # A run of before overlays were kept says nothing of them, and stays.
    state = tmp_path / "out/scratch/seed_0/state.json"
    state.write_text(
        json.dumps({key: part for key, part in json.loads(state.read_text()).items() if key != "overlays"})
    )
    overlay.write_text("{}")
    code, _, err = run_stubbed(path, *options, "--redo", "pretrained")
    assert "scratch/seed_1 was made with" in err
    assert "seed_0" not in err


def test_results_that_would_not_be_made_anew_are_not_removed(declare, run_stubbed, tmp_path):
    path = declare()
    run_stubbed(path)
    for other in ("pretrained", "pretrainings/mae"):
        code, _, err = run_stubbed(path, "--only", "scratch", "--redo", other)
        assert code == 2
        assert f"--redo must name only what --only runs, got {other}/seed_0" in err
    assert {row["arm"] for row in rows(tmp_path / "out/results.csv")} == {"scratch", "pretrained"}
    assert all((tmp_path / f"out/{arm}/seed_0/state.json").is_file() for arm in ("pretrained", "pretrainings/mae"))


def test_a_run_of_other_settings_is_in_no_table(declare, run_stubbed, tmp_path):
    run_stubbed(declare(), "--only", "scratch")
    changed = declare(fine_tuning={"overlays": ["configs/datasets/phantom.json"], "overrides": {"epochs": 4}})
    code, _, err = run_stubbed(changed, "--only", "pretrained")
    assert code == 0, err
    assert {row["arm"] for row in rows(tmp_path / "out/results.csv")} == {"pretrained"}


def test_a_pretraining_is_redone_with_all_that_starts_from_it_and_nothing_else(declare, run_stubbed, tmp_path):
    run_stubbed(declare())
    changed = declare(pretrainings={"mae": {"overrides": {"mask_ratio": 0.9}}})
    code, _, err = run_stubbed(changed)
    assert code == 2
    assert "overrides mask_ratio 0.5, got 0.9" in err
    (tmp_path / "out/scratch/seed_0/calls.txt").write_text("as it was")
    code, out, err = run_stubbed(changed, "--redo", "pretrainings/mae")
    assert code == 0, err
    assert "6 runs, 2 done already" in out
    assert (tmp_path / "out/scratch/seed_0/calls.txt").read_text() == "as it was"


def test_a_removal_that_was_stopped_leaves_nothing_that_seems_done(declare, run_stubbed, tmp_path, monkeypatch):
    path = declare()
    run_stubbed(path)
    before = rows(tmp_path / "out/results.csv")
    # Killed when some files of the first folder are gone.
    with monkeypatch.context() as stopped:
        stopped.setattr(shutil, "rmtree", lambda folder: ((folder / "run.json").unlink(), sys.exit(9)))
        with pytest.raises(SystemExit):
            run_study(path, tmp_path / "out", bundles=BUNDLES, redo=["pretrainings/mae"])
    code, out, err = run_stubbed(path)
    assert code == 0, err
    assert "6 runs, 5 done already" in out
    assert rows(tmp_path / "out/results.csv") == before
    assert calls(tmp_path / "out/pretrained/seed_1") == ["train", "evaluate"]
    assert run_stubbed(path, "--redo", "pretrained")[0] == 0
    assert not list((tmp_path / "out").glob("*/.*"))


def test_a_failed_run_is_listed_with_its_last_words_and_the_others_go_on(declare, run_stubbed, tmp_path):
    bad = declare(pretrainings={"mae": {"overrides": {"lr": 13}}})
    code, out, _ = run_stubbed(bad)
    assert code == 1
    for seed in range(2):
        assert f"failed: pretrainings/mae/seed_{seed}: error: a learning rate of 13 brings bad luck" in out
        assert f"failed: pretrained/seed_{seed}: it starts from pretrainings/mae/seed_{seed}, which failed" in out
    assert [row["arm"] for row in rows(tmp_path / "out/results.csv")] == ["scratch"] * 2
    # What has left nothing behind may be declared anew.
    code, _, err = run_stubbed(declare())
    assert code == 0, err
    assert len(rows(tmp_path / "out/results.csv")) == 4


def test_a_dry_run_prints_commands_and_what_is_done_and_writes_nothing(declare, run_stubbed, tmp_path):
    code, out, _ = run_stubbed(declare(), "--dry_run")
    assert code == 0
    assert out.count("\npython -m monai.bundle run") == 12
    assert "# pretrained/seed_0: to do" in out
    assert not (tmp_path / "out").exists()
    run_stubbed(declare(), "--only", "scratch")
    _, out, _ = run_stubbed(declare(), "--dry_run")
    assert "# scratch/seed_0: done" in out


def test_spaces_in_the_paths_of_bundles_and_overlays_stay_in_the_commands(declare, run_stubbed, tmp_path):
    for bundle in ("mae_pretrain", "em_segmentation"):
        shutil.copytree(BUNDLES / bundle / "configs", tmp_path / "my bundles" / bundle / "configs")
        datasets = tmp_path / "my bundles" / bundle / "configs/datasets"
        shutil.copy(datasets / "phantom.json", datasets / "my tissue.json")
    part = {"overlays": ["configs/datasets/my tissue.json"]}
    path = declare(pretraining=part, fine_tuning=part)
    code, out, err = run_stubbed(path, "--dry_run", "--bundles", tmp_path / "my bundles")
    assert code == 0, err
    assert f"cd '{tmp_path}/my bundles/em_segmentation'" in out
    assert out.count("--config_file \"['configs/train.json','configs/datasets/my tissue.json']\"") == 6


def test_a_pretraining_alone_can_be_an_arm_and_one_can_serve_all_seeds(declare, run_stubbed, tmp_path):
    path = declare(
        pretrainings={"mae": {"seed": 5, "vary": {"mask_ratio": [0.5, 0.9]}}},
        arms={"scratch": {}, "reconstruction": {"pretraining": "mae", "fine_tune": False}},
    )
    code, _, err = run_stubbed(path)
    assert code == 0, err
    assert {path.name for path in (tmp_path / "out/pretrainings/mae_0.5").iterdir()} == {"seed_5"}
    table = rows(tmp_path / "out/results.csv")
    assert [(row["arm"], row["value"], row["seed"]) for row in table] == [
        *(("scratch", "", seed) for seed in "01"),
        ("reconstruction_0.5", "0.5", "0"),
        ("reconstruction_0.9", "0.9", "0"),
    ]
    assert float(table[-1]["masked_loss"]) == pytest.approx(0.3 + 0.05 + 0.09)
    assert table[-1]["steps"] == ""


def test_overrides_and_the_data_folder_of_the_command_line_reach_every_run(declare, run_stubbed, tmp_path):
    options = ("--overrides", "{epochs: 1, fine_tuning: {feature_size: 4}}", "--dataset_dir", tmp_path / "my data")
    code, _, err = run_stubbed(declare(), *options)
    assert code == 0, err
    for run, width in {"scratch": 1, "pretrainings/mae": 0}.items():
        script = (tmp_path / "out" / run / "seed_0/commands.sh").read_text()
        assert script.count("--epochs 1 ") == 2
        assert script.count(f"--dataset_dir '{tmp_path}/my data'") == 2
        assert script.count("--feature_size 4") == 2 * width
    code, _, err = run_stubbed(declare(), "--overrides", "epochs=1")
    assert code == 2
    assert "overrides must be written as" in err


@pytest.mark.parametrize(
    ("changes", "options", "sentence"),
    [
        ({"sedes": []}, (), "did you mean 'seeds'?"),
        ({}, ("--only", "scrach"), "the study has no arm 'scrach', did you mean 'scratch'?"),
        ({}, ("--redo", "mae"), "the study has no arm 'mae', expected one of"),
        ({}, ("--jobs", 0), "jobs must be a whole number of at least 1, got 0"),
        ({}, ("--bundles", "nowhere"), "expected the bundles mae_pretrain and em_segmentation in"),
        ({"arms": {"scratch": {"overrides": {"epoch": 3}}}, "pretrainings": {}}, (), "did you mean 'epochs'?"),
        (
            {"arms": {"scratch": {"overrides": {"seed#x": 3}}}, "pretrainings": {}},
            (),
            "overrides must name keys of the configs, got",
        ),
        (
            {"arms": {"scratch": {"overlays": ["configs/networks/none.json"]}}, "pretrainings": {}},
            (),
            "scratch/seed_0: expected an overlay at",
        ),
        (
            {"arms": {"scratch": {"overlays": ["scripts/__init__.py"]}}, "pretrainings": {}},
            (),
            "scripts/__init__.py must hold an overlay as JSON, got: Extra data: line 1 column 3",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(declare, run_stubbed, tmp_path, changes, options, sentence):
    code, _, err = run_stubbed(declare(**changes), *options)
    assert code == 2
    assert err.count("\n") == 1
    assert sentence in err
    assert not (tmp_path / "out").exists()


def test_an_option_of_the_evaluation_alone_is_not_given_to_the_training(declare, run_stubbed):
    changed = declare(fine_tuning={"overrides": {"epochs": 3, "overlap": 0.25, "scores#erode_steps": 1}})
    code, out, err = run_stubbed(changed, "--only", "scratch", "--dry_run")
    assert code == 0, err
    commands = [line for line in out.splitlines() if "monai.bundle" in line]
    trained = [line for line in commands if "evaluate.json" not in line]
    evaluated = [line for line in commands if "evaluate.json" in line]
    assert len(trained) == len(evaluated) == 2
    assert all("--epochs 3" in line for line in commands)
    assert all("--overlap 0.25" in line and "scores#erode_steps" in line for line in evaluated)
    assert not any("overlap" in line or "scores" in line for line in trained)


def test_a_folder_of_another_study_or_of_other_things_is_refused(declare, run_stubbed, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("precious")
    code, _, err = run_stubbed(declare(), to="mine")
    assert (code, err.count("\n")) == (2, 1)
    assert "with other files" in err
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]
    run_stubbed(declare(), "--only", "scratch")
    code, _, err = run_stubbed(declare(name="other"))
    assert code == 2
    assert "must be empty or hold the study 'other', got" in err
    assert "with the study 'small'" in err
    code, _, err = run_stubbed(declare(), to="mine/thesis.txt")
    assert code == 2
    assert "must be a folder" in err


def test_a_state_of_a_run_is_a_file_that_says_what_was_declared_and_is_finished(declare, run_stubbed, tmp_path):
    run_stubbed(declare(), "--only", "pretrained")
    state = json.loads((tmp_path / "out/pretrained/seed_1/state.json").read_text())
    assert set(state["finished"]) == {"train", "evaluate"}
    assert state["declared"]["seed"] == 1
    assert state["declared"]["pretraining"]["overrides"] == {"epochs": 2, "mask_ratio": 0.5}
