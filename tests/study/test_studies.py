"""The studies that are shipped, and a small one, as a user runs them: with the bundles' real commands."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sectome.datasets import ALL_SETS
from sectome.study import read_study
from sectome.study.bundle_command import find_bundles
from sectome.study.plan import check_settings, plan
from sectome.volumes import write_volume
from tiny_networks import BUNDLES, TINY

STUDIES = sorted((BUNDLES.parent / "studies").glob("*.json"))

SHORT = {"epochs": 1, "epoch_length": 2, "val_interval": 1, "val_crops": 1, "batch_size": 1, "num_heads": 3}
PUBLIC = {"crop_size": [8, 32, 32], "patch_size": [2, 8, 8]}

OVERRIDES = {"pretraining": TINY["mae_pretrain"], "fine_tuning": {**TINY["em_segmentation"], "overlap": 0}}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_shipped_study_sets_what_the_bundles_know(path, monkeypatch, tmp_path):
    monkeypatch.setenv("SECTOME_DATA", "/data")
    study = read_study(path)
    assert study.name == path.stem
    assert study.asks.endswith("?")
    assert len(study.seeds) >= 3
    assert study.baseline
    check_settings(plan(study, study.arms, tmp_path, find_bundles(BUNDLES)))


def test_label_fractions_are_of_the_sections_that_are_trained_on():
    study = read_study(BUNDLES.parent / "studies/label_fraction.json")
    overlay = json.loads((BUNDLES / "em_segmentation/configs/datasets/fib25_medulla.json").read_text())
    first, last = overlay["train_data"][0]["sections"]
    for arm in study.arms:
        own = arm.recipe.overrides["train_data#0#sections"]
        assert own == [first, first + round((last - first) * arm.value / 100)]


@pytest.mark.slow
def test_two_arms_run_from_tissue_to_tables_and_go_on(run, declare, tissue_folder, tmp_path):
    path = declare(seeds=[0])
    overrides = {**SHORT, **OVERRIDES, "crop_size": [8, 32, 32]}
    options = ("--to", tmp_path / "out", "--bundles", BUNDLES, "--dataset_dir", tissue_folder, "--jobs", 2)
    call = ("study", path, *options, "--overrides", repr(overrides))
    code, out, err = run(*call)
    assert code == 0, out + err
    scratch, pretrained = rows(tmp_path / "out/results.csv")
    assert (scratch["steps"], pretrained["steps"]) == ("2", "2")
    assert float(scratch["pretraining_seconds"]) == 0 < float(pretrained["pretraining_seconds"])
    assert float(scratch["parameters"]) > 1000
    for name in ("are", "voi", "boundary_ap", "boundary_ap_1", "val_loss", "training_seconds", "true affinities: voi"):
        assert float(scratch[name]) >= 0, name
    assert (tmp_path / "out/small.png").is_file()
    assert {row["arm"] for row in rows(tmp_path / "out/summary.csv")} == {"scratch", "pretrained"}
    settings = json.loads((tmp_path / "out/pretrained/seed_0/run.json").read_text())["settings"]
    assert settings["pretrained"] == str(tmp_path / "out/pretrainings/mae/seed_0/model.pt")

    # As if it had been killed right after the last epoch's checkpoint.
    folder = tmp_path / "out/scratch/seed_0"
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps({**state, "finished": {}}))
    (folder / "scores.json").unlink()
    weights = (folder / "model.pt").stat().st_mtime_ns
    code, out, err = run(*call)
    assert code == 0, out + err
    assert "3 runs, 2 done already" in out
    assert (folder / "scores.json").is_file()
    assert (folder / "model.pt").stat().st_mtime_ns == weights


@pytest.fixture
def dressed(tmp_path: Path) -> Callable[[str], Path]:
    """Write synthetic tissue in the layout of a public set: its files, its sections, small in the plane."""
    from sectome.phantom import make_phantom

    def write(name: str) -> Path:
        public = ALL_SETS[name]
        tissue = make_phantom((24, 64, 64), public.voxel_size_nm, 0)
        labels = tissue.mitochondria if name.startswith("mitoem") else tissue.neurons
        # Back and forth, so that objects go on from one repeat into the next.
        once = np.concatenate([np.arange(24), np.arange(24)[::-1]])
        for volume in public.volumes:
            source = tissue.raw if volume.ids is None else labels
            sections = np.resize(once, volume.shape[0])
            write_volume(tmp_path / "data" / volume.path, source[sections], voxel_size_nm=public.voxel_size_nm)
        return tmp_path / "data"

    return write


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cremi", "mitoem_r", "snemi3d"])
def test_the_study_of_a_public_set_runs_on_tissue_in_its_layout(run, dressed, tmp_path, name):
    shipped: dict[str, Any] = json.loads((BUNDLES.parent / f"studies/{name}.json").read_text())
    path = tmp_path / "one_seed.json"
    path.write_text(json.dumps({**shipped, "seeds": [0]}))
    overrides = repr({**SHORT, **PUBLIC, **OVERRIDES})
    options = ("--bundles", BUNDLES, "--dataset_dir", dressed(name), "--jobs", 2, "--only", "scratch,pretrained_0.75")
    code, out, err = run("study", path, "--to", tmp_path / "out", *options, "--overrides", overrides)
    assert code == 0, out + err
    scratch, pretrained = rows(tmp_path / "out/results.csv")
    assert (scratch["arm"], pretrained["arm"], pretrained["value"]) == ("scratch", "pretrained_0.75", "0.75")
    assert float(pretrained["masked_loss"]) > 0
    scores = ("average_precision_75", "foreground_iou") if name == "mitoem_r" else ("voi", "boundary_ap")
    for score in scores:
        assert float(scratch[score]) >= 0
