"""The one process that may use tensorstore.

tensorstore keeps threads, which a fork does not copy: a child that uses it after its parent did is aborted by the
library. Opening a zarr volume therefore reads JSON only, and a forked child may read voxels as long as its parent has
not. Where the parent has, the child gets a sentence in place of the abort.
"""

from __future__ import annotations

import os
from typing import Any

import tensorstore as ts

from sectome.checks import InputError

_process: int | None = None


def open_store(spec: dict[str, Any], **options: Any) -> Any:
    """Open a tensorstore.

    Raises:
        InputError: If this process was forked from one that used tensorstore.
    """
    check_not_forked()
    return ts.open(spec, **options).result()


def check_not_forked() -> None:
    """Raise an `InputError` if this process was forked from one that used tensorstore."""
    global _process
    if _process not in (None, os.getpid()):
        raise InputError(
            "expected a process that was not forked after reading or writing zarr, got one that was: start the "
            "workers with multiprocessing_context='forkserver' or 'spawn', or first read inside of them"
        )
    _process = os.getpid()
