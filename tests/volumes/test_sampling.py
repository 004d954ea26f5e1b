from __future__ import annotations

import numpy as np
import pytest

from sectome.volumes import open_volume, write_volume
from sectome.volumes.sampling import holds_labels, is_label_like, looks_like_labels, sampled_sections


@pytest.mark.parametrize(
    ("extent", "sections"), [(1, [0]), (3, [0, 1, 2]), (9, [0, 2, 4, 6, 8]), (100, [0, 25, 50, 74, 99])]
)
def test_sections_are_spread_from_the_first_to_the_last(extent, sections):
    assert sampled_sections(extent) == sections


def test_objects_look_like_labels_and_noise_does_not():
    labels = np.kron(np.arange(1, 13, dtype=np.uint8).reshape(3, 4), np.ones((8, 8), np.uint8))
    assert is_label_like(labels)
    assert is_label_like(np.zeros((8, 8), np.uint8))
    assert not is_label_like(np.random.default_rng(0).integers(1, 200, (32, 32), np.uint8))


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("bool", True), ("uint8", False), ("int8", False), ("uint16", True), ("uint64", True), ("float32", False)],
)
def test_noise_is_averaged_if_its_type_may_be(tmp_path, dtype, expected):
    noise = np.random.default_rng(0).integers(1, 100, (6, 16, 16)).astype(dtype)
    write_volume(tmp_path / "a.npz", noise)
    reader = open_volume(tmp_path / "a.npz")._open()
    assert holds_labels(reader.dtype, looks_like_labels(reader)) is expected


def test_only_the_middle_of_wide_sections_is_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr("sectome.volumes.sampling._MIDDLE", 8)
    values = np.random.default_rng(0).integers(1, 100, (6, 17, 40)).astype(np.uint8)
    values[:, 4:12, 16:24] = 3
    write_volume(tmp_path / "a.npz", values)
    assert looks_like_labels(open_volume(tmp_path / "a.npz")._open())
    values[:, 5, 16:24] = np.arange(8)
    values[:, 7:, 16:24] = np.arange(8)
    write_volume(tmp_path / "a.npz", values)
    assert not looks_like_labels(open_volume(tmp_path / "a.npz")._open())
