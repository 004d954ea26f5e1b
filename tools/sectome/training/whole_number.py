"""A check for options that count something."""

from __future__ import annotations

from sectome.checks import InputError


def check_whole_number(value: int, least: int, name: str) -> int:
    """Return a whole number that is not below `least`, or raise an `InputError` that calls it `name`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{name} must be a whole number from {least} on, got {value!r}")
    return value
