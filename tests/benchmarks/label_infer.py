"""Time and peak memory of MONAI Label's /infer with the shipped weights, on a NIfTI of fly-like tissue.

    python tests/benchmarks/label_infer.py --shape 64 512 512 --csv docs/results/benchmarks/label_infer.csv

Needs the environment that `make .venv-monailabel/installed` makes. The first answer includes what the server loads
once; the second is what an annotator waits for.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from monai_label.label_server import PYTHON, LabelServer
from sectome.phantom import make_phantom
from sectome.standalone_bundle import make_standalone_bundle
from sectome.study.results import write_rows
from sectome.volumes import write_volume
from tiny_networks import BUNDLES

MIB = 2**20


class Peak:
    """The most resident memory that a process and its children had, looked at ten times a second."""

    def __init__(self, process: int) -> None:
        self.process = psutil.Process(process)
        self.mib = 0.0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()

    def watch(self) -> None:
        """Look until it is ended."""
        while not self.ended.wait(0.1):
            family = [self.process, *self.process.children(recursive=True)]
            self.mib = max(self.mib, sum(one.memory_info().rss for one in family if one.is_running()) / MIB)

    def end(self) -> float:
        """Return the peak in MiB."""
        self.ended.set()
        self.thread.join()
        return self.mib


def main() -> None:
    """Serve, ask twice, and print a row for each answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=3, default=[64, 512, 512])
    parser.add_argument("--answers", type=int, default=2)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = ["apps", "--download", "--name", "monaibundle", "--output", "app"]
        subprocess.run([str(PYTHON), "-m", "monailabel.main", *words], cwd=folder, check=True, capture_output=True)
        make_standalone_bundle(BUNDLES / "em_segmentation", folder / "app/monaibundle/model/em_segmentation")
        z, y, x = options.shape
        raw = make_phantom((z, y, x), (8.0, 8.0, 8.0), 0).raw
        write_volume(folder / "studies/volume.nii.gz", raw, voxel_size_nm=(8, 8, 8))
        with LabelServer(folder, folder / "studies", ["em_segmentation"]) as server:
            idle = psutil.Process(server.process.pid).memory_info().rss / MIB
            for answer in range(1, options.answers + 1):
                peak = Peak(server.process.pid)
                start = time.perf_counter()
                server.infer("em_segmentation", "volume", folder / "labels.nii.gz")
                seconds = time.perf_counter() - start
                latencies = server.latencies()
                rows.append(
                    {
                        "shape": "x".join(map(str, options.shape)),
                        "answer": answer,
                        "seconds": round(seconds, 1),
                        **{f"{part}_s": latencies[part] for part in ("Pre", "Inferer", "Post", "Write")},
                        "idle_mib": round(idle),
                        "peak_mib": round(peak.end()),
                    }
                )
                print(rows[-1], flush=True)
    if options.csv:
        write_rows(options.csv, list(rows[0]), rows)


if __name__ == "__main__":
    main()
