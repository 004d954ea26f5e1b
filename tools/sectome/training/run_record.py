"""Record of a run: settings, network size and versions, for the report and for bug reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import numpy as np
import torch
from ignite.engine import Engine, Events

from sectome.json_object import write_json
from sectome.replace import replacing


def write_arrays(arrays: Mapping[str, Any], path: str | Path) -> None:
    """Write a compressed npz file atomically."""
    with replacing(Path(path)) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)


def remove_outdated(paths: Iterable[Path]) -> None:
    """Remove the files that exist, and print their paths."""
    found = [path for path in paths if path.is_file()]
    for path in found:
        path.unlink()
    if found:
        print(f"removed {', '.join(map(str, found))}, which described older weights; evaluate again", flush=True)


class RunRecord:
    """Write `run.json` into a run's folder when the run starts.

    Evaluation files of an earlier run are removed first: beside new settings, they would seem to belong to these.

    Args:
        output_dir: folder of the run.
        bundle: name of the bundle.
        settings: plain values of the config.
        network: its parameters are counted.
        outdated: files of an evaluation; a resumed run keeps them until its weights change.
    """

    def __init__(
        self,
        output_dir: str,
        bundle: str,
        settings: Mapping[str, Any],
        network: torch.nn.Module,
        outdated: Sequence[str] = (),
    ) -> None:
        self.path = Path(output_dir) / "run.json"
        self.outdated = [Path(path) for path in outdated]
        self.content = {
            "bundle": bundle,
            "settings": dict(settings),
            "processes": idist.get_world_size(),
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "versions": {name: version(name) for name in ("sectome", "monai", "torch", "numpy")},
        }

    def attach(self, engine: Engine) -> None:
        """Write once, in the first of several processes."""
        if idist.get_rank():
            return
        engine.add_event_handler(Events.STARTED, self.write)

    def write(self, engine: Engine) -> None:
        """Write the file."""
        if not engine.state.iteration:
            remove_outdated(self.outdated)
        write_json(self.content, self.path)
