"""Config keys that do nothing are refused with the nearest name; a user's mistake is one sentence."""

from __future__ import annotations

import copy
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from monai.bundle import ConfigParser

from sectome.bundle import (
    VOLUMES,
    check_folders,
    check_keys,
    check_named_device,
    check_volumes,
    data_folder,
)
from sectome.checks import InputError

CONFIG = {
    "epochs": 3,
    "rate": "$@epochs * 2",
    "loss": {"_target_": "torch.nn.HuberLoss", "delta": "@rate"},
    "train": {"trainer": "@loss"},
    "run": ["$print(@loss)"],
}


def checked(tmp_path, **overrides):
    (tmp_path / "train.json").write_text(json.dumps(CONFIG))
    parser = ConfigParser()
    parser.read_config(copy.deepcopy(CONFIG))
    parser.update(overrides)
    check_keys(parser, tmp_path)


def test_known_keys_pass_and_may_be_overridden(tmp_path):
    checked(tmp_path)
    checked(tmp_path, epochs=4, **{"loss#delta": 1.0, "loss#reduction": "sum"})


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("epoch", "unknown config key 'epoch', did you mean 'epochs'"),
        ("xyzzy", "unknown config key 'xyzzy'$"),
        ("loss#detla", "unknown config key 'loss#detla': torch.nn.HuberLoss does not take it, did you mean 'delta'"),
    ],
)
def test_unknown_keys_are_refused(tmp_path, key, message):
    with pytest.raises(InputError, match=message):
        checked(tmp_path, **{key: 1})


def test_a_component_that_its_module_has_not_is_refused_unless_it_is_disabled(tmp_path):
    said = "'loss#_target_' must name something in torch.nn, got 'torch.nn.HuberLos', did you mean 'HuberLoss'?"
    with pytest.raises(InputError, match=re.escape(said)):
        checked(tmp_path, **{"loss#_target_": "torch.nn.HuberLos"})
    checked(tmp_path, **{"loss#_target_": "torch.nn.HuberLos", "loss#_disabled_": True})


def test_a_component_of_scripts_is_not_looked_for_in_those_of_another_bundle(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "scripts", ModuleType("scripts"))
    checked(tmp_path, **{"loss#_target_": "scripts.OwnLoss"})


def test_keys_that_another_config_of_the_bundle_declares_are_known(tmp_path):
    (tmp_path / "evaluate.json").write_text(json.dumps({"test_data": []}))
    (tmp_path / "metadata.json").write_text(json.dumps({"authors": "us"}))
    checked(tmp_path, test_data=[1])
    with pytest.raises(InputError, match="'authors'"):
        checked(tmp_path, authors="me")


@pytest.mark.parametrize("folder", [7, 2024.1, None, ["runs"]])
def test_a_folder_that_is_no_path_is_refused(folder):
    for known in ("runs/7", Path("runs"), "$@bundle_root + '/eval'"):
        check_folders(ConfigParser({"output_dir": known}))
    with pytest.raises(
        InputError, match=re.escape(f"ckpt_dir must be a path, got {folder!r}; write ./ before a name that looks like")
    ):
        check_folders(ConfigParser({"output_dir": "runs", "ckpt_dir": folder}))


@pytest.mark.parametrize("name", VOLUMES)
@pytest.mark.parametrize("data", [5, [5], "cube.tif", ["cube.tif"], {"image": "cube.tif"}])
def test_volumes_that_are_no_list_of_entries_are_refused(name, data):
    for known in ("$tissue.find_volumes('train')", [{"image": "cube.tif"}, "@other"], [], {"_target_": "listed"}):
        check_volumes(ConfigParser({name: known}))
    with pytest.raises(
        InputError, match=re.escape(f"{name} must be a list of volumes, such as [{{'image': 'cube.tif'}}], got")
    ):
        check_volumes(ConfigParser({name: data}))


@pytest.mark.parametrize("device", ["gpu", "cuda", "cuda:0", "xpu:99", "cpu:x"])
def test_a_device_that_is_not_there_is_refused_and_any_other_left_alone(monkeypatch, device):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)
    with pytest.raises(InputError, match=f"device must be one that this machine has, .* got '{device}' with 0 GPUs"):
        check_named_device(ConfigParser({"device": device}))
    for known in ("cpu", "$torch.device('cuda')", None):
        check_named_device(ConfigParser({"device": known}))
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    for known in ("cuda", "cuda:1"):
        check_named_device(ConfigParser({"device": known}))


@pytest.mark.parametrize(
    ("text", "got"), [('{"epochs": 3,, }', "as JSON, got: .*line 1 column 14"), ("[]", "as a JSON object, got list")]
)
def test_a_config_that_went_wrong_is_named_and_an_overlay_of_other_runs_does_not_stop_this_one(tmp_path, text, got):
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/mine.json").write_text(text)
    with pytest.warns(UserWarning, match=f"datasets/mine.json must hold a config {got}.*; it is ignored in this run"):
        checked(tmp_path)
    (tmp_path / "datasets/mine.json").rename(tmp_path / "mine.json")
    with pytest.raises(InputError, match=f"/mine.json must hold a config {got}"):
        checked(tmp_path)


# Each end of a program in a fork of one process that has imported MONAI, which takes seconds.
ENDS = """
import json, os, sys, tempfile
from sectome import bundle
from sectome.checks import InputError
bundle.prepare()
for code in json.loads(sys.argv[1]):
    said = tempfile.TemporaryFile()
    if not (child := os.fork()):
        os.dup2(said.fileno(), 2)
        exec(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    said.seek(0)
    print(json.dumps([status, said.read().decode().strip()]))
"""
DEEP_INSIDE = """
try: raise InputError('expected a, got b')
except InputError as error: raise RuntimeError('deep inside of MONAI') from error
"""
IN_A_WORKER = "raise RuntimeError('Caught in DataLoader worker\\nsectome.checks.InputError: expected a, got c\\nmore')"
# As torch does where several processes train.
BUFFERED = """
import io
hook = sys.excepthook
def buffered(*args): sys.stderr = io.StringIO(); hook(*args)
sys.excepthook = buffered
raise InputError('expected a, got d')
"""
# As MONAI's runner puts its own error on top of a write that the system refused.
FULL_DISK = """
import errno
try: raise OSError(errno.ENOSPC, 'No space left on device')
except OSError as error: raise RuntimeError('Failed to evaluate') from error
"""
# A shell's background job ignores it unless told otherwise.
CTRL_C = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
os.kill(os.getpid(), signal.SIGINT)
"""


def test_an_input_error_ends_the_program_with_its_sentence_and_code_2_and_ctrl_c_with_130():
    codes = [DEEP_INSIDE, IN_A_WORKER, BUFFERED, FULL_DISK, CTRL_C, "1 / 0"]
    command = [sys.executable, "-W", "ignore", "-c", ENDS, json.dumps(codes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *ends, full, stopped, (status, said) = map(json.loads, done.stdout.splitlines())
    assert ends == [[2, f"error: expected a, got {name}"] for name in "bcd"]
    assert full == [2, "error: [Errno 28] No space left on device"]
    assert stopped == [130, "stopped; run the same command again to continue a training from its last checkpoint"]
    assert status == 1
    assert "Traceback" in said


@pytest.mark.parametrize(
    ("root", "end"), [(None, "got none; set it"), ("", "got none; set it"), ("/none", "got /none")]
)
def test_a_data_set_whose_folder_is_not_known_is_asked_for(monkeypatch, root, end):
    monkeypatch.delenv("SECTOME_DATA", raising=False)
    if root is not None:
        monkeypatch.setenv("SECTOME_DATA", root)
    with pytest.raises(InputError, match=f"SECTOME_DATA must name the folder that holds cells, .*{end}"):
        data_folder("cells")


def test_a_data_set_is_found_in_the_folder_that_the_environment_names(monkeypatch, tmp_path):
    (tmp_path / "cells").mkdir()
    monkeypatch.setenv("SECTOME_DATA", str(tmp_path))
    assert data_folder("cells") == str(tmp_path / "cells")
