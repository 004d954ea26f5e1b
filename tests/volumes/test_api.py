from __future__ import annotations

from sectome import volumes


def test_the_public_names_are_sorted_and_exist():
    assert volumes.__all__ == sorted(volumes.__all__)
    assert all(getattr(volumes, name).__module__.startswith("sectome.volumes.") for name in volumes.__all__)
