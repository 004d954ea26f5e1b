"""A whole run: from affinities or other maps to an OME-Zarr of objects, block by block."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from distributed import Client

from sectome.blockwise.label_owner import OWNER, owned_labels
from sectome.blockwise.plan import Plan
from sectome.blockwise.predicted_maps import PredictedMaps
from sectome.blockwise.run_stage import run_stage
from sectome.blockwise.stages import stages_of
from sectome.checks import InputError
from sectome.fingerprint import fingerprint
from sectome.volumes import open_volume
from sectome.volumes.ome_zarr import find_image, write_group

_OUTPUT = "output"
"""Record in which a run keeps a fingerprint of its labels."""


def segment_blocks(plan: Plan, client: Client) -> int:
    """Run the remaining stages and return the number of objects; the output appears once it is complete.

    Raises:
        InputError: if the run's folder holds another plan or is in use, the output exists already or unfinished labels
            of another run do, or blocks failed because of their input.
        UnfinishedRunError: if blocks failed for other reasons, or the scheduler is gone.
    """
    check_output(plan)
    plan.folder.keep_plan(plan.description())
    with plan.folder.in_use():
        if not is_finished(plan):
            with owned_labels(plan):
                for stage in stages_of(plan):
                    run_stage(client, plan, stage)
                name = plan.output.name.split(".")[0]
                write_group(plan.partial_output, name, plan.placement, plan.grid.shape, True, _image_label(plan))
                plan.folder.record(_OUTPUT, 0, {"sample": np.array(_sample(plan.partial_output))})
                os.replace(plan.partial_output, plan.output)
        # Only after the rename, so that unfinished labels always have an owner.
        (plan.output / OWNER).unlink(missing_ok=True)
        for path in plan.scratch:
            shutil.rmtree(path, ignore_errors=True)
        return int(plan.folder.read("join", 0)["segments"])


def is_finished(plan: Plan) -> bool:
    """Return whether the output exists and belongs to this run."""
    if not plan.output.exists() or plan.partial_output.exists() or not plan.folder.is_done("join", 0):
        return False
    # Runs of earlier versions kept no fingerprint.
    return not plan.folder.is_done(_OUTPUT, 0) or str(plan.folder.read(_OUTPUT, 0)["sample"]) == _sample(plan.output)


def _sample(labels: Path) -> str:
    """Return a fingerprint of complete labels."""
    volume = open_volume(labels / "0")
    return fingerprint(volume.shape, lambda box: volume[tuple(box)])


def check_output(plan: Plan) -> None:
    """Raise an `InputError` if the output exists and is not of this run, or cannot be written."""
    if is_finished(plan):
        return
    if plan.output.exists():
        raise InputError(f"the output must not exist yet, got {plan.output}: remove it or name another")
    if plan.folder.done("relabel") and not (plan.partial_output / "0" / "zarr.json").is_file():
        raise InputError(
            f"expected the labels that the run in {plan.folder.path} has written at {plan.output}, got none: remove "
            "the run's folder to segment anew"
        )
    for folder in (plan.partial_output, plan.folder.path):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / ".writable").touch()
            (folder / ".writable").unlink()
        except OSError as error:
            raise InputError(f"expected a writable folder at {folder}, got: {error}") from None


def _image_label(plan: Plan) -> dict[str, Any]:
    """Return OME-Zarr's "image-label": the path of the source image if that is a local OME-Zarr, else empty."""
    if not isinstance(plan.source, PredictedMaps) or "://" in plan.source.volume:
        return {}
    volume = open_volume(plan.source.volume)
    image = find_image(volume.path, volume.dataset)
    if image is None:
        return {}
    # Resolve links: the operating system takes ".." relative to a link's target, not to the link.
    return {"source": {"image": os.path.relpath(os.path.realpath(image), os.path.realpath(plan.output))}}
