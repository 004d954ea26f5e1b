"""Differences between two settings, for messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def differences(before: Any, now: Any, place: str = "") -> Iterator[str]:
    """Yield "name 1, got 2" for each plain value that differs; a nested value has the names on its path."""
    if _lists_of_mappings(before, now):
        before, now = dict(enumerate(before)), dict(enumerate(now))
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in dict.fromkeys([*before, *now]):
            if before.get(key) != now.get(key):
                yield from differences(before.get(key), now.get(key), f"{place} {key}".strip())
    else:
        yield f"{place} {before!r}, got {now!r}"


def _lists_of_mappings(before: Any, now: Any) -> bool:
    lists = isinstance(before, list) and isinstance(now, list) and len(before) == len(now)
    return lists and all(isinstance(one, Mapping) for one in [*before, *now])
