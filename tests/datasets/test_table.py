"""The table of public sets: what must hold for every entry."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sectome.datasets import ALL_SETS


@pytest.mark.parametrize("name", sorted(ALL_SETS))
def test_an_entry_is_complete(name):
    public = ALL_SETS[name]
    assert public.name == name
    assert public.terms
    assert public.citation
    assert public.traps
    assert all(length > 0 for length in public.voxel_size_nm)
    for archive in public.archives:
        assert re.fullmatch(r"sha256:[0-9a-f]{64}|md5:[0-9a-f]{32}", archive.checksum)
        assert re.fullmatch(r"https?://.+", archive.url)
        assert archive.name in archive.url
        assert archive.nbytes > 0
    assert any(volume.ids for volume in public.volumes)
    assert len({volume.path for volume in public.volumes}) == len(public.volumes)


@pytest.mark.parametrize("name", sorted(ALL_SETS))
def test_the_page_of_the_sets_says_what_the_table_says(name):
    page = " ".join((Path(__file__).parents[2] / "docs/datasets.md").read_text().split())
    public = ALL_SETS[name]
    voxel_size = " x ".join(f"{length:g}" for length in public.voxel_size_nm)
    shapes = {"x".join(map(str, volume.shape)) for volume in public.volumes}
    expected = [f"`{name}`", voxel_size, public.terms, public.citation, *shapes]
    assert [text for text in expected if text not in page] == []
    assert [volume.path for volume in public.volumes if volume.file.split("_20160501")[-1] not in page] == []


def test_disk_is_counted_for_what_is_unpacked_and_written():
    mitoem = ALL_SETS["mitoem_r"]
    assert 40e9 < mitoem.download_bytes + mitoem.unpacked_bytes < 50e9
    cremi = ALL_SETS["cremi"]
    assert cremi.unpacked_bytes == cremi.download_bytes
