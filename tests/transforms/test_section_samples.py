"""Statistics of a volume are those of its sections, and what is read and held for them does not grow with it."""

from __future__ import annotations

import tracemalloc

import imagecodecs
import numpy as np
import pytest

from sectome.checks import InputError
from sectome.tissue import open_tissue
from sectome.transforms import PercentileIntensity, StandardiseIntensity, intensity_statistics
from sectome.transforms import section_samples as samples
from sectome.volumes import open_volume, write_volume


def reference_statistics(volume):
    """Return mean and deviation as they are with 16 whole sections in memory."""
    numbers = np.unique(np.linspace(0, len(volume) - 1, 16).round().astype(int))
    sections = [volume[number] for number in numbers]
    sections = [section for section in sections if section.min() != section.max()] or sections
    count = sum(section.size for section in sections)
    mean = sum(float(section.sum(dtype=np.float64)) for section in sections) / count
    squares = sum(float(np.square(section - np.float64(mean)).sum()) for section in sections)
    return mean, float(np.sqrt(squares / count)) or 1.0


def reference_percentiles(volume):
    """Return the 1st and 99th percentile of 16 whole sections."""
    numbers = np.unique(np.linspace(0, len(volume) - 1, 16).round().astype(int))
    sections = [volume[number] for number in numbers]
    sections = [section for section in sections if section.min() != section.max()] or sections
    return np.percentile(np.concatenate([section.ravel() for section in sections]).astype(np.float64), (1, 99))


class Recorded:
    """A volume (Z, Y, X) of one tissue without end, darker from the left to the right, which counts what is read."""

    def __init__(self, shape, dtype=np.uint8):
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.reads = []
        rng = np.random.default_rng(0)
        self.tile = rng.integers(50, 150, (256, 256)).astype(dtype)

    def __getitem__(self, key):
        number, y, x = key if isinstance(key, tuple) else (key, slice(0, self.shape[1]), slice(0, self.shape[2]))
        self.reads.append((number, y, x))
        grey = 80 * (1 - np.arange(x.start, x.stop) / self.shape[2])
        rows, columns = np.arange(y.start, y.stop) % 256, np.arange(x.start, x.stop) % 256
        return (self.tile[np.ix_(rows, columns)] + grey).astype(self.dtype)

    def bytes_read(self):
        return sum(self.dtype.itemsize * (y.stop - y.start) * (x.stop - x.start) for _, y, x in self.reads)


@pytest.fixture
def small_limits(monkeypatch):
    """Take sections of more than 64x64 voxels for wide ones, and of those 4x4 blocks of 8x8."""
    for name, value in (("WHOLE_VOXELS", 64 * 64), ("BLOCKS", 4), ("BLOCK_VOXELS", 8)):
        monkeypatch.setattr(samples, name, value)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int16, np.float32, np.float64])
@pytest.mark.parametrize("kept_bytes", [samples.KEPT_BYTES, 20_000, 0])
def test_statistics_of_usual_sections_are_bit_for_bit_those_of_all_at_once(monkeypatch, dtype, kept_bytes):
    monkeypatch.setattr(samples, "KEPT_BYTES", kept_bytes)
    volume = (np.random.default_rng(0).normal(0.5, 0.1, (21, 50, 70)) * 250).astype(dtype)
    volume[[0, 7]] = 3
    for tissue in (volume, volume[:2], np.full_like(volume, 7)):
        assert intensity_statistics(tissue) == reference_statistics(tissue)
        fitted = PercentileIntensity().fit(tissue)
        assert (fitted.lowest[0], fitted.greatest[0]) == tuple(reference_percentiles(tissue))


def test_sections_up_to_the_limit_are_read_whole_and_once():
    assert samples.sample_section(Recorded((1, 4096, 4096)), 0).shape == (4096, 4096)
    assert samples.sample_section(Recorded((1, 4097, 4096)), 0).shape == (2048, 2048)
    recorded = Recorded((40, 32, 48))
    StandardiseIntensity().fit(recorded)
    assert len(recorded.reads) == 16
    assert recorded.bytes_read() == 16 * 32 * 48


@pytest.mark.parametrize("normaliser", [StandardiseIntensity(), PercentileIntensity()])
def test_of_wide_sections_blocks_are_read_that_start_where_chunks_do(normaliser):
    volume = Recorded((3, 100_000, 90_000))
    tracemalloc.start()
    try:
        normaliser.fit(volume)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert volume.bytes_read() == 3 * 2048 * 2048
    assert {number for number, _, _ in volume.reads} == {0, 1, 2}
    for _, *plane in volume.reads:
        assert all(part.stop - part.start == 256 and part.start % 256 == 0 for part in plane)
    lattice = {(y.start, x.start) for _, y, x in volume.reads}
    assert len(lattice) == 64
    for starts, extent in zip(
        (sorted(set(axis)) for axis in zip(*lattice, strict=True)), volume.shape[1:], strict=True
    ):
        # In the middle of 8 parts, to within a block.
        np.testing.assert_allclose(starts, extent * (2 * np.arange(8) + 1) / 16 - 128, rtol=0, atol=256)
    assert peak < 150 * 2**20


def test_what_is_held_for_a_second_look_is_bounded(monkeypatch):
    monkeypatch.setattr(samples, "KEPT_BYTES", 2**20)
    volume = Recorded((16, 512, 512), np.uint16)
    tracemalloc.start()
    try:
        found = intensity_statistics(volume)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Two sections are kept, one is looked at; all 16 would be 8 MiB.
    assert peak < 7 * 2**20
    assert len(volume.reads) == 16 + 14
    assert found == reference_statistics(np.stack([volume[number] for number in range(16)]))


@pytest.mark.usefixtures("small_limits")
def test_blocks_stand_for_all_of_a_section():
    volume = Recorded((5, 300, 1000))
    sampled = intensity_statistics(volume)
    whole = reference_statistics(np.stack([volume[number] for number in range(5)]))
    assert sampled == pytest.approx(whole, rel=0.03)
    ends = PercentileIntensity(per_section=True).fit(volume)
    assert ends.lowest == pytest.approx(np.full(5, reference_percentiles(volume[0][None])[0]), abs=5)
    # An axis that is no longer than its blocks is whole.
    assert samples.sample_section(Recorded((1, 30, 1000)), 0).shape == (30, 32)


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize(
    "normaliser", [StandardiseIntensity(), PercentileIntensity(), PercentileIntensity(per_section=True)]
)
def test_values_that_are_not_finite_in_a_block_are_said_with_their_place(normaliser):
    volume = np.random.default_rng(0).random((2, 100, 80)).astype(np.float32)
    volume[1, 30:50, 25:35] = np.nan
    with pytest.raises(InputError, match=r"NaN or infinite, the first in section 1 at \(y, x\) = \(32, 25\)$"):
        normaliser.fit(volume)


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("normaliser", [StandardiseIntensity(), PercentileIntensity()])
def test_a_box_has_the_grey_values_of_the_whole_volume(tmp_path, normaliser):
    voxels = np.random.default_rng(0).integers(0, 255, (6, 100, 120)).astype(np.uint8)
    voxels[:, 60:] //= 2
    write_volume(tmp_path / "a.zarr", voxels, voxel_size_nm=(8, 8, 8))
    entry = {"image": str(tmp_path / "a.zarr")}
    boxes = [{"sections": [0, 2], "rows": [0, 50]}, {"sections": [3, 6], "rows": [60, 100], "columns": [20, 90]}]
    whole, *parts = (open_tissue([{**entry, **box}], intensity=normaliser)[0].intensity for box in ({}, *boxes))
    for part in parts:
        assert np.array_equal(part.apply(voxels), whole.apply(voxels))


@pytest.mark.usefixtures("small_limits")
def test_a_compressed_image_is_decoded_once_for_all_of_its_blocks(tmp_path, monkeypatch):
    voxels = np.random.default_rng(0).integers(0, 255, (3, 100, 120)).astype(np.uint8)
    write_volume(tmp_path / "sections", voxels, voxel_size_nm=(8, 8, 8))
    write_volume(tmp_path / "mapped.tif", voxels, voxel_size_nm=(8, 8, 8))
    assert not open_volume(tmp_path / "mapped.tif").decodes_sections
    volume = open_volume(tmp_path / "sections")
    assert volume.decodes_sections
    decoded = []
    decode = imagecodecs.png_decode
    monkeypatch.setattr(imagecodecs, "png_decode", lambda *args, **kw: decoded.append(1) or decode(*args, **kw))
    assert intensity_statistics(volume) == intensity_statistics(open_volume(tmp_path / "mapped.tif"))
    assert len(decoded) == 3
