from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from sectome.checks import InputError
from sectome.volumes import open_volume, tensorstore_process, write_volume

from .conftest import VOXEL_SIZE


def _run(code: str, **environment: str) -> str:
    child = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **environment},
    )
    assert child.returncode == 0, child.stderr
    return child.stdout


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the memory that /proc tells")
def test_random_crops_of_a_huge_sparse_volume_keep_memory_flat(tmp_path):
    # 20 GB, of which 128 chunks of 2 MB are stored: more than the cache, so that it has to let go of some.
    output = _run(
        f"""
        import random, resource
        import tensorstore as ts
        from sectome.volumes import open_volume

        path = {str(tmp_path / "a.zarr")!r}
        spec = {{"driver": "zarr3", "kvstore": {{"driver": "file", "path": path}}}}
        grid = {{"name": "regular", "configuration": {{"chunk_shape": [128, 128, 128]}}}}
        metadata = {{"shape": [2000, 3200, 3200], "data_type": "uint8", "chunk_grid": grid, "fill_value": 7}}
        metadata["codecs"] = [{{"name": "bytes"}}, {{"name": "zstd"}}]
        store = ts.open(spec | {{"metadata": metadata}}, create=True).result()
        corners = [(z * 128, y * 128, x * 128) for z in range(4) for y in range(4) for x in range(8)]
        for number, (z, y, x) in enumerate(corners):
            store[z : z + 128, y : y + 128, x : x + 128] = number + 8
        volume = open_volume(path)
        generator = random.Random(0)

        def read(crops):
            for _ in range(crops):
                z, y, x = generator.choice(corners)
                assert volume[z : z + 128, y : y + 128, x : x + 128].min() >= 8
                z, y, x = (generator.randrange(500, extent - 64) for extent in volume.shape)
                volume[z : z + 64, y : y + 64, x : x + 64]

        def resident_mb():
            with open("/proc/self/statm") as file:
                return int(file.read().split()[1]) * resource.getpagesize() / 2**20

        assert volume[-1, -1, -1] == 7
        read(10)
        before = resident_mb()
        read(400)
        print(resident_mb() - before)
        """,
        SECTOME_CACHE_MB="32",
    )
    grown_mb = float(output)
    assert grown_mb < 120


@pytest.mark.parametrize("output", ["a.zarr", "a.n5", "a.precomputed"])
def test_volumes_in_chunks_share_one_cache_of_the_size_that_the_variable_says(tmp_path, output):
    write_volume(tmp_path / output, np.ones((3, 4, 5), np.uint8), voxel_size_nm=VOXEL_SIZE)
    code = f"""
        from sectome.volumes import open_volume, tensorstore_process
        first, second = (open_volume({str(tmp_path / output)!r}) for _ in range(2))
        assert first[...].all() and second[...].all()
        spec = tensorstore_process._context.spec.to_json()
        assert spec["cache_pool"]["total_bytes_limit"] == 3 * 2**20, spec
        context = first._reader._store().spec(retain_context=True, unbind_context=True).to_json()["context"]
        assert context["cache_pool"]["total_bytes_limit"] == 3 * 2**20, context
    """
    _run(code, SECTOME_CACHE_MB="3")


@pytest.mark.parametrize("output", ["a.zarr", "a.n5", "a.precomputed"])
def test_a_volume_that_is_read_in_order_keeps_the_chunks_of_a_box(tmp_path, output):
    # Chunks of 32x64x64: a box of 10 sections touches two of them along z, of 70 rows two, of 64 columns one.
    voxels = np.arange(70 * 100 * 64, dtype=np.uint32).reshape(70, 100, 64)
    write_volume(tmp_path / output, voxels, voxel_size_nm=VOXEL_SIZE)
    volume = open_volume(tmp_path / output)
    volume.keep_chunks_of((10, 70, 64))
    np.testing.assert_array_equal(volume[5:40], voxels[5:40])
    spec = volume._reader._store().spec(retain_context=True, unbind_context=True).to_json()
    pool = spec["cache_pool"]
    limit = (spec["context"][pool] if isinstance(pool, str) else pool)["total_bytes_limit"]
    assert limit == 4 * (2 * 32) * (2 * 64) * 64


@pytest.mark.parametrize("value", ["a lot", "-1", "1.5"])
def test_a_cache_size_that_is_no_number_is_refused(tmp_path, monkeypatch, value):
    write_volume(tmp_path / "a.zarr", np.ones((3, 4, 5), np.uint8))
    monkeypatch.setenv("SECTOME_CACHE_MB", value)
    monkeypatch.setattr(tensorstore_process, "_context", None)
    with pytest.raises(InputError, match=f"SECTOME_CACHE_MB must be a whole number of MiB, got '{value}'"):
        open_volume(tmp_path / "a.zarr")[...]
