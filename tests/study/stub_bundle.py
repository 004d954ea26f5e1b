"""In the place of python for a bundle's command: writes what a run writes, at once and made up.

A learning rate of 13 fails. While the file that STUB_HOLD names exists, a training says its process number there beside
it and waits.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    words = sys.argv[1:]
    assert words[:3] == ["-m", "monai.bundle", "run"]
    given = {key[2:]: value for key, value in zip(words[3::2], words[4::2], strict=True)}
    folder = Path(given["output_dir"])
    evaluates = "evaluate.json" in given["config_file"]
    with (folder / "calls.txt").open("a") as calls:
        calls.write("evaluate\n" if evaluates else "train\n")
    if given.get("lr") == "13":
        raise SystemExit("error: a learning rate of 13 brings bad luck")
    pretraining = Path.cwd().name == "mae_pretrain"
    if evaluates:
        evaluate(folder, given, pretraining)
    else:
        train(folder, given)


def train(folder: Path, given: dict[str, str]) -> None:
    hold = Path(os.environ.get("STUB_HOLD", "nowhere"))
    if hold.is_file():
        hold.with_suffix(".pid").write_text(str(os.getpid()))
    while hold.is_file():
        time.sleep(0.02)
    start = given.get("pretrained")
    assert start is None or Path(start).is_file()
    steps = 100 * int(given.get("epochs", 1))
    rows = ["iteration,seconds,name,value", f"{steps},{steps / 4},loss,0.5", f"{steps},{steps / 4},val_loss,0.4"]
    (folder / "history.csv").write_text("\n".join(rows) + "\n")
    (folder / "run.json").write_text(json.dumps({"bundle": Path.cwd().name, "parameters": 4321}))
    (folder / "model.pt").write_text(given["seed"])


def evaluate(folder: Path, given: dict[str, str], pretraining: bool) -> None:
    assert "pretrained" not in given
    if pretraining:
        loss = 0.3 + 0.01 * int(given["seed"]) + 0.1 * float(given.get("mask_ratio", 0.75))
        content = {"masked_loss": loss, "masked_loss_of_mean": 0.8, "mask_ratio": 0.75, "crops": 2}
        (folder / "evaluation.json").write_text(json.dumps(content))
        return
    split = 1 + 0.1 * int(given["seed"]) + 0.5 * float(given.get("encoder_lr_factor", 0.3))
    method = {"are": 0.1, "voi_split": split, "voi_merge": 0.25, "segments": 9.0}
    content = {
        "scores": {
            "mean agglomeration": method,
            "true affinities": {"are": 0.0, "voi_split": 0.125, "voi_merge": 0.0, "segments": 8.0},
        },
        "boundary_average_precision": {"(-1, 0, 0)": 0.75, "(0, -1, 0)": 0.25, "(0, -9, 0)": 0.875},
    }
    (folder / "scores.json").write_text(json.dumps(content))


main()
