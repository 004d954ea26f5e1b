"""A folder of PNG sections to zarr, from file to file: ours against dask and against a loop with zarr-python.

Run: python tests/benchmarks/convert.py STACK [--sections 32] [--edge 4096] [--rounds 3] [--csv FILE]
STACK is a volume of real tissue, mirrored to sections of that size. All cores, wall-clock beside processor time, each
run a process of its own, in turn; chunks, compression and voxels are the same, which is checked.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import imagecodecs
import numpy as np

from sectome.cores import cores
from sectome.run_folder import peak_mib
from sectome.study.results import write_rows
from sectome.volumes import decoded_sections, open_volume, write_volume

CHUNK = (32, 64, 64)


def sectome(source: Path, output: Path) -> None:
    """Convert as `sectome convert` does."""
    write_volume(output, open_volume(source))


def sectome_one_thread(source: Path, output: Path) -> None:
    """Convert with sections that are decoded one after the other."""
    decoded_sections.threads_for = lambda *_: 1
    sectome(source, output)


def dask(source: Path, output: Path) -> None:
    """Convert by dask's threads: slabs of a chunk's depth, as its documentation reads images."""
    import dask.array
    from dask.array.image import imread

    image = imread(f"{source}/*.png", imread=_read)
    z, y, x = image.shape
    image = image.rechunk((CHUNK[0], 1024, 1024))
    dask.array.store(image, _new_zarr(output, (z, y, x)), lock=False)


def zarr_loop(source: Path, output: Path) -> None:
    """Convert by a loop over slabs of a chunk's depth."""
    files = sorted(source.glob("*.png"))
    array = _new_zarr(output, (len(files), *_read(files[0]).shape))
    for z in range(0, len(files), CHUNK[0]):
        array[z : z + CHUNK[0]] = np.stack([_read(file) for file in files[z : z + CHUNK[0]]])


CANDIDATES = {
    "zarr-python, a loop": zarr_loop,
    "dask": dask,
    "sectome, a thread that decodes": sectome_one_thread,
    "sectome": sectome,
}


def _read(file: Any) -> Any:
    return imagecodecs.png_decode(Path(file).read_bytes())


def _new_zarr(path: Path, shape: tuple[int, ...]) -> Any:
    import zarr
    from zarr.codecs import BloscCodec

    codec = BloscCodec(cname="zstd", clevel=3, shuffle="noshuffle")
    return zarr.create_array(path, shape=shape, chunks=CHUNK, dtype="uint8", compressors=codec)


def _measure(name: str, source: Path, output: Path) -> None:
    """Print seconds of wall-clock and of processor time of one conversion, and its peak of memory in MiB."""
    start = time.perf_counter()
    CANDIDATES[name](source, output)
    seconds = time.perf_counter() - start
    print(seconds, time.process_time(), peak_mib())


def main() -> None:
    """Print a table, or do one conversion in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("--sections", type=int, default=32)
    parser.add_argument("--edge", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--csv")
    parser.add_argument("--candidate", nargs=2)
    options = parser.parse_args()
    if options.candidate:
        _measure(options.candidate[0], Path(options.stack), Path(options.candidate[1]))
        return
    found: dict[str, list[list[float]]] = {name: [] for name in CANDIDATES}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tile = np.asarray(open_volume(options.stack))[: options.sections]
        sizes = (options.sections, options.edge, options.edge)
        pads = [(0, max(0, size - extent)) for size, extent in zip(sizes, tile.shape, strict=True)]
        write_volume(folder / "sections", np.pad(tile, pads, mode="symmetric"))
        expected = np.asarray(open_volume(folder / "sections"))
        for number in range(options.rounds):
            for candidate, runs in found.items():
                output = folder / f"{number}_{len(candidate)}.zarr"
                words = [sys.executable, __file__, str(folder / "sections"), "--candidate", candidate, str(output)]
                done = subprocess.run(words, check=True, capture_output=True, text=True)
                runs.append([float(word) for word in done.stdout.split()])
                assert np.array_equal(np.asarray(open_volume(output)), expected)
                subprocess.run(["rm", "-r", str(output)], check=True)
    rows = []
    print(f"{options.sections} PNG sections of {options.edge}x{options.edge} to zarr, {cores()} cores")
    for candidate, runs in found.items():
        seconds, cpu, peak = (median(values) for values in zip(*runs, strict=True))
        rows.append(
            {
                "candidate": candidate,
                "seconds": f"{seconds:.1f}",
                "cpu_seconds": f"{cpu:.1f}",
                "peak_mib": f"{peak:.0f}",
            }
        )
        print(f"  {candidate:32} {seconds:7.1f} s, {cpu:7.1f} s of processor time, peak {peak:6.0f} MiB")
    if options.csv:
        write_rows(Path(options.csv), ("candidate", "seconds", "cpu_seconds", "peak_mib"), rows)


if __name__ == "__main__":
    main()
