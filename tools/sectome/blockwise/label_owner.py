"""Ownership of unfinished labels by a single run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sectome.blockwise.plan import Plan
from sectome.checks import InputError
from sectome.file_lock import locked

OWNER = ".run"
"""File beside the labels: identity of the run, and the folder that it began in."""


@contextmanager
def owned_labels(plan: Plan) -> Iterator[None]:
    """Lock a run's unfinished labels for this process until the block ends, normally or not.

    A run relies on its records of written labels, so no other run may write there. A folder without labels is taken
    over.

    Raises:
        InputError: if the folder holds labels of another run, or another process has locked it.
    """
    partial, identity = plan.partial_output, plan.folder.identity()
    in_use = f"expected labels that no run is writing in {partial}, got labels that another run is writing"
    with locked(partial / OWNER, in_use) as file:
        file.seek(0)
        owner, _, began_in = file.read().partition("\n")
        if owner != identity:
            if any(partial.glob("[!.]*")):
                whose = f"of the run that began in {began_in}" if owner else "of an unknown run"
                raise InputError(
                    f"expected labels of the run in {plan.folder.path} in {partial}, got those {whose}: let that run "
                    f"finish, name another output, or remove {partial} to give that run up"
                )
            file.truncate(0)
            file.write(f"{identity}\n{plan.folder.path}")
            file.flush()
        yield
