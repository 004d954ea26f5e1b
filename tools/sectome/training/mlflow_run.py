"""A run's numbers, settings, pictures and files in an MLflow store: one MLflow run per run folder."""

from __future__ import annotations

import atexit
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import ignite.distributed as idist
from monai.bundle.utils import DEFAULT_MLFLOW_SETTINGS
from monai.utils import path_to_uri

from sectome.checks import InputError, first_line
from sectome.json_object import read_object, write_json
from sectome.trained_settings import settings_path
from sectome.training.tracker import Pixels, Row, flat_settings

SQLITE = "sqlite:///"

REQUEST = 1000
"""Maximum number of metrics that MLflow takes per request."""

LONGEST_VALUE = 6000
"""Maximum length of a parameter's text; MLflow itself would cut a longer one with a warning."""


class MLflowRun:
    """Record a training in an MLflow run.

    MONAI's own handler waits for the store in each iteration, joins any unfinished run of the experiment, and logs some
    iterations twice after a resume. This one logs a whole epoch once its checkpoint is written, and finds its MLflow
    run by `mlflow.json` in the run's folder. Numbers that a store cannot take are queued and sent later, while training
    goes on.

    Args:
        output_dir: folder of the run.
        ckpt_dir: folder of `model.pt`.
        tracking_uri: URI of the store; the environment variable `MLFLOW_TRACKING_URI` overrides it, as in MONAI.
        experiment_name: experiment, created if missing; None takes that of the folder's run, or MONAI's default.
        run_name: name of a new run, or new name of a resumed one; None names a new one after the folder.
        config: the run's whole config as JSON, kept as `config.json`.

    Raises:
        InputError: if the URI is that of a folder, which MLflow no longer supports, or a server does not answer.
    """

    def __init__(
        self,
        output_dir: str,
        ckpt_dir: str,
        tracking_uri: str,
        experiment_name: str | None = None,
        run_name: str | None = None,
        config: str = "{}",
    ) -> None:
        self.output_dir = Path(output_dir)
        self.model = Path(ckpt_dir) / "model.pt"
        self.uri = os.environ.get("MLFLOW_TRACKING_URI") or tracking_uri
        if "://" not in self.uri or self.uri.startswith("file:"):
            raise InputError(
                f"--tracking_uri must be that of a database (sqlite:////folder/mlruns.db) or a server, got {self.uri}"
            )
        self.database = Path(unquote(self.uri.removeprefix(SQLITE))) if self.uri.startswith(SQLITE) else None
        self.run_name = run_name
        self.config = config
        self.path = self.output_dir / "mlflow.json"
        known = read_object(self.path).get("experiment_name")
        self.experiment_name = str(experiment_name or known or DEFAULT_MLFLOW_SETTINGS["configs"]["experiment_name"])
        self.client: Any = None
        self.run_id = ""
        self.pending: list[Row] = []
        if self.database is None and idist.get_rank() == 0:
            # Before anything is written. A database would already be created by this.
            self.connect()

    def start(self, rows: Sequence[Row], iteration: int) -> None:
        """Open the MLflow run, and send it the rows that it does not have yet.

        Raises:
            InputError: if the store cannot be used.
        """
        self.open(anew=not iteration)
        told = max((point.step for point in self.client.get_metric_history(self.run_id, "loss")), default=0)
        self.pending = [row for row in rows if row[0] > told]
        self.settle()

    def open(self, anew: bool = False) -> None:
        """Find or create the MLflow run.

        Args:
            anew: create another run if the folder's one has metrics already.

        Raises:
            InputError: if the store cannot be used.
        """
        self.connect()
        with self.explained():
            self.run_id = self.find(anew) or self.make()
            self.log_settings()
        store = {"tracking_uri": self.uri, "experiment_name": self.experiment_name, "run_id": self.run_id}
        write_json(store, self.path)
        atexit.register(self.close, "FAILED")
        name = self.client.get_run(self.run_id).info.run_name
        print(f"track as {name} of the experiment {self.experiment_name} in {self.uri}", flush=True)

    def connect(self) -> None:
        """Create the client, and the database if it is missing.

        Raises:
            InputError: if the store cannot be used.
        """
        # By default, MLflow sends telemetry to its makers, and waits minutes for a server that does not answer.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
        from mlflow import MlflowClient

        with self.explained():
            if self.database is not None:
                self.database.parent.mkdir(parents=True, exist_ok=True)
            self.client = MlflowClient(self.uri)
            self.client.search_experiments(max_results=1)

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Turn errors of the store into an `InputError` inside this context."""
        from mlflow.exceptions import MlflowException

        try:
            yield
        except InputError:
            raise
        except (MlflowException, OSError, ValueError, ImportError) as error:
            raise InputError(
                f"--tracking_uri must name a store that MLflow can use, got {self.uri}: {first_line(error)}"
            ) from None

    def find(self, anew: bool) -> str:
        """Return the id of the folder's MLflow run, and mark it as running; empty if there is none to continue."""
        from mlflow.exceptions import MlflowException

        known = read_object(self.path)
        if not anew and known.get("tracking_uri", self.uri) != self.uri:
            warnings.warn(
                f"{self.path} names a run in {known['tracking_uri']}, got --tracking_uri {self.uri}, where a new one "
                "is made",
                UserWarning,
                stacklevel=2,
            )
        if (known.get("tracking_uri"), known.get("experiment_name")) != (self.uri, self.experiment_name):
            return ""
        try:
            run = self.client.get_run(known["run_id"])
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return ""
        if run.info.lifecycle_stage != "active" or (anew and run.data.metrics):
            return ""
        self.client.update_run(run.info.run_id, status="RUNNING", name=self.run_name or run.info.run_name)
        return str(run.info.run_id)

    def make(self) -> str:
        """Create an MLflow run and return its id."""
        experiment = self.client.get_experiment_by_name(self.experiment_name)
        if experiment is None:
            # A database holds no files: as in MONAI, they lie in a folder beside it.
            files = None if self.database is None else path_to_uri(self.database.parent / "mlruns")
            number = self.client.create_experiment(self.experiment_name, artifact_location=files)
        elif experiment.lifecycle_stage != "active":
            raise InputError(f"the experiment {self.experiment_name} was deleted; restore it or name another")
        else:
            number = experiment.experiment_id
        name = self.run_name or self.output_dir.resolve().name
        return str(self.client.create_run(number, run_name=name).info.run_id)

    def log_settings(self) -> None:
        """Log the settings that the MLflow run does not have yet, and the config."""
        from mlflow.entities import Param

        known = self.client.get_run(self.run_id).data.params
        settings = flat_settings(self.output_dir)
        new = [Param(name, value[:LONGEST_VALUE]) for name, value in settings.items() if name not in known]
        self.client.log_batch(self.run_id, params=new)
        self.client.log_text(self.run_id, self.config, "config.json")

    def log_numbers(self, rows: Sequence[Row]) -> None:
        """Queue rows until they are settled, because the store cannot take them back."""
        self.pending += rows

    def log_picture(self, name: str, pixels: Pixels, iteration: int) -> None:
        """Log a picture; it is dropped if the store cannot be reached."""
        self.send(self.client.log_image, pixels, key=name, step=iteration)

    def settle(self) -> None:
        """Send the queued rows."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        points = [Metric(name, value, now, iteration) for iteration, _, name, value in self.pending]
        while points and self.send(self.client.log_batch, metrics=points[:REQUEST]):
            del points[:REQUEST], self.pending[:REQUEST]

    def finish(self) -> None:
        """Send the queued rows, the model and the run's records, and end the MLflow run."""
        self.settle()
        model = [self.model, settings_path(self.model)]
        self.log_files([path for path in model if path.is_file()], "model")
        self.log_files([self.output_dir / "run.json", self.output_dir / "history.csv"])
        self.close()

    def log_files(self, paths: Sequence[Path], folder: str | None = None) -> None:
        """Log copies of files."""
        for path in paths:
            self.send(self.client.log_artifact, str(path), folder)

    def close(self, status: str = "FINISHED") -> None:
        """End the MLflow run; at the program's exit, a run that is not ended yet is marked as failed."""
        atexit.unregister(self.close)
        self.send(self.client.set_terminated, status)

    def send(self, request: Callable[..., Any], *arguments: Any, **options: Any) -> bool:
        """Make a request for the MLflow run; if it fails, warn and return False."""
        from mlflow.exceptions import MlflowException

        try:
            request(self.run_id, *arguments, **options)
        except (MlflowException, OSError) as error:
            warnings.warn(
                f"could not report the run to {self.uri}, training continues: {first_line(error)}",
                UserWarning,
                stacklevel=2,
            )
            return False
        return True
