"""Locks on the folders that a training writes to, so that files of another one do not mix with its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import ignite.distributed as idist
from ignite.engine import Engine, Events

from sectome.checks import InputError
from sectome.file_lock import locked

LOCK: Final = ".training"
_held: dict[Path, ExitStack] = {}


def hold_folders(engine: Engine, **folders: Path) -> None:
    """Lock folders until a training has completed; after a failed one, until its process ends.

    The same process may use its locked folders again, to repeat a training that failed. Of several processes, the first
    locks them for all.

    Args:
        engine: engine of the training.
        **folders: folders by the names of their options; created if missing.

    Raises:
        InputError: if another process trains into one of them.
    """
    refused = None
    if idist.get_rank() == 0:
        try:
            _hold(engine, folders)
        except InputError as error:
            refused = error
    if idist.all_reduce(int(refused is not None)):
        raise refused or InputError(
            "the first process must be able to lock the folders of a training, got one that could not"
        )


def _hold(engine: Engine, folders: Mapping[str, Path]) -> None:
    paths, locks = [], ExitStack()
    for name, folder in folders.items():
        folder.mkdir(parents=True, exist_ok=True)
        path = folder.resolve() / LOCK
        paths.append(path)
        if path in _held:
            continue
        in_use = (
            f"--{name} must be a folder that no other training uses, got {folder}, where another one is running; wait "
            "until it ends, or name another"
        )
        try:
            locks.enter_context(locked(path, in_use, must_lock=False))
        except InputError:
            locks.close()
            raise
        _held[path] = locks
        locks.callback(_held.pop, path)
        locks.callback(path.unlink, missing_ok=True)
    engine.add_event_handler(Events.COMPLETED, _release, paths)


def _release(paths: Iterable[Path]) -> None:
    for path in paths:
        if path in _held:
            _held[path].close()
