"""Memory while crops are read at random from a zarr of 20 GB, most of which was never written.

Run: python tests/benchmarks/memory.py
"""

from __future__ import annotations

import math
import resource
import tempfile
from pathlib import Path

import tensorstore

from sectome.crops import RandomCrops

SHAPE, CHUNK, CROP = (1280, 4096, 4096), (32, 64, 64), (32, 160, 160)


def main() -> None:
    """Print the peak of resident memory after so many crops."""
    with tempfile.TemporaryDirectory() as folder:
        spec = {
            "driver": "zarr",
            "kvstore": {"driver": "file", "path": str(Path(folder) / "huge.zarr")},
            "metadata": {"shape": SHAPE, "chunks": CHUNK, "dtype": "|u1", "fill_value": 7, "compressor": None},
        }
        store = tensorstore.open(spec, create=True).result()
        store[:64, :1024, :1024] = 9
        crops = RandomCrops([{"image": f"{folder}/huge.zarr"}], CROP, 1, voxel_size_nm=(30, 6, 6))
        print(f"a zarr of {SHAPE}, {math.prod(SHAPE) / 2**30:.1f} GiB")
        for number in range(3001):
            crops[number]
            if number in (0, 100, 300, 1000, 3000):
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
                print(f"  after {number + 1:5} crops: peak of resident memory {peak:6.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
