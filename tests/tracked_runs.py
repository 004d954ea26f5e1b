"""Reading back what a run told TensorBoard and MLflow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData


def tensorboard_events(folder: Path) -> Any:
    """Return the events of a run's folder, all of them."""
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    return events


def tensorboard_curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return (step, value) of each scalar, in single precision as events are."""
    events = tensorboard_events(folder)
    return {name: [(one.step, one.value) for one in events.Scalars(name)] for name in events.Tags()["scalars"]}


def tensorboard_settings(folder: Path) -> dict[str, str]:
    """Return the settings of a run's folder."""
    content = tensorboard_events(folder).SummaryMetadata("_hparams_/session_start_info").plugin_data.content
    return {
        name: one.string_value for name, one in HParamsPluginData.FromString(content).session_start_info.hparams.items()
    }


def mlflow_curves(client: Any, run_id: str) -> dict[str, list[tuple[int, float]]]:
    """Return (step, value) of each metric of a run, in the order of their telling."""
    names = client.get_run(run_id).data.metrics
    return {name: [(one.step, one.value) for one in client.get_metric_history(run_id, name)] for name in names}
