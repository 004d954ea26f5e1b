"""Ignite handlers and training settings that both bundles use."""

from sectome.training.autocast import AutocastInferer, check_learns_convolutions
from sectome.training.checkpoint import TrainingCheckpoint, save_atomically
from sectome.training.compile_network import compile_network, compile_prediction
from sectome.training.data_workers import end_with_training
from sectome.training.early_stopping import EarlyStopping
from sectome.training.failures import Failures, memory_advice
from sectome.training.fixed_seed import FixedSeed
from sectome.training.history import History, read_history
from sectome.training.mlflow_run import MLflowRun
from sectome.training.optimizer_settings import group_settings, optimizer_settings, schedule_settings
from sectome.training.optimizer_steps import OptimizerSteps
from sectome.training.parameter_groups import parameter_groups
from sectome.training.pictures import Picture, Pictures
from sectome.training.prepare_batch import PrepareBatch, augments_on_device
from sectome.training.processes import join_processes, sum_over_processes
from sectome.training.progress import Progress
from sectome.training.record_network import record_network
from sectome.training.run_record import RunRecord, write_arrays
from sectome.training.shared_batches import SharedBatches, gather_batches
from sectome.training.tensorboard_events import TensorBoardEvents
from sectome.training.tracked_scores import TrackedScores
from sectome.training.tracker import Tracker
from sectome.training.weight_average import WeightAverage

__all__ = [
    "AutocastInferer",
    "EarlyStopping",
    "Failures",
    "FixedSeed",
    "History",
    "MLflowRun",
    "OptimizerSteps",
    "Picture",
    "Pictures",
    "PrepareBatch",
    "Progress",
    "RunRecord",
    "SharedBatches",
    "TensorBoardEvents",
    "TrackedScores",
    "Tracker",
    "TrainingCheckpoint",
    "WeightAverage",
    "augments_on_device",
    "check_learns_convolutions",
    "compile_network",
    "compile_prediction",
    "end_with_training",
    "gather_batches",
    "group_settings",
    "join_processes",
    "memory_advice",
    "optimizer_settings",
    "parameter_groups",
    "read_history",
    "record_network",
    "save_atomically",
    "schedule_settings",
    "sum_over_processes",
    "write_arrays",
]
