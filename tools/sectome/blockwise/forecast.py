"""A forecast of what a run will take: memory, disk space, blocks and time."""

from __future__ import annotations

import math

from sectome.blockwise.plan import Plan
from sectome.blockwise.predicted_maps import PredictedMaps
from sectome.blockwise.stages import stages_of
from sectome.types import Shape3

PROCESS_MIB, WITH_TORCH_MIB = 230, 600
"""Memory of an idle worker: Python with its libraries, without and with torch and MONAI."""

SECONDS_A_MVOXEL = {
    "predict": 0.9,
    "fragments": 0.25,
    "edges": 0.08,
    "objects": 0.04,
    "bodies": 0.03,
    "relabel": 0.04,
    "level_1": 0.02,
}
"""Seconds per million voxels on one core of a 2023 server: for "predict" those of all windows, for "fragments" those of
core and context, otherwise those of the core."""


def forecast_of(plan: Plan, workers: int = 1) -> str:
    """Return a human-readable table of what a run will take with this many workers."""
    blocks = len(plan.grid)
    context = f" with a context of {'x'.join(map(str, plan.context))}" if any(plan.context) else ""
    own = " besides what the network takes" if isinstance(plan.source, PredictedMaps) else ""
    count = "1 worker" if workers == 1 else f"{workers} workers"
    lines = [
        f"{'x'.join(map(str, plan.grid.shape))} voxels in {blocks} blocks of {'x'.join(map(str, plan.grid.block))}"
        f"{context}",
        f"memory: {peak_mib(plan):.0f} MiB per worker{own}",
        f"disk: up to {disk_bytes(plan) / 2**30:.1f} GiB during the run",
        f"time: about {_duration(seconds(plan) / min(workers, blocks))} with {count} as fast as a 2023 core",
        f"stages: {', '.join(f'{stage.name} {stage.blocks}' for stage in stages_of(plan))}",
    ]
    return "\n".join(lines)


def grown_voxels(plan: Plan) -> int:
    """Return the voxels of the largest block including its context."""
    sizes = zip(plan.grid.block, plan.context, plan.grid.shape, strict=True)
    return math.prod(min(size + 2 * halo, extent) for size, halo, extent in sizes)


def peak_mib(plan: Plan) -> float:
    """Return the peak memory of a worker in MiB, without that of the network itself."""
    growing = plan.BYTES_A_VOXEL * grown_voxels(plan) / 2**20
    if not isinstance(plan.source, PredictedMaps):
        return PROCESS_MIB + growing
    channels, window, block = len(plan.source.channels), plan.source.window, plan.grid.block
    # The result, and beside it first the accumulator, 4 bytes per value over all windows that overlap the block; then,
    # after that is freed, the compressed shard, as large as the result if that is noise.
    region = window[0] * math.prod(size + 2 * around for size, around in zip(block[1:], window[1:], strict=True))
    predicting = channels * (max(4 * region, math.prod(block)) + math.prod(block)) / 2**20
    return WITH_TORCH_MIB + max(growing, predicting)


def disk_bytes(plan: Plan) -> float:
    """Return the disk space of a run in bytes, assuming that its prediction does not compress."""
    voxels = math.prod(plan.grid.shape)
    predicted = len(plan.source.channels) if isinstance(plan.source, PredictedMaps) else 0
    return voxels * (predicted + plan.DISK_BYTES_A_VOXEL)


def seconds(plan: Plan) -> float:
    """Return the seconds that one worker would take."""
    voxels = math.prod(plan.grid.shape) / 1e6
    amounts = {"fragments": grown_voxels(plan) / math.prod(plan.grid.block) * voxels}
    if isinstance(plan.source, PredictedMaps):
        amounts["predict"] = predicted_voxels(plan.source, plan.grid.block) / 1e6
    return sum(SECONDS_A_MVOXEL.get(stage.name, 0.0) * amounts.get(stage.name, voxels) for stage in stages_of(plan))


def predicted_voxels(source: PredictedMaps, block: Shape3) -> int:
    """Return the voxels of all windows that blocks of this size (z, y, x) predict, in all orientations.

    A window that reaches into several blocks is predicted for each of them.
    """
    # Import late: torch is needed only for a prediction.
    from sectome.inference.orientations import predictions_a_window
    from sectome.inference.predict_volume import grid_over

    grid = grid_over(source.shape, source.window, source.overlap, source.blending)
    windows = 1
    for starts, length, size, extent in zip(grid.starts, source.window, block, source.shape, strict=True):
        windows *= sum(begin - length < start < begin + size for begin in range(0, extent, size) for start in starts)
    return windows * math.prod(source.window) * predictions_a_window(source.orientations)


def _duration(seconds: float) -> str:
    """Return a duration in a readable unit."""
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(1, math.ceil(seconds)):.0f} s"
