"""The demo from tissue to report, with networks that hardly train: that it runs, not how well."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import torch

from sectome import demo
from tiny_networks import BUNDLES


@pytest.mark.slow
def test_the_demo_ends_with_a_report_and_prints_its_commands(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(demo, "TISSUE", {name: ((8, 64, 64), job[1]) for name, job in demo.TISSUE.items()})
    short = ("--epochs", "1", "--epoch_length", "2", "--val_interval", "1", "--val_crops", "1")
    monkeypatch.setattr(demo, "PRETRAINING", short)
    monkeypatch.setattr(demo, "FINE_TUNING", short)
    demo.run_demo(tmp_path, BUNDLES)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for name in ("mae", "pretrained", "scratch", "true affinities"):
        assert name in page
    assert (tmp_path / "runs/pretrained/phantom_labels.tif").is_file()
    out = capfd.readouterr().out
    assert out.count("$ python -m monai.bundle run") == 7
    assert out.rstrip().endswith(str(Path("report.html")))


def test_the_demo_goes_on_behind_what_is_trained(tmp_path, monkeypatch):
    for name, epoch in {"mae": 9, "pretrained": 3}.items():
        (tmp_path / "runs" / name).mkdir(parents=True)
        trainer = {"epoch": epoch, "max_epochs": {"mae": 9, "pretrained": 4}[name]}
        torch.save({"trainer": trainer}, tmp_path / "runs" / name / "checkpoint.pt")
    commands = []

    def run(command, **_):
        commands.append((Path(command[command.index("--output_dir") + 1]).name, "evaluate.json" in command[5]))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(demo, "_make_tissue", lambda _: None)
    monkeypatch.setattr(demo, "write_report", lambda *_: None)
    monkeypatch.setattr(demo.subprocess, "run", run)
    demo.run_demo(tmp_path, BUNDLES)
    arms = [(name, evaluates) for name in ("pretrained", "scratch") for evaluates in (False, True)]
    assert commands == [("mae", True), *arms, ("pretrained", False)]


@pytest.mark.slow
def test_a_failing_command_ends_the_demo(tmp_path, monkeypatch):
    from sectome.checks import InputError

    monkeypatch.setattr(demo, "TISSUE", {name: ((8, 64, 64), job[1]) for name, job in demo.TISSUE.items()})
    monkeypatch.setattr(demo, "PRETRAINING", ("--no_such_key", "1"))
    with pytest.raises(InputError, match="expected the command above to succeed"):
        demo.run_demo(tmp_path, BUNDLES)
    assert not (tmp_path / "report.html").exists()
