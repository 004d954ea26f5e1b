"""Suggestions for unknown names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ", did you mean 'NEAREST'?" to end a sentence, or "" if no known name is near."""
    match = difflib.get_close_matches(name, list(known), n=1)
    return f", did you mean {match[0]!r}?" if match else ""


def nearest_or_all(name: str, known: Iterable[str]) -> str:
    """Return the result of `did_you_mean`, or ", expected one of A, B" if no known name is near."""
    names = list(dict.fromkeys(known))
    return did_you_mean(name, names) or f", expected one of {', '.join(names)}"
