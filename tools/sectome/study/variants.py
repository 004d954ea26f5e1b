"""The "vary" part of a declaration's entry: each value gives an arm, or a pre-training, of its own."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sectome.checks import InputError


@dataclass(frozen=True)
class Variant:
    """One varied value: its label, its number if all values are numbers, and its overrides.

    The default is the only variant of an entry that does not vary.
    """

    label: str = ""
    value: float | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def name(self, family: str) -> str:
        """Return the family's name with the label, if any, appended."""
        return f"{family}_{self.label}" if self.label else family


def read_variants(vary: Any, place: str) -> tuple[str, list[Variant]]:
    """Return the name of what varies, and its variants; an empty name and one variant without a "vary".

    Args:
        vary: {KEY: [VALUE, ...]} to override KEY with each value, or {WHAT: {NAME: {KEY: VALUE, ...}, ...}} to give
            overrides for each name.
        place: its entry, for the error message.

    Raises:
        InputError: if `vary` has neither form.
    """
    if vary is None:
        return "", [Variant()]
    if not isinstance(vary, Mapping) or len(vary) != 1:
        raise InputError(f"'vary' of {place} must hold one name with its values, got {vary!r}")
    ((what, values),) = vary.items()
    if isinstance(values, list):
        if len({str(value) for value in values}) < len(values):
            raise InputError(f"'vary' of {place} must give each value once, got {values!r}")
        values = {str(value): {what: value} for value in values}
    labels = re.compile(r"[\w.+=-]+")
    if (
        not isinstance(values, Mapping)
        or not values
        or not all(labels.fullmatch(label) and isinstance(part, Mapping) for label, part in values.items())
    ):
        raise InputError(f"'vary' of {place} must give {what!r} plain values, or names with overrides, got {values!r}")
    numbers = [_number(label) for label in values]
    plain = numbers if None not in numbers else [None] * len(numbers)
    return what, [Variant(label, number, part) for (label, part), number in zip(values.items(), plain, strict=True)]


def _number(label: str) -> float | None:
    # Python parses 4_16_16 as 41616, and "inf" and "nan" cannot be drawn on an axis.
    try:
        number = float(label)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in label else None
