"""Running the blocks of a stage on the workers of a Dask cluster."""

from __future__ import annotations

from concurrent.futures import CancelledError
from itertools import islice
from typing import Any

from distributed import Client, as_completed
from tqdm import tqdm

from sectome.blockwise.plan import Plan
from sectome.blockwise.stages import OtherVersionError, Stage, do_block
from sectome.checks import InputError

ATTEMPTS = 3
"""Attempts per block before it counts as failed."""

HOPELESS = 10
"""A stage stops if this many blocks fail before any succeeds: the cause will affect the others too."""

_TASKS_PER_THREAD, _LEAST_TASKS = 3, 4


class UnfinishedRunError(RuntimeError):
    """A run could not be finished; finished blocks are kept, and the message says how to resume."""


def run_stage(client: Client, plan: Plan, stage: Stage) -> None:
    """Run all blocks of a stage that are not done yet.

    Only a few tasks per current worker are submitted at a time, so the number of blocks does not burden the scheduler,
    and workers may come and go. A failed block is retried on any worker while the others continue.

    Raises:
        UnfinishedRunError: if blocks failed in every attempt, once all others are done or the first `HOPELESS` failed;
            or if the scheduler is gone.
        InputError: the same, if a block failed because of its input; at once if a worker has another version of
            sectome.
    """
    done = plan.folder.done(stage.name)
    if stage.prepare is not None:
        stage.prepare(plan)
    waiting = iter(number for number in range(stage.blocks) if number not in done)
    failures: dict[int, int] = {}
    lost: dict[int, str] = {}
    lost_to: type[Exception] = UnfinishedRunError
    is_any_done = bool(done)
    of_future: dict[Any, int] = {}
    running = as_completed(raise_errors=False)

    def start(number: int) -> None:
        future = client.submit(
            do_block, plan, stage, number, pure=False, resources=dict(stage.resources) or None, key=None
        )
        of_future[future.key] = number
        running.add(future)

    def start_waiting() -> None:
        for number in islice(waiting, max(0, _tasks_at_once(client) - len(of_future))):
            start(number)

    with tqdm(
        total=stage.voxels / 1e6, desc=stage.name, unit="Mvoxel", disable=None, mininterval=1, bar_format=_BAR
    ) as bar:
        share = stage.voxels / 1e6 / stage.blocks
        bar.update(share * len(done))
        start_waiting()
        for future in running:
            number = of_future.pop(future.key)
            error = _error_of(client, future)
            if isinstance(error, OtherVersionError):
                raise error
            if error is None:
                is_any_done = True
                bar.update(share)
            elif (failed := failures.pop(number, 0) + 1) < ATTEMPTS:
                failures[number] = failed
                start(number)
            else:
                lost[number] = _said(error)
                if isinstance(error, InputError):
                    lost_to = InputError
                if len(lost) >= HOPELESS and not is_any_done:
                    break
            start_waiting()
    if lost:
        raise lost_to(_sentence(stage, lost, is_any_done))


_BAR = "{desc}: {percentage:3.0f}%|{bar}| {n:.0f}/{total:.0f} {unit} [{elapsed}<{remaining}, {rate_fmt}]"

_GONE = "the scheduler is gone; run the same command again to continue"


def _tasks_at_once(client: Client) -> int:
    """Return how many tasks to keep at the scheduler for the current workers; raise if the scheduler is gone."""
    try:
        threads = sum(client.nthreads().values())
    except (OSError, AttributeError):  # a client that has closed itself has no connection to ask through
        raise UnfinishedRunError(_GONE) from None
    return max(_LEAST_TASKS, _TASKS_PER_THREAD * threads)


def _error_of(client: Client, future: Any) -> BaseException | None:
    """Return the exception of a block, or None; raise if the scheduler is gone."""
    if client.status not in ("running", "connecting") or future.status in ("cancelled", "lost"):
        raise UnfinishedRunError(_GONE)
    try:
        error = future.exception(timeout=30)
    except (CancelledError, TimeoutError):
        raise UnfinishedRunError(_GONE) from None
    return error if isinstance(error, BaseException) else None


def _sentence(stage: Stage, lost: dict[int, str], is_any_done: bool) -> str:
    """Return a message with the first ten failed blocks and their errors."""
    lines = [f"block {number}: {said}" for number, said in sorted(lost.items())[:10]]
    more = f"\nand {len(lost) - 10} more" if len(lost) > 10 else ""
    others = (
        "all other blocks are done, and the same command tries these again"
        if is_any_done or len(lost) == stage.blocks
        else "none succeeded, so the others were not tried, and the same command tries all of them again"
    )
    return (
        f"{len(lost)} of {stage.blocks} blocks of the stage {stage.name} failed {ATTEMPTS} times each; {others}:\n"
        + "\n".join(lines)
        + more
    )


def _said(error: BaseException) -> str:
    """Return what is shown of an exception: an `InputError`'s sentence, else type and text."""
    return str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}"
