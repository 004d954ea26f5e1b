"""A bar with rate and estimate for what takes longer than two seconds."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

DELAY_SECONDS = 2.0


def progress_bar(title: str, total: int | None, initial: int = 0) -> tqdm[Any]:
    """Return a bar that counts bytes; in a log, where nothing can be overdrawn, it moves every ten seconds.

    Args:
        title: What is going on.
        total: Bytes in all, None if that is not known.
        initial: Bytes that are there already and do not count for the rate.
    """
    return tqdm(
        desc=title,
        total=total,
        initial=initial,
        unit="B",
        unit_scale=True,
        delay=DELAY_SECONDS,
        mininterval=0.5 if sys.stderr.isatty() else 10.0,
    )
