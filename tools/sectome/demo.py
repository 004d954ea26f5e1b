"""The whole pipeline on synthetic tissue, as `make demo` runs it, with the commands that a user would type."""

from __future__ import annotations

import shlex
import subprocess
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from sectome.checks import InputError
from sectome.cores import cores
from sectome.phantom import make_phantom
from sectome.report import write_report
from sectome.study.bundle_command import (
    PRETRAIN,
    PYTHON,
    SEGMENT,
    bundle_command,
    bundle_environment,
    find_bundles,
    shown,
)
from sectome.study.state import is_trained
from sectome.training.progress import readable_seconds
from sectome.types import Shape3
from sectome.volumes import write_volume

VOXEL_SIZE_NM = (30.0, 6.0, 6.0)

TISSUE: dict[str, tuple[Shape3, int]] = {
    "unlabelled": ((64, 256, 256), 1),
    "train": ((32, 256, 256), 2),
    "validation": ((24, 192, 192), 3),
    "test": ((24, 192, 192), 4),
}
"""Shape and seed of each volume, by folder; train, validation and test are different tissue."""

# Small batches, because leaving the initial plateau depends on the number of steps rather than of samples.
PRETRAINING = shlex.split(
    "--epochs 9 --epoch_length 100 --val_interval 3 --val_crops 16 --batch_size 8 --warmup_steps 50"
)
FINE_TUNING = shlex.split("--epochs 4 --epoch_length 100 --val_interval 1 --val_crops 8")


def run_demo(output: Path, bundles: Path) -> None:
    """Make tissue, run both bundles on it, and write `report.html`; resume where an earlier call was stopped.

    Args:
        output: folder for data, runs and report.
        bundles: folder that holds `mae_pretrain` and `em_segmentation`.

    Raises:
        InputError: if the bundles are missing, or one of their commands fails.
    """
    output, roots = output.resolve(), find_bundles(bundles)
    pretrain, segmentation = roots[PRETRAIN], roots[SEGMENT]
    started = time.monotonic()
    data = output / "data"
    runs = {name: output / "runs" / name for name in ("mae", "pretrained", "scratch")}

    _say(started, "make synthetic tissue")
    _make_tissue(data)

    _say(started, "pre-train the encoder on unlabelled tissue")
    _bundle(pretrain, "train", data, runs["mae"], *PRETRAINING)
    _bundle(pretrain, "evaluate", data, runs["mae"], "--val_crops", "16")

    encoder = str(runs["mae"] / "model.pt")
    for name, start in {"pretrained": ("--pretrained", encoder), "scratch": ()}.items():
        _say(started, f"fine-tune: {name}")
        _bundle(segmentation, "train", data, runs[name], *FINE_TUNING, *start)
        _bundle(segmentation, "evaluate", data, runs[name])

    _say(started, "segment the test volume as a user would: volume in, neurons out")
    _bundle(segmentation, "inference", data, runs["pretrained"], "--image", str(data / "test/images/phantom.tif"))

    report = write_report([runs["mae"], runs["pretrained"], runs["scratch"]], output / "report.html")
    _say(started, f"done: open {report}")


def _make_tissue(data: Path) -> None:
    jobs = {folder: job for folder, job in TISSUE.items() if not (data / folder / "labels/phantom.tif").is_file()}
    # Threads of a parent that already used numba or torch do not survive a fork.
    with ProcessPoolExecutor(min(cores(), 4), mp_context=get_context("spawn")) as pool:
        futures = {folder: pool.submit(_write_phantom, data / folder, *job) for folder, job in jobs.items()}
        for folder, future in futures.items():
            future.result()
            print(f"made {data / folder}: {TISSUE[folder][0]} voxels of {VOXEL_SIZE_NM} nm", flush=True)


def _write_phantom(folder: Path, shape: Shape3, seed: int) -> None:
    tissue = make_phantom(shape, VOXEL_SIZE_NM, seed)
    write_volume(folder / "images/phantom.tif", tissue.raw, voxel_size_nm=VOXEL_SIZE_NM)
    write_volume(folder / "labels/phantom.tif", tissue.neurons, voxel_size_nm=VOXEL_SIZE_NM)


def _bundle(root: Path, config: str, data: Path, run: Path, *options: str) -> None:
    """Run a bundle's config from its root, and print the command; skip a training that is complete."""
    if config == "train" and is_trained(run):
        print(f"{run} is trained already", flush=True)
        return
    configs = [f"configs/{name}.json" for name in (["train", "evaluate"] if config == "evaluate" else [config])]
    folders = ["--dataset_dir", str(data), "--output_dir", str(run)]
    folders += ["--checkpoint", str(run / "model.pt")] if config == "inference" else ["--ckpt_dir", str(run)]
    command = bundle_command([*configs, "configs/datasets/phantom.json"], [*folders, *options])
    print(f"\n$ cd {root}\n$ {shown(command)}", flush=True)
    if subprocess.run([*PYTHON, *command], cwd=root, env=bundle_environment(), check=False).returncode:
        raise InputError(f"expected the command above to succeed, got a failure; its output is above ({run})")


def _say(started: float, message: str) -> None:
    print(f"\n== {readable_seconds(time.monotonic() - started)}: {message}", flush=True)
