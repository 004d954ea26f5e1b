"""One segmentation by one tool in a process of its own, timed: what postprocess.py runs, with our or the peers' Python.

Run: python postprocess_candidate.py NAME CASE OUT THREADS THRESHOLDS
CASE holds affinities.npy (K, Z, Y, X) float32 and case.json; OUT gets one labels_N.npy a threshold. The last line of
what is printed is JSON: seconds by stage, and the peak of resident memory.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

STAGES: dict[str, float] = {}


class Stage:
    """Add the seconds within to a stage."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        self.start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        STAGES[self.name] = STAGES.get(self.name, 0.0) + time.perf_counter() - self.start


def sectome(affinities, case, thresholds, threads, fragments):
    """Yield the labels at each threshold, by mean agglomeration over the nearest affinities."""
    from sectome.neighbourhoods import NEAREST
    from sectome.postprocess import agglomerate, fragments_distance, fragments_watershed, region_graph

    nearest = affinities[:3]
    with Stage("fragments"):
        if fragments == "watershed":
            pieces = fragments_watershed(nearest, NEAREST, low=1e-4, high=0.9999, threads=threads)
        else:
            size_nm = tuple(case["voxel_size_nm"])
            pieces = fragments_distance(nearest, NEAREST, voxel_size_nm=size_nm, threads=threads)
    with Stage("region graph"):
        graph = region_graph(nearest, NEAREST, pieces, threads=threads)
    with Stage("agglomeration"):
        history = agglomerate(graph, stop=min(thresholds))
    print(f"{int(pieces.max())} fragments, {len(graph)} edges", flush=True)
    for threshold in thresholds:
        with Stage("labels"):
            labels = history.labels_at(threshold, pieces)
        yield labels


def sectome_mutex(affinities, case, thresholds, threads):
    """Yield the labels of the mutex watershed."""
    from sectome.postprocess import mutex_watershed

    with Stage("mutex watershed"):
        labels = mutex_watershed(affinities, case["offsets"], strides=case["strides"])
    yield labels


def waterz(affinities, case, thresholds, threads):
    """Yield the labels at each threshold, by waterz's mean agglomeration with 256 bins."""
    import numpy as np
    import waterz

    nearest = np.ascontiguousarray(affinities[:3])
    mean = "OneMinus<MeanAffinity<RegionGraphType, ScoreValue>>"
    rising = sorted(1 - threshold for threshold in thresholds)
    yield from waterz.agglomerate(
        nearest, rising, scoring_function=mean, discretize_queue=256, aff_threshold_low=1e-4, aff_threshold_high=0.9999
    )


def bioimage_cpp(affinities, case, thresholds, threads):
    """Yield the labels of bioimage-cpp's mutex watershed."""
    import numpy as np
    from bioimage_cpp import segmentation

    with Stage("mutex watershed"):
        weights = np.concatenate([affinities[:3], 1 - affinities[3:]])
        labels = segmentation.mutex_watershed(weights, [list(o) for o in case["offsets"]], 3, strides=case["strides"])
    yield labels


def mwatershed(affinities, case, thresholds, threads):
    """Yield the labels of mwatershed, which takes signed weights: nearest edges below 0.5 repel, another partition."""
    import mwatershed
    import numpy as np

    further = len(case["offsets"]) - 3
    with Stage("mutex watershed"):
        labels = mwatershed.agglom(
            (affinities - 0.5).astype(np.float64),
            [list(offset) for offset in case["offsets"]],
            strides=[[1, 1, 1]] * 3 + [case["strides"]] * further,
        )
    yield labels


def scikit_image(affinities, case, thresholds, threads):
    """Yield the labels at each threshold: seeds in the middle of objects, watershed, and merging by mean boundary."""
    import numpy as np
    from scipy import ndimage
    from skimage import feature, graph, segmentation

    with Stage("fragments"):
        boundary = 1 - affinities[:3].mean(axis=0)
        inside = ndimage.distance_transform_edt(boundary < 0.3, sampling=case["voxel_size_nm"])
        inside = ndimage.gaussian_filter(inside, [1.5 * min(case["voxel_size_nm"]) / e for e in case["voxel_size_nm"]])
        peaks = feature.peak_local_max(inside, min_distance=1, exclude_border=False)
        seeds = np.zeros(inside.shape, np.int32)
        seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
        pieces = segmentation.watershed(boundary, seeds)
    with Stage("region graph"):
        rag = graph.rag_boundary(pieces, boundary)
    for threshold in thresholds:
        with Stage("agglomeration"):
            labels = graph.cut_threshold(pieces, rag, 1 - threshold, in_place=False)
        yield labels


CANDIDATES = {
    "sectome watershed": lambda *given: sectome(*given, "watershed"),
    "sectome distance": lambda *given: sectome(*given, "distance"),
    "sectome mutex": sectome_mutex,
    "waterz": waterz,
    "bioimage-cpp mutex": bioimage_cpp,
    "mwatershed mutex": mwatershed,
    "scikit-image": scikit_image,
}


def main() -> None:
    """Run a candidate on a corner first, for what is compiled or loaded when it is first called, and then in full."""
    name, folder, out, threads, given = sys.argv[1:]
    for variable in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = threads

    import numpy as np

    case = json.loads((Path(folder) / "case.json").read_text())
    thresholds = [float(number) for number in given.split(",")]
    # Ours reads from the file; peers want an array, and some of them work in it.
    affinities = np.load(Path(folder) / "affinities.npy", mmap_mode="r" if name.startswith("sectome") else None)
    corner = np.ascontiguousarray(affinities[:, :8, :48, :48])
    # What is compiled for an array that may be written to is not what is called for a mapped one.
    corner.setflags(write=affinities.flags.writeable)
    for _ in CANDIDATES[name](corner, case, thresholds, int(threads)):
        pass
    STAGES.clear()
    spent, began = 0.0, time.perf_counter()
    cpu = time.process_time()
    for number, labels in enumerate(CANDIDATES[name](affinities, case, thresholds, int(threads))):
        paused = time.perf_counter()
        np.save(Path(out) / f"labels_{number}.npy", np.asarray(labels).astype(np.uint32))
        spent += time.perf_counter() - paused
    wall = time.perf_counter() - began - spent
    # Not getrusage, whose peak begins with that of the process that started this one.
    status = Path("/proc/self/status").read_text()
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(json.dumps({"wall": wall, "cpu": time.process_time() - cpu, "stages": STAGES, "peak_mib": peak}))


if __name__ == "__main__":
    main()
