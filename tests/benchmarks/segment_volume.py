"""Blockwise segmentation of a volume that is made up as it is read: throughput, memory, graph, a petavoxel's plan.

Tissue is a tile of a phantom, mirrored over and over, so that neurites go on from tile to tile; its affinities are
those of a network that is sure of most.
"""

from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import argparse
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from sectome.affinities import labels_to_affinities
from sectome.blockwise import NeuronPlan, connected, plan_neurons, segment_blocks
from sectome.blockwise.forecast import peak_mib
from sectome.blockwise.neuron_plan import GROUP, JOINED_AT_ONCE
from sectome.blockwise.stages import do_block, stages_of
from sectome.neighbourhoods import NEAREST
from sectome.phantom import make_phantom
from sectome.postprocess import SegmentationOptions, affinities_to_labels
from sectome.run_folder import RunFolder
from sectome.study.results import write_rows
from sectome.volumes import open_volume

TILE = (48, 128, 128)
SIZE_NM = (30.0, 6.0, 6.0)
PETAVOXEL = 1e15
EDGE_BYTES = 80 + 40 + 32
"""Of an edge in the join: its record, the arrays that it comes from, lists and queue."""


class MirroredTissue:
    """Affinities of a tile of tissue, mirrored without end.

    Args:
        shape: voxels (Z, Y, X).
        path: where the affinities of a tile and its mirror images are, (3, z, y, x) uint8.
    """

    offsets = NEAREST
    voxel_size_nm = SIZE_NM
    offset_nm = (0.0, 0.0, 0.0)

    def __init__(self, shape: Sequence[int], path: Path) -> None:
        self.shape = tuple(shape)
        self.path = path

    def read(self, box: Sequence[slice], channels: Sequence[int] | None = None) -> np.ndarray:
        """Return a box (K, z, y, x)."""
        tile = np.load(self.path, mmap_mode="r")
        wanted = range(3) if channels is None else channels
        z, y, x = (np.arange(part.start, part.stop) % extent for part, extent in zip(box, tile.shape[1:], strict=True))
        return np.stack([tile[channel].take(z, 0).take(y, 1).take(x, 2) for channel in wanted])

    def description(self) -> dict[str, Any]:
        """Return what tells this tissue from other."""
        return {"name": "mirrored tissue", "shape": list(self.shape)}


def make_tile(path: Path) -> None:
    """Write the affinities of a tile and its mirror images as one period of endless tissue."""
    neurons = make_phantom(TILE, SIZE_NM, 0).neurons
    for axis in range(3):
        neurons = np.concatenate([neurons, np.flip(neurons, axis)], axis)
    around = np.pad(neurons, 1, mode="wrap")
    apart = labels_to_affinities(around, NEAREST)[0] == 0
    membrane = apart[1] | apart[2] | np.roll(apart[1], -1, axis=1) | np.roll(apart[2], -1, axis=2)
    true = labels_to_affinities(np.where(membrane, 0, around), NEAREST)[0][:, 1:-1, 1:-1, 1:-1].astype(np.float32)
    rng = np.random.default_rng(0)
    soft = np.stack([ndimage.gaussian_filter(channel, (0.4, 1, 1), mode="wrap") for channel in true])
    patches = ndimage.gaussian_filter(rng.normal(size=neurons.shape).astype(np.float32), (1, 3, 3), mode="wrap")
    noise = 0.5 * rng.normal(size=true.shape).astype(np.float32) + 0.7 * patches / patches.std()
    np.save(path, np.rint(255 / (1 + np.exp(-(8 * soft - 4 + noise)))).astype(np.uint8))


def rows_of(plan: Any, seconds: float, workers: int) -> list[dict[str, Any]]:
    """Return time, throughput in voxels of the volume, and peak memory of each stage."""
    took: dict[str, list[float]] = defaultdict(list)
    processor: dict[str, list[float]] = defaultdict(list)
    peaks: dict[str, float] = defaultdict(float)
    for line in plan.folder.read_log():
        if line["event"] == "done":
            took[line["stage"]].append(float(line["seconds"]))
            processor[line["stage"]].append(float(line["cpu_seconds"]))
            peaks[line["stage"]] = max(peaks[line["stage"]], float(line["peak_mib"]))
    plan_voxels = float(np.prod(plan.grid.shape))
    rows = []
    for stage in stages_of(plan):
        work = sum(processor[stage.name])
        rows.append(
            {
                "stage": stage.name,
                "blocks": stage.blocks,
                "worker_seconds": round(sum(took[stage.name]), 1),
                "cpu_seconds": round(work, 1),
                "mvoxel_a_cpu_second": round(plan_voxels / 1e6 / work, 2),
                "peak_mib": peaks[stage.name],
            }
        )
    rows.append({"stage": "all", "blocks": workers, "worker_seconds": round(seconds, 1)})
    return rows


def edges_a_square_um(plan: NeuronPlan, edges: int) -> float:
    """Return how many edges the groups have left for each square micrometre of the faces between them."""
    extents = np.multiply(plan.grid.shape, plan.source.voxel_size_nm) / 1000
    groups = plan.groups(plan.group_levels).counts
    area = sum((count - 1) * np.prod(np.delete(extents, axis)) for axis, count in enumerate(groups))
    return edges / float(area)


def petavoxel(plan: NeuronPlan, rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return what the measured rates say of 10**15 voxels, merged in groups of `GROUP`, groups of groups and so on.

    What groups leave lies at their faces, so that it grows with their area and not with what is inside.
    """
    voxels = float(np.prod(plan.grid.shape))
    found = {name: int(value) for name, value in plan.folder.read("join", 0).items()}
    density = edges_a_square_um(plan, found["edges"])
    hours = sum(row["cpu_seconds"] for row in rows if row["stage"] not in ("join", "all")) / voxels * PETAVOXEL / 3600
    lines = [
        f"the join: {found['parts']} parts that groups have left, {found['edges']} edges, {found['segments']} "
        f"segments; {density:.1f} edges for each square um between groups",
        f"a petavoxel: {hours:.0f} core hours beside the merging above level 1, so {hours / 24 / 30:.0f} cores for 30 "
        "days",
    ]
    most = min(2**30, 256 * 2**30 // EDGE_BYTES)
    edge_um = np.multiply(plan.grid.block, plan.source.voxel_size_nm) / 1000
    voxel_um3 = float(np.prod(plan.source.voxel_size_nm)) / 1e9
    for level in range(1, 9):
        edge_um = edge_um * GROUP
        a_voxel = density * float(np.sum(1 / edge_um)) * voxel_um3
        groups, above = PETAVOXEL * voxel_um3 / np.prod(edge_um), float(np.prod(edge_um * GROUP)) / voxel_um3
        last = groups <= JOINED_AT_ONCE or a_voxel * above > most
        lines.append(
            f"level {level}: {groups:.2g} groups leave {1e6 * a_voxel:.2g} edges a Mvoxel: {a_voxel * PETAVOXEL:.2g} "
            + (
                "for the join"
                if last
                else f"in all, {a_voxel * above:.2g} ({a_voxel * above * EDGE_BYTES / 2**30:.1f} "
                "GiB) for each merge of the next level"
            )
        )
        if last:
            lines.append(f"a join of {most:.2g} edges, 256 GiB or 2**30 of them, is one of {most / a_voxel:.2g} voxels")
            break
    return lines


def regroup(run: Path, plan: NeuronPlan) -> None:
    """Merge what the blocks of a finished run have found in groups of another size, and print what these leave."""
    for stage in ("fragments", "edges"):
        link = plan.folder.path / "done" / stage
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(run / "done" / stage)
    for stage in stages_of(plan):
        if not stage.name.startswith(("merge", "join")):
            continue
        began, most = time.process_time(), 0
        for number in range(stage.blocks):
            do_block(plan, stage, number)
            if stage.name != "join":
                left = plan.folder.read(stage.name, number, ["edges", "outer_edges"])
                most = max(most, len(left["edges"]) + len(left["outer_edges"]))
        print(f"{stage.name}: {stage.blocks} in {time.process_time() - began:.0f} s, at most {most} edges left by one")
    found = {name: int(value) for name, value in plan.folder.read("join", 0).items()}
    print(f"{found}, {edges_a_square_um(plan, found['edges']):.1f} edges for each square um between groups")


def check(folder: Path, tile: Path) -> None:
    """Compare a small volume block by block with the whole of it."""
    source = MirroredTissue((96, 300, 300), tile)
    options = SegmentationOptions(threshold=0.5)
    plan = plan_neurons(source, folder / "check.ome.zarr", folder / "check.run", options, block_voxels=(32, 128, 128))
    for stage in stages_of(plan):
        if stage.prepare is not None:
            stage.prepare(plan)
        for number in range(stage.blocks):
            do_block(plan, stage, number)
    affinities = source.read([slice(0, extent) for extent in source.shape])
    whole = affinities_to_labels(affinities, NEAREST, voxel_size_nm=SIZE_NM, threshold=0.5)
    same = np.mean(open_volume(plan.partial_output / "0")[...] == whole)
    print(f"check: {100 * same:.4f} % of the voxels have the id of the whole volume's segmentation")


def main() -> None:
    """Run, print the tables, and write the CSV."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=(512, 5600, 5600), help="16 Gvoxel by default")
    parser.add_argument("--block", type=int, nargs=3, default=(128, 512, 512))
    parser.add_argument("--group", type=int, nargs=3, default=(2, 4, 4), help="blocks that are merged first")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--folder", type=Path, default=Path("blockwise_benchmark"))
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--check", action="store_true", help="compare a small volume with its segmentation as a whole")
    parser.add_argument("--regroup", type=int, nargs=3, help="merge the blocks of a finished run again in such groups")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    tile = given.folder.absolute() / "tile.npy"
    if not tile.is_file():
        make_tile(tile)
    if given.check:
        check(given.folder, tile)
        return
    plan = plan_neurons(
        MirroredTissue(given.shape, tile),
        given.folder / "out.ome.zarr",
        given.folder / "out.run",
        SegmentationOptions(threshold=0.5),
        block_voxels=given.block,
        group_blocks=given.group,
    )
    if given.regroup:
        name = "x".join(map(str, given.regroup))
        folder = RunFolder(given.folder.absolute() / f"{name}.run")
        regroup(plan.folder.path, replace(plan, group=tuple(given.regroup), folder=folder))
        return
    began = time.perf_counter()
    with connected("local", given.workers) as client:
        segment_blocks(plan, client)
    rows = rows_of(plan, time.perf_counter() - began, given.workers)
    for row in rows:
        print("  ".join(f"{name} {value}" for name, value in row.items()))
    print(f"forecast of the peak: {peak_mib(plan):.0f} MiB")
    print("\n".join(petavoxel(plan, rows)))
    if given.csv:
        write_rows(given.csv, list(rows[0]), rows)


if __name__ == "__main__":
    main()
