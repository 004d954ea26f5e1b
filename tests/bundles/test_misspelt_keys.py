"""A misspelt key on the command line ends each workflow of both bundles before anything is read or written."""

from __future__ import annotations

import pytest

from tiny_networks import TINY

CONFIGS = {"train": ["train"], "evaluate": ["train", "evaluate"], "inference": ["inference"]}


@pytest.mark.parametrize("bundle", [*TINY])
@pytest.mark.parametrize(
    ("kind", "key", "value", "nearest"),
    [
        ("train", "d_data", 3, ""),
        ("train", "train__trainer__max_epoch", 3, "max_epochs"),
        ("train", "lr", "@epohcs", "epochs"),
        ("evaluate", "network_def__depht", 2, "depth"),
        ("evaluate", "validate__key_metirc", 3, "key_metric"),
        ("inference", "d_data", 3, ""),
        ("inference", "inferer__precisoin", "fp32", "precision"),
        ("inference", "overlap", "$@overlpa", "overlap"),
    ],
)
def test_one_sentence_says_which_key_was_meant(run_bundle, tmp_path, bundle, kind, key, value, nearest):
    done = run_bundle(bundle, CONFIGS[kind], output_dir=tmp_path / "run", **{key: value})
    assert done.returncode == 2, done.stderr[-2000:]
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("error: unknown config key ")
    assert "Traceback" not in done.stderr
    assert (f"did you mean '{nearest}'" in last) if nearest else ("'d_data'" in last)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("bundle", "kind", "option", "belongs"),
    [
        ("em_segmentation", "train", "checkpoint", "configs/evaluate.json and configs/inference.json"),
        ("em_segmentation", "train", "overlap", "configs/evaluate.json and configs/inference.json"),
        ("em_segmentation", "train", "min_size_voxels", "configs/inference.json"),
        ("mae_pretrain", "train", "image", "configs/inference.json"),
        ("mae_pretrain", "inference", "batch_size", "configs/train.json"),
        ("em_segmentation", "evaluate", "image", "configs/inference.json"),
    ],
)
def test_an_option_of_another_workflow_is_refused(run_bundle, tmp_path, bundle, kind, option, belongs):
    done = run_bundle(bundle, CONFIGS[kind], output_dir=tmp_path / "run", **{option: 0.5})
    assert done.returncode == 2, done.stderr[-2000:]
    sentence = f"error: --{option.split('__')[0]} does nothing in this run: it is an option of {belongs}"
    assert done.stderr.strip().splitlines()[-1] == sentence
    assert not (tmp_path / "run").exists()


def test_an_evaluation_takes_the_words_of_its_training(run_bundle, tmp_path):
    words = {"val_crops": 2, "places": "labelled", "dataset_dir": tmp_path, "ckpt_dir": tmp_path}
    done = run_bundle("em_segmentation", CONFIGS["evaluate"], **words)
    assert f"expected volumes in {tmp_path}" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("bundle", [*TINY])
def test_a_misspelt_section_is_refused_by_monai_itself(run_bundle, bundle):
    done = run_bundle(bundle, "train", train__trainre__max_epochs=3)
    assert done.returncode == 1
    assert "did you mean 'trainer'" in done.stderr
