"""What an entry of a declaration varies: each value makes an arm, or a pre-training, of its own."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sectome.checks import InputError


@dataclass(frozen=True)
class Variant:
    """One value: what it is called, the number if all of them are numbers, and what it overrides.

    Without any it is the only variant of what does not vary.
    """

    label: str = ""
    value: float | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def name(self, family: str) -> str:
        """Return the family's name with the value's."""
        return f"{family}_{self.label}" if self.label else family


def read_variants(vary: Any, place: str) -> tuple[str, list[Variant]]:
    """Return what varies and its variants; nothing and one variant where there is no "vary".

    Args:
        vary: {KEY: [VALUE, ...]} overrides KEY by each value; {WHAT: {NAME: {KEY: VALUE, ...}, ...}} has overrides for
            each name.
        place: whose it is, for the error.

    Raises:
        InputError: if it is neither.
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
    # Python reads 4_16_16 as 41616, and "inf" and "nan" have no place on an axis.
    try:
        number = float(label)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in label else None
