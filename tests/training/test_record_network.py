"""What can not be recorded as CUDA graphs is said before anything is trained; see tests/bundles/test_on_a_gpu.py."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sectome.checks import InputError
from sectome.training import record_network

SHAPE = (1, 1, 4, 4, 4)


def test_a_network_is_recorded_on_a_gpu_only():
    with pytest.raises(InputError, match="device must be a CUDA GPU for cuda_graph, got cpu"):
        record_network(nn.Identity(), SHAPE, torch.device("cpu"), "auto")


def test_accumulated_gradients_are_refused():
    with pytest.raises(InputError, match="accumulation_steps must be 1 for cuda_graph, got 2"):
        record_network(nn.Identity(), SHAPE, torch.device("cuda"), "auto", accumulation_steps=2)
