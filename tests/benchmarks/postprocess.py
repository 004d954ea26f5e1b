"""Affinities to segments, ours against waterz, bioimage-cpp, mwatershed and scikit-image: time, memory, accuracy.

Run: make bench-postprocess, or python tests/benchmarks/postprocess.py --peers PYTHON [--data DIR] [--cases a,b,c]
PYTHON is the interpreter of an environment with the peers. DIR (or SECTOME_DATA) holds snemi_mini/ and pinky40_labels/;
without it only the phantom is there. Every run is a process of its own; candidates take turns, and medians are shown.

Cases: phantom 64x256x256, degraded affinities of 12 offsets; snemi 32x160x160, a network's membrane probabilities as
affinities; pinky 512x512x512, degraded affinities of an automatic segmentation, relabelled by connected components.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from sectome.affinities import labels_to_affinities
from sectome.metrics import adapted_rand_error, variation_of_information
from sectome.neighbourhoods import LONG_RANGE, NEAREST
from sectome.phantom import make_phantom
from sectome.postprocess import connected_components
from sectome.study.results import write_rows
from sectome.types import Offsets

CANDIDATE = Path(__file__).with_name("postprocess_candidate.py")
THRESHOLDS = tuple(np.round(np.arange(0.05, 1, 0.05), 2).tolist())
FEW_THRESHOLDS = (0.2, 0.35, 0.5, 0.65, 0.8)
MEAN = ("sectome watershed", "sectome distance", "waterz", "scikit-image")
MUTEX = ("sectome mutex", "bioimage-cpp mutex", "mwatershed mutex")


def degraded(labels: np.ndarray, offsets: Offsets, sigma: Sequence[float], seed: int = 0) -> np.ndarray:
    """Return affinities (K, Z, Y, X) as a network might give them: membranes, soft, with noise that is correlated.

    A membrane two voxels thick is cut between objects in the plane. The noise changes slowly from voxel to voxel and is
    mostly the same for all offsets, as a network's errors are, and the result has 256 levels, as it is stored: a
    watershed finds a fragment for every 25 voxels or so, as in a network's affinities of fly medulla (27).
    """
    rng = np.random.default_rng(seed)
    apart = np.zeros(labels.shape, bool)
    for axis in (1, 2):
        before, after = [slice(None)] * 3, [slice(None)] * 3
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        differ = labels[tuple(before)] != labels[tuple(after)]
        apart[tuple(before)] |= differ
        apart[tuple(after)] |= differ
    cells = np.where(apart, 0, labels)
    result = np.empty((len(offsets), *labels.shape), np.float32)
    shared = 1.2 * _smooth_noise(rng, labels.shape, (1, 3, 3))
    for channel, offset in enumerate(offsets):
        true = labels_to_affinities(cells, (offset,))[0][0].astype(np.float32)
        logit = ndimage.gaussian_filter(true, sigma)
        logit *= 8
        logit -= 4
        logit += shared
        logit += 0.4 * _smooth_noise(rng, labels.shape, (1, 2, 2))
        np.exp(-logit, out=logit)
        result[channel] = np.rint(255 / (1 + logit)) / 255
    return result


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], sigma: Sequence[float]) -> np.ndarray:
    noise = ndimage.gaussian_filter(rng.standard_normal(shape, np.float32), sigma)
    noise /= noise[: min(len(noise), 32)].std()
    return noise


def membrane_affinities(membrane: np.ndarray, offsets: Offsets) -> np.ndarray:
    """Return affinities of a membrane probability: 1 minus the greatest on the way from voxel to voxel."""
    result = np.zeros((len(offsets), *membrane.shape), np.float32)
    for channel, offset in enumerate(offsets):
        steps = max(abs(step) for step in offset)
        worst = membrane.copy()
        for step in range(1, steps + 1):
            moved = np.ones_like(membrane)
            inner, source = [], []
            for length, part in zip(membrane.shape, offset, strict=True):
                shift = round(part * step / steps)
                inner.append(slice(max(0, -shift), min(length, length - shift)))
                source.append(slice(max(0, shift), min(length, length + shift)))
            moved[tuple(inner)] = membrane[tuple(source)]
            worst = np.maximum(worst, moved)
        result[channel] = 1 - worst
    return result


def make_case(name: str, data: Path | None, folder: Path) -> tuple[np.ndarray, int]:
    """Write a case's affinities into a folder, and return the truth and how often each candidate runs."""
    if name == "phantom":
        truth, size_nm = make_phantom((64, 256, 256), (30, 6, 6), 3).neurons, (30, 6, 6)
        offsets, affinities, rounds = LONG_RANGE, degraded(truth, LONG_RANGE, (0.5, 1, 1)), 3
    elif name == "snemi":
        known = np.load(data / "snemi_mini/train.npz")
        truth, size_nm, offsets, rounds = known["labels"], (30, 6, 6), LONG_RANGE, 5
        affinities = membrane_affinities(known["membrane_probability_u8"].astype(np.float32) / 255, offsets)
    else:
        known = np.load(data / "pinky40_labels/connectomics_512.npz")
        same = labels_to_affinities(known["labels"].astype(np.int32), NEAREST)[0].astype(np.uint8) * np.uint8(255)
        truth = connected_components(same, NEAREST)
        size_nm, rounds = (40, 32, 32), 1
        offsets = LONG_RANGE if name == "pinky corner" else NEAREST
        if name == "pinky corner":
            truth, rounds = np.ascontiguousarray(truth[:64, :256, :256]), 2
        affinities = degraded(truth, offsets, (0.8, 1, 1))
    np.save(folder / "affinities.npy", affinities)
    case = {"offsets": [list(offset) for offset in offsets], "strides": [1, 3, 3], "voxel_size_nm": list(size_nm)}
    (folder / "case.json").write_text(json.dumps(case))
    return truth, rounds


def run(name: str, python: str, case: Path, threads: int, thresholds: Sequence[float]) -> tuple[dict[str, Any], list]:
    """Return a candidate's figures and its labels at each threshold, from the highest to the lowest."""
    falling = sorted(thresholds, reverse=True)
    with tempfile.TemporaryDirectory(dir=case) as out:
        command = [python, str(CANDIDATE), name, str(case), out, str(threads), ",".join(map(str, falling))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{name} failed:\n{done.stderr[-2000:]}")
        files = sorted(Path(out).glob("labels_*.npy"), key=lambda path: int(path.stem.split("_")[1]))
        return json.loads(done.stdout.splitlines()[-1]), [np.load(file) for file in files]


def best_scores(truth: np.ndarray, labels: Sequence[np.ndarray], thresholds: Sequence[float]) -> dict[str, float]:
    """Return the scores at the threshold with the smallest adapted Rand error, and the smallest VOI of any."""
    rows = []
    for threshold, one in zip(sorted(thresholds, reverse=True), labels, strict=False):
        rows.append((adapted_rand_error(truth, one), sum(variation_of_information(truth, one)), threshold))
    are, _, threshold = min(rows)
    return {"are": are, "voi": min(row[1] for row in rows), "threshold": threshold}


def measure(name: str, truth: np.ndarray, rounds: int, case: Path, peers: str, cores: int) -> list[dict[str, Any]]:
    """Return a row of figures for each candidate and number of threads."""
    offsets = json.loads((case / "case.json").read_text())["offsets"]
    large = truth.size > 5e7
    candidates = [(one, 1) for one in MEAN if not (large and one == "scikit-image")]
    candidates += [(one, cores) for one in MEAN[:2]]
    if len(offsets) > len(NEAREST):
        candidates += [(one, 1) for one in MUTEX]
    thresholds = FEW_THRESHOLDS if large else THRESHOLDS
    python = {one: sys.executable if one.startswith("sectome") else peers for one, _ in candidates}
    scores, partitions = {}, {}
    for one, threads in candidates:
        if one not in scores:
            _, labels = run(one, python[one], case, threads, thresholds)
            scores[one] = best_scores(truth, labels, thresholds)
            partitions[one] = labels[0] if one in MUTEX else None
            print(f"  {one}: {scores[one]}", flush=True)
    if partitions.get("bioimage-cpp mutex") is not None:
        joined = partitions["sectome mutex"] > 0
        apart = adapted_rand_error(partitions["bioimage-cpp mutex"][joined], partitions["sectome mutex"][joined])
        print(f"  sectome mutex against bioimage-cpp mutex: adapted Rand error {apart:.6f}", flush=True)
    figures: dict[tuple[str, int], list[dict[str, Any]]] = {candidate: [] for candidate in candidates}
    for _ in range(rounds):
        for one, threads in candidates:
            figures[one, threads].append(run(one, python[one], case, threads, [scores[one]["threshold"]])[0])
    rows = []
    for (one, threads), found in figures.items():
        stages = {stage: statistics.median(each["stages"][stage] for each in found) for stage in found[0]["stages"]}
        rows.append(
            {
                "case": name,
                "candidate": one,
                "threads": threads,
                "ms_per_mvoxel": 1e9 * statistics.median(each["wall"] for each in found) / truth.size,
                "cpu_ms_per_mvoxel": 1e9 * statistics.median(each["cpu"] for each in found) / truth.size,
                "peak_mib": statistics.median(each["peak_mib"] for each in found),
                **scores[one],
                "stages_ms_per_mvoxel": " ".join(
                    f"{stage}={1e9 * seconds / truth.size:.1f}" for stage, seconds in stages.items()
                )
                .replace(" graph", "_graph")
                .replace(" watershed", "_watershed"),
            }
        )
    return rows


def show(rows: Sequence[dict[str, Any]]) -> None:
    """Print a case's table, with ratios of CPU time to the fastest peer of the same kind."""
    for row in rows:
        kind = MUTEX if row["candidate"] in MUTEX else MEAN[:3]
        peers = [
            r["cpu_ms_per_mvoxel"] for r in rows if r["candidate"] in kind and not r["candidate"].startswith("sectome")
        ]
        ratio = min(peers) / row["cpu_ms_per_mvoxel"]
        print(
            f"  {row['candidate']:20} {row['threads']} threads {row['ms_per_mvoxel']:9.1f} ms/Mvoxel "
            f"(CPU {row['cpu_ms_per_mvoxel']:9.1f}, {ratio:5.2f}x) peak {row['peak_mib']:7.0f} MiB  "
            f"ARE {row['are']:.4f}  VOI {row['voi']:.3f}  {row['stages_ms_per_mvoxel']}",
            flush=True,
        )


def main() -> None:
    """Measure each case, print its table, and write all rows as CSV where --csv says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--data", default=os.environ.get("SECTOME_DATA"))
    parser.add_argument("--cases", default="phantom,snemi,pinky corner,pinky")
    parser.add_argument("--csv")
    given = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    rows = []
    for name in given.cases.split(","):
        if name != "phantom" and not given.data:
            print(f"{name}: left out, SECTOME_DATA names no folder")
            continue
        with tempfile.TemporaryDirectory() as folder:
            print(f"\n{name}", flush=True)
            truth, rounds = make_case(name, Path(given.data) if given.data else None, Path(folder))
            found = measure(name, truth, rounds, Path(folder), given.peers, cores)
            show(found)
            rows += found
            if given.csv:
                write_rows(Path(given.csv), list(rows[0]), rows)


if __name__ == "__main__":
    main()
