"""Ignite handlers and settings that both bundles train with."""

from sectome.training.autocast import AutocastInferer
from sectome.training.checkpoint import TrainingCheckpoint, save_atomically
from sectome.training.failures import Failures, memory_advice
from sectome.training.fixed_seed import FixedSeed
from sectome.training.gradient_clipping import GradientClipping
from sectome.training.history import History, read_history
from sectome.training.parameter_groups import parameter_groups
from sectome.training.prepare_batch import PrepareBatch
from sectome.training.progress import Progress
from sectome.training.run_record import RunRecord, write_arrays, write_json

__all__ = [
    "AutocastInferer",
    "Failures",
    "FixedSeed",
    "GradientClipping",
    "History",
    "PrepareBatch",
    "Progress",
    "RunRecord",
    "TrainingCheckpoint",
    "memory_advice",
    "parameter_groups",
    "read_history",
    "save_atomically",
    "write_arrays",
    "write_json",
]
