"""A progress bar with rate and remaining time, for work that takes longer than two seconds."""

from __future__ import annotations

import sys
from typing import Any

from tqdm import tqdm

DELAY_SECONDS = 2.0


def progress_bar(title: str, total: int | None, initial: int = 0) -> tqdm[Any]:
    """Return a bar that counts bytes; in a log, where lines cannot be overwritten, it updates every ten seconds.

    Args:
        title: Name of the work.
        total: Bytes in total, None if unknown.
        initial: Bytes that are already there and do not count towards the rate.
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
