"""What a training step costs: time, floating-point operations and memory, on the CPU or on a GPU.

On the CPU: one thread, process CPU time. On a GPU: time between CUDA events.
"""

from __future__ import annotations

import gc
import multiprocessing
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from interleaved import cpu_seconds  # isort: skip  (sets the number of threads)

import torch
from monai.inferers import Inferer
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

GPU_CALLS = 10
"""How often a candidate is called each time that it has its turn on a GPU."""


@dataclass(frozen=True)
class Setting:
    """Where and how everything is measured."""

    device: torch.device
    precision: str
    rounds: int

    def autocast(self) -> torch.autocast:
        """Return the context of the network's forward pass."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")


@dataclass(frozen=True)
class Work:
    """What is measured: a call, and the network that it runs.

    Of what is recorded or compiled no operations can be counted: `plain` then makes other work with the same ones.
    """

    run: Callable[..., object]
    network: nn.Module
    plain: Callable[[], Work] | None = None


Build = Callable[[], Work]
"""Makes a candidate; can be sent to a process of its own."""


def training_step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Callable[[Any, Any], Tensor],
    image: Tensor,
    target: Tensor,
    setting: Setting,
    infer: Inferer | None = None,
) -> Work:
    """Return a training step, which may be given another image (B, C, Z, Y, X) of the same shape.

    The network runs by `infer`, or within autocast.
    """

    def run(image: Tensor = image) -> None:
        if infer is None:
            with setting.autocast():
                output = network(image)
        else:
            output = infer(image, network)
        optimizer.zero_grad()
        loss(output, image if target is None else target).backward()
        optimizer.step()

    return Work(run, network)


def seconds_of(call: Callable[[], object], device: torch.device, calls: int = 1) -> float:
    """Return the seconds of a call."""
    if device.type == "cpu":
        start = time.process_time()
        for _ in range(calls):
            call()
        return (time.process_time() - start) / calls
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    begin.record()
    for _ in range(calls):
        call()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) / 1e3 / calls


def median_seconds(candidates: Mapping[str, Callable[[], object]], setting: Setting) -> dict[str, float]:
    """Return the median seconds of a call of each candidate; the first round warms up and does not count."""
    if setting.device.type == "cpu":
        return cpu_seconds(dict(candidates), setting.rounds)
    rounds = [
        {name: seconds_of(call, setting.device, GPU_CALLS) for name, call in candidates.items()}
        for _ in range(setting.rounds + 1)
    ]
    return {name: median(one[name] for one in rounds[1:]) for name in candidates}


def peak_flops(setting: Setting) -> float:
    """Return the floating-point operations a second of the fastest of several multiplications of large matrices."""
    size = 2048 if setting.device.type == "cpu" else 8192
    dtype = torch.bfloat16 if setting.precision == "bf16" else torch.float32
    matrix = torch.randn(size, size, device=setting.device, dtype=dtype)
    calls = 1 if setting.device.type == "cpu" else GPU_CALLS
    return 2 * size**3 / min(seconds_of(lambda: matrix @ matrix, setting.device, calls) for _ in range(10))


def count_flops(work: Work) -> int:
    """Return the floating-point operations of matrix products and convolutions in a call."""
    work = work.plain() if work.plain else work
    # Fused attention is counted with what it computes twice on a GPU, and not at all on the CPU.
    fused = [part for part in work.network.modules() if getattr(part, "use_flash_attention", False)]
    for part in fused:
        part.use_flash_attention = False
    with FlopCounterMode(display=False) as counter:
        work.run()
    for part in fused:
        part.use_flash_attention = True
    return counter.get_total_flops()


def resident_peak_mib_of(build: Build) -> float:
    """Return how far two calls of a candidate raise a process's memory, its weights included, loaded libraries not."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak_of_calls, (build,))


def built_on_a_gpu(build: Build) -> tuple[Work, float]:
    """Return a candidate that was called twice, and the peak of the GPU's memory in MiB, its weights included."""
    forget_graphs()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    work = _called_twice(build)
    return work, (torch.cuda.max_memory_allocated() - before) / 2**20


def forget_graphs() -> None:
    """Free the memory of recorded networks that nothing refers to: they refer to themselves."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _called_twice(build: Build) -> Work:
    work = build()
    work.run()
    work.run()
    return work


def _peak_of_calls(build: Build) -> float:
    warnings.simplefilter("ignore")
    return resident_peak_mib(lambda: _called_twice(build))


def resident_peak_mib(call: Callable[[], object]) -> float:
    """Return how far a call raises this process's resident memory at its peak."""
    # What importing needed at its peak is forgotten.
    Path("/proc/self/clear_refs").write_text("5")
    before = _status_mib("VmRSS")
    call()
    return _status_mib("VmHWM") - before


def _status_mib(name: str) -> float:
    return int(Path("/proc/self/status").read_text().split(f"{name}:")[1].split()[0]) / 1024


Figures = tuple[dict[str, float], dict[str, float], dict[str, int], dict[str, float]]
"""Seconds, ratio to the baseline, operations and peak of memory in MiB of each candidate; no peaks if not asked for."""


def _all_in_turn(builds: Mapping[str, Build], setting: Setting, memory: bool) -> Figures:
    peaks = {name: resident_peak_mib_of(build) for name, build in builds.items()} if memory else {}
    works = {name: build() for name, build in builds.items()}
    seconds = median_seconds({name: work.run for name, work in works.items()}, setting)
    baseline = seconds[next(iter(builds))]
    flops = {name: count_flops(work) for name, work in works.items()}
    return seconds, {name: baseline / one for name, one in seconds.items()}, flops, peaks


def _in_pairs(builds: Mapping[str, Build], setting: Setting) -> Figures:
    """Each candidate in turn with the baseline: a graph keeps its activations, and those of all would fill a GPU."""
    (name, build_baseline), *others = builds.items()
    baseline, peak = built_on_a_gpu(build_baseline)
    seconds = median_seconds({name: baseline.run}, setting)
    ratios, flops, peaks = {name: 1.0}, {name: count_flops(baseline)}, {name: peak}
    for other, build in others:
        work, peaks[other] = built_on_a_gpu(build)
        pair = median_seconds({name: baseline.run, other: work.run}, setting)
        seconds[other], ratios[other], flops[other] = pair[other], pair[name] / pair[other], count_flops(work)
        del work
    forget_graphs()
    return seconds, ratios, flops, peaks


def compare(
    part: str,
    case: str,
    build: Callable[..., Work],
    candidates: Mapping[str, Any],
    setting: Setting,
    peak: float,
    memory: bool = False,
) -> list[dict[str, Any]]:
    """Measure candidates in turn and print a table.

    Args:
        part: of the benchmark.
        case: what is done, for the table.
        build: makes a candidate's work out of its description; a function of a module.
        candidates: descriptions by name, the baseline first.
        setting: where and how.
        peak: floating-point operations a second of the device.
        memory: whether to measure the peak of memory on the CPU, too.

    Returns:
        A row for each candidate.
    """
    builds = {name: partial(build, description, setting) for name, description in candidates.items()}
    if setting.device.type == "cuda":
        seconds, ratios, flops, peaks = _in_pairs(builds, setting)
    else:
        seconds, ratios, flops, peaks = _all_in_turn(builds, setting, memory)
    rows = []
    print(f"\n{part}: {case}, {setting.precision}", flush=True)
    for name in candidates:
        row = {
            "part": part,
            "case": case,
            "candidate": name,
            "precision": setting.precision,
            "ms": round(1e3 * seconds[name], 2),
            "ratio": round(ratios[name], 3),
            "gflop": round(flops[name] / 1e9, 3),
            "utilisation": round(flops[name] / seconds[name] / peak, 3),
            "peak_mib": round(peaks[name]) if name in peaks else None,
        }
        rows.append(row)
        used = "" if row["peak_mib"] is None else f"  peak {row['peak_mib']:6} MiB"
        print(
            f"  {name:46} {row['ms']:10.1f} ms {row['ratio']:6.2f}x {row['gflop']:9.1f} GFLOP "
            f"{row['utilisation']:6.1%} of the peak{used}",
            flush=True,
        )
    return rows
