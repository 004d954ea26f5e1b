"""Pre-training from a file to updated weights: crops a second, and the share of time in which a step waits for them.

MONAI's part is what its tutorials do: a `CacheDataset` whose random transforms cut a crop, change contrast, add noise,
flip and rotate, with the probabilities of ours.
"""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import training_mae as mae  # isort: skip  (sets the number of threads)

import numpy as np
import torch
from ignite.engine import Events
from kernel_count import KernelCount
from monai import transforms as monai
from monai.data import CacheDataset, DataLoader
from torch import Tensor
from torch.utils.data import RandomSampler
from training_config import from_config, open_config, scripts_of, size_settings
from training_measure import Setting, forget_graphs

from sectome.cores import cores
from sectome.training import compile_network, record_network
from sectome.transforms import StandardiseIntensity
from sectome.volumes import open_volume, write_volume


@dataclass(frozen=True)
class Pipeline:
    """What makes batches (B, 1, Z, Y, X) without end, and a step that takes them."""

    batches: Iterator[Tensor]
    step: Callable[[Tensor], object]


def monai_batches(path: Path, candidate: mae.Candidate, setting: Setting, copy_cache: bool) -> Iterator[Tensor]:
    """Yield batches of MONAI's pipeline; the volume is read once."""
    key = "image"
    transform = monai.Compose(
        [
            monai.Lambdad(key, StandardiseIntensity()),
            monai.EnsureTyped(key, dtype=torch.float32, track_meta=False),
            monai.RandSpatialCropd(key, candidate.crop, random_size=False),
            monai.RandScaleIntensityd(key, 0.15, prob=0.75),
            monai.RandShiftIntensityd(key, 0.15, prob=0.75),
            monai.RandGaussianNoised(key, prob=0.3, std=0.1),
            *(monai.RandFlipd(key, prob=0.5, spatial_axis=axis) for axis in range(3)),
            monai.RandRotate90d(key, prob=0.5, spatial_axes=(1, 2)),
        ]
    )
    image = torch.from_numpy(np.asarray(open_volume(path)[:, :, :]))[None]
    dataset = CacheDataset([{key: image}], transform, copy_cache=copy_cache, progress=False)
    workers = 2 if setting.device.type == "cuda" else 0
    sampler = RandomSampler(dataset, replacement=True, num_samples=10**6)
    loader = DataLoader(
        dataset, batch_size=candidate.batch, sampler=sampler, num_workers=workers, pin_memory=workers > 0
    )
    for batch in loader:
        yield batch[key].to(setting.device, non_blocking=True)


def our_batches(path: Path, candidate: mae.Candidate, setting: Setting, resident: bool) -> Iterator[Tensor]:
    """Yield batches of mae_pretrain's pipeline, or of the same with volume and augmentation on the device."""
    overrides = {
        "train_data": [{"image": str(path)}],
        "crop_size": list(candidate.crop),
        "batch_size": candidate.batch,
        "device": setting.device,
        "resident": resident,
        "augment_on_device": resident,
    }
    prepare = from_config("mae_pretrain", "train#trainer#prepare_batch", **overrides)
    for batch in from_config("mae_pretrain", "train#dataloader", **overrides):
        yield prepare(batch, setting.device, non_blocking=True)[0]


def grey_volume(folder: Path, shape: tuple[int, int, int]) -> Path:
    """Write a volume (Z, Y, X) of random grey values and return its path."""
    path = folder / "volume.tif"
    grey = np.random.default_rng(0).integers(1, 255, shape, dtype=np.uint8)
    write_volume(path, grey, voxel_size_nm=(30, 6, 6))
    return path


def compare_pipelines(
    candidate: mae.Candidate, volume_shape: tuple[int, int, int], folder: Path, setting: Setting, batches: int
) -> list[dict[str, Any]]:
    """Return a row for each pipeline.

    Args:
        candidate: our network, and the batch.
        volume_shape: voxels (z, y, x) of a volume of random grey values.
        folder: where it is written.
        setting: where and how.
        batches: of each pipeline's turn.
    """
    path = grey_volume(folder, volume_shape)
    stock = mae.build(mae.replace(candidate, stock=True), setting).run
    ours = mae.build(candidate, setting).run
    pipelines = {
        "MONAI CacheDataset, MONAI step": Pipeline(monai_batches(path, candidate, setting, True), stock),
        "MONAI CacheDataset(copy_cache=False)": Pipeline(monai_batches(path, candidate, setting, False), stock),
        "MONAI CacheDataset, our step": Pipeline(monai_batches(path, candidate, setting, True), ours),
        "sectome": Pipeline(our_batches(path, candidate, setting, False), ours),
        "sectome, resident": Pipeline(our_batches(path, candidate, setting, True), ours),
    }
    turns = take_turns(pipelines, candidate, setting, batches)
    case = f"{candidate.size}, batch {candidate.batch}, crop {'x'.join(map(str, candidate.crop))}"
    print(f"\ndata and step: {case}, {setting.precision}", flush=True)
    rows = []
    baseline, _ = turns[next(iter(pipelines))]
    for name, (seconds, waiting) in turns.items():
        row = row_of("data and step", case, name, candidate, setting, seconds, waiting / seconds)
        row["ratio"] = round(baseline / seconds, 3)
        rows.append(row)
        print(
            f"  {name:46} {row['ms']:10.1f} ms {row['ratio']:6.2f}x {row['crops_per_second']:9.1f} crops/s "
            f"{row['waiting']:6.1%} of the time waiting",
            flush=True,
        )
    return rows


def waiting_in_training(
    candidate: mae.Candidate, volume_shape: tuple[int, int, int], folder: Path, setting: Setting, batches: int
) -> list[dict[str, Any]]:
    """Return rows of mae_pretrain's trainer with our pipelines, and of the same with one batch again and again.

    All that a training does is in it: the trainer's handlers, the optimizer, bounded gradients. A GPU works while the
    next batch is prepared, so what it waits is the difference, and not the time of preparing. The arguments are those
    of `compare_pipelines`.
    """
    path = grey_volume(folder, volume_shape)
    # Each time a training is begun anew, and compiled.
    rounds = [
        {name: iteration_seconds(candidate, path, setting, batches, **way) for name, way in LOADERS.items()}
        for _ in range(min(2, setting.rounds))
    ]
    seconds = {name: median(one[name] for one in rounds) for name in LOADERS}
    recorded = ", compile and cuda_graph" if setting.device.type == "cuda" else ""
    case = f"{candidate.size}, batch {candidate.batch}, crop {'x'.join(map(str, candidate.crop))}{recorded}"
    print(f"\nloader: {case}, {setting.precision}", flush=True)
    least = seconds[next(iter(LOADERS))]
    rows = []
    for name, one in seconds.items():
        row = row_of("loader", case, name, candidate, setting, one, 1 - least / one)
        row["ratio"] = round(least / one, 3)
        rows.append(row)
        print(f"  {name:46} {row['ms']:10.1f} ms {row['crops_per_second']:9.1f} crops/s {row['waiting']:6.1%} waiting")
    return rows


CORES = cores()
LOADERS: dict[str, dict[str, Any]] = {
    "one batch again and again": {"fixed": True},
    "sectome, resident": {"resident": True, "augment_on_device": True},
    f"sectome, {CORES} workers, augmented on the device": {"num_workers": CORES, "augment_on_device": True},
    "sectome": {},
}
"""Where the batches of a training come from; the first is what the others are compared with."""

WARM_UP = 8
"""Iterations that do not count: workers fill their queue, and torch chooses its kernels."""


def iteration_seconds(
    candidate: mae.Candidate, path: Path, setting: Setting, batches: int, fixed: bool = False, **overrides: Any
) -> float:
    """Return the mean time of a training's iteration, with one batch that stays if `fixed`."""
    length = WARM_UP + batches
    forget_graphs()
    with tempfile.TemporaryDirectory() as folder:
        config = open_config(
            "mae_pretrain",
            **size_settings("mae_pretrain", candidate.size),
            train_data=[{"image": str(path)}],
            val_data=[{"image": str(path)}],
            voxel_size_nm=[30, 6, 6],
            crop_size=list(candidate.crop),
            patch_size=list(mae.PATCH),
            batch_size=candidate.batch,
            device=setting.device,
            precision=setting.precision,
            epochs=2,
            epoch_length=length,
            val_interval=2,
            output_dir=folder,
            ckpt_dir=folder,
            **overrides,
        )
        with scripts_of("mae_pretrain"), contextlib.redirect_stdout(io.StringIO()):
            if setting.device.type == "cuda":
                network = config.get_parsed_content("network")
                torch.compiler.reset()
                compile_network(network)
                record_network(network, (candidate.batch, 1, *candidate.crop), setting.device, setting.precision)
            trainer = config.get_parsed_content("train#trainer")
            if fixed:
                image = torch.randn(candidate.batch, 1, *candidate.crop, device=setting.device)
                trainer.data_loader = [{}] * length
                trainer.prepare_batch = lambda *_args, **_named: (image, image)
            # A GPU that is waited for would have nothing left to do while the next batch is prepared.
            cuda = setting.device.type == "cuda"
            moments: list[Any] = []

            def note_time() -> None:
                moments.append(torch.cuda.Event(enable_timing=True) if cuda else time.perf_counter())
                if cuda:
                    moments[-1].record()
                if len(moments) == 2:
                    trainer.terminate()

            for number in (WARM_UP, length):
                trainer.add_event_handler(Events.ITERATION_COMPLETED(once=number), note_time)
            trainer.run()
    first, last = moments
    if not cuda:
        return (last - first) / batches
    torch.cuda.synchronize()
    return first.elapsed_time(last) / 1e3 / batches


def say_what_a_batch_costs(
    candidate: mae.Candidate, volume_shape: tuple[int, int, int], folder: Path, setting: Setting, batches: int
) -> None:
    """Print what the resident pipeline asks of a device, which is the same on any.

    The arguments are those of `compare_pipelines`.
    """
    path = grey_volume(folder, volume_shape)
    made = our_batches(path, candidate, setting, resident=True)
    size = next(made).nbytes
    with KernelCount() as count:
        for _ in range(batches):
            next(made)
    print(
        f"\na batch of {candidate.batch} crops, resident and augmented on the device: "
        f"{count.kernels / batches:.0f} kernels, "
        f"{count.moved / batches / 1e9:.2f} GB read and written, {count.moved / batches / size:.1f} times the batch",
        flush=True,
    )


def say_what_a_worker_hands_over(
    candidate: mae.Candidate, volume_shape: tuple[int, int, int], folder: Path, batches: int
) -> None:
    """Print how fast one worker makes crops: whole ones, or those that are left to their device.

    The arguments are those of `compare_pipelines`.
    """
    path = grey_volume(folder, volume_shape)
    overrides = {"train_data": [{"image": str(path)}], "crop_size": list(candidate.crop), "num_workers": 1}
    overrides |= {"batch_size": candidate.batch, "device": "cpu"}
    loaders = {
        name: iter(from_config("mae_pretrain", "train#dataloader", augment_on_device=on_device, **overrides))
        for name, on_device in (("augmented by it", False), ("left to the device", True))
    }
    rounds = [{name: worker_turn(loader, batches) for name, loader in loaders.items()} for _ in range(5)]
    for name in loaders:
        seconds, size = median(one[name][0] for one in rounds), rounds[0][name][1]
        print(
            f"crops of one worker, {name}: {1e3 * seconds / candidate.batch:.2f} ms each, {size / 1e6:.0f} MB a batch"
        )


def worker_turn(loader: Iterator[Any], batches: int) -> tuple[float, int]:
    """Return the seconds of a batch, and the bytes of its images."""
    # Those that it made while it had no turn.
    for _ in range(4):
        next(loader)
    start = time.perf_counter()
    sizes = [next(loader)["image"].nbytes for _ in range(batches)]
    return (time.perf_counter() - start) / batches, sizes[0]


def row_of(
    part: str, case: str, name: str, candidate: mae.Candidate, setting: Setting, seconds: float, waiting: float
) -> dict[str, Any]:
    """Return the row of a pipeline whose batch takes some seconds, a share of which is waiting."""
    return {
        "part": part,
        "case": case,
        "candidate": name,
        "precision": setting.precision,
        "ms": round(1e3 * seconds, 2),
        "crops_per_second": round(candidate.batch / seconds, 2),
        "waiting": round(waiting, 4),
    }


def take_turns(
    pipelines: Mapping[str, Pipeline], candidate: mae.Candidate, setting: Setting, batches: int
) -> dict[str, tuple[float, float]]:
    """Return the medians of what `turn` returns; the first round warms up and does not count."""
    rounds = [
        {name: turn(pipeline, candidate, setting, batches) for name, pipeline in pipelines.items()}
        for _ in range(setting.rounds + 1)
    ]
    return {
        name: (median(one[name][0] for one in rounds[1:]), median(one[name][1] for one in rounds[1:]))
        for name in pipelines
    }


def turn(pipeline: Pipeline, candidate: mae.Candidate, setting: Setting, batches: int) -> tuple[float, float]:
    """Return the seconds of a batch with its step, and those of waiting for the batch."""
    clock = time.process_time if setting.device.type == "cpu" else time.perf_counter
    # Workers fill their queue while the other pipelines have their turn.
    for _ in range(0 if setting.device.type == "cpu" else 8):
        next(pipeline.batches)
    start, waiting = clock(), 0.0
    for _ in range(batches):
        asked = clock()
        image = next(pipeline.batches)
        waiting += clock() - asked
        assert image.shape == (candidate.batch, 1, *candidate.crop)
        assert image.dtype == torch.float32
        pipeline.step(image)
    if setting.device.type == "cuda":
        torch.cuda.synchronize()
    return (clock() - start) / batches, waiting / batches
