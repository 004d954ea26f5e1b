"""Training and prediction, ours against MONAI's: time, floating-point operations, memory, crops a second.

Run: python tests/benchmarks/training.py [--device cuda] [--sizes demo,small,base] [--precision fp32,bf16]
    [--batches 32,128] [--parts mae,unetr] [--csv FILE]
Candidates get the same crops, the same batch and the same precision, and take turns; ratios are to MONAI's. A matrix
product, in the same precision and measured in the same process, is the peak that operations a second are compared with.
"""

from __future__ import annotations

import argparse
import itertools
import platform
import tempfile
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from training_measure import Setting, peak_flops  # isort: skip  (sets the number of threads)

import torch
import training_mae as mae
import training_pipeline as pipeline
import training_unetr as unetr
from monai.utils import set_determinism

from sectome.cores import cores
from sectome.study.results import write_rows
from sectome.training.autocast import computes_bfloat16

CROP, PATCH = (32, 160, 160), (4, 16, 16)
CPU_BATCHES = {"tiny": (2,), "demo": (1, 4, 16), "small": (1, 4), "base": (1,)}
GPU_BATCHES = {"tiny": (2,), "demo": (16,), "small": (16,), "base": (4, 32, 128)}
PARTS = ("mae", "ablation", "unetr", "pipeline", "loader")
COLUMNS = (
    *("part", "case", "candidate", "precision", "ms", "ratio", "gflop", "utilisation", "peak_mib"),
    *("crops_per_second", "waiting", "machine"),
)


def describe_machine(device: torch.device) -> str:
    """Return processor and versions in general words."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    else:
        path = Path("/proc/cpuinfo")
        lines = path.read_text().splitlines() if path.exists() else []
        models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        name = f"{models[0] if models else platform.processor()} ({torch.backends.cpu.get_cpu_capability()})"
        name += f" with {cores()} cores, one thread"
    return f"{name}, torch {version('torch')}, MONAI {version('monai')}"


def measure(
    parts: list[str], sizes: list[str], batches: list[int], setting: Setting, quick: bool
) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of each comparison; no batches are those of each size."""
    cuda = setting.device.type == "cuda"
    peak = peak_flops(setting)
    print(f"\na multiplication of large matrices in {setting.precision}: {peak / 1e9:.1f} GFLOP/s", flush=True)
    crop = (8, 32, 32) if quick else CROP
    batches_of = {size: batches or (GPU_BATCHES if cuda else CPU_BATCHES)[size] for size in sizes}
    # As each training of a bundle does: it says which algorithms convolutions may take on a GPU.
    set_determinism(0)
    if "mae" in parts:
        for size in sizes:
            mae.check_sameness(size, crop)
            for batch in batches_of[size]:
                memory = batch == batches_of[size][-1]
                yield mae.against_monai(mae.Candidate(size, crop, batch), setting, peak, memory)
    if "ablation" in parts:
        # Of more, attention that is not fused would fill a GPU.
        yield mae.ablation(mae.Candidate(sizes[-1], crop, min(32, batches_of[sizes[-1]][-1])), setting, peak)
    # In bfloat16 a CPU computes gradients of convolutions wrongly, see `AutocastInferer`.
    if "unetr" in parts and (cuda or setting.precision == "fp32"):
        cube, flat = ((96, 96, 96), (32, 96, 96)) if cuda else ((48, 48, 48), (16, 96, 96))
        if quick:
            cube, flat = (32, 32, 32), (16, 32, 32)
        # Of two crops a GPU is done before the next kernel is launched, whoever wrote the network.
        for size, batch in itertools.product(sizes, batches or ((2, 16) if cuda else (2,))):
            yield unetr.against_monai(size, cube, unetr.MONAI_PATCH, batch, setting, peak, memory=not quick)
        if not batches:
            yield unetr.against_monai(sizes[-1], flat, PATCH, 2, setting, peak, memory=False)
    if "pipeline" in parts:
        shape, flat = ((16, 64, 64), (8, 32, 32)) if quick else ((64, 512, 512), (16, 96, 96))
        batch = 2 if quick else 16
        with tempfile.TemporaryDirectory() as folder:
            candidate = mae.Candidate(sizes[0], flat, batch)
            turn = 50 if cuda else 2
            yield pipeline.compare_pipelines(candidate, shape, Path(folder), setting, turn)
    if "loader" in parts:
        with tempfile.TemporaryDirectory() as folder:
            candidate = mae.Candidate(sizes[-1], crop, batches[-1] if batches else GPU_BATCHES[sizes[-1]][-1])
            pipeline.say_what_a_batch_costs(candidate, (64, 512, 512), Path(folder), setting, 8)
            pipeline.say_what_a_worker_hands_over(candidate, (64, 512, 512), Path(folder), 8)
            if cuda or quick:
                yield pipeline.waiting_in_training(candidate, (64, 512, 512), Path(folder), setting, 20)


def main() -> None:
    """Measure, print tables, and write all rows as CSV where --csv says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--sizes", help="demo, small, base; the default is demo,small on the CPU, all on a GPU")
    parser.add_argument("--precision", default="fp32,bf16")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--batches", help="crops of a step, as 32,128; the default depends on the size and the device")
    parser.add_argument("--csv")
    parser.add_argument("--quick", action="store_true", help="tiny networks and crops, one round")
    given = parser.parse_args()
    device = torch.device(given.device)
    usual = "tiny" if given.quick else "demo,small,base" if device.type == "cuda" else "demo,small"
    machine = describe_machine(device)
    print(machine)
    parts, sizes = given.parts.split(","), (given.sizes or usual).split(",")
    batches = [int(batch) for batch in given.batches.split(",")] if given.batches else []
    rows: list[dict[str, Any]] = []
    for precision in given.precision.split(","):
        if precision == "bf16" and not computes_bfloat16(device):
            print("\nbf16: left out, this device has no instructions for it and would emulate it")
            continue
        setting = Setting(device, precision, rounds=1 if given.quick else 3)
        for found in measure(parts, sizes, batches, setting, given.quick):
            rows += [{**row, "machine": machine} for row in found]
            if given.csv:
                write_rows(Path(given.csv), COLUMNS, rows)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
