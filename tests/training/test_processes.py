"""What several processes share; that they train as one is shown by the bundles' runs."""

from __future__ import annotations

import pytest
import torch

from sectome.checks import InputError
from sectome.training import join_processes, sum_over_processes


def test_the_sum_over_one_process_is_its_own_values():
    values = torch.ones(3, requires_grad=True)
    assert sum_over_processes(values) is values


def test_the_gradient_of_a_sum_is_as_great_as_averaging_it_over_processes_asks(monkeypatch):
    monkeypatch.setattr("sectome.training.processes.idist.get_world_size", lambda: 4)
    monkeypatch.setattr("sectome.training.processes.idist.all_reduce", lambda values: values + 10)
    values = torch.tensor([1.0, 2.0], requires_grad=True)
    total = sum_over_processes(values)
    total.square().sum().backward()
    assert total.tolist() == [11, 12]
    assert values.grad.tolist() == [4 * 2 * 11, 4 * 2 * 12]
    # The shared out crops of a validation are each process's own.
    with torch.no_grad():
        assert sum_over_processes(values) is values


def test_a_single_process_is_told_how_to_start_several(monkeypatch):
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with pytest.raises(InputError, match="must be started as several processes, got one; write torchrun"):
        join_processes()


def test_fewer_gpus_than_processes_are_refused(monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "2")
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(InputError, match=r"a GPU of its own, got 2 GPUs and process 2 \(counted from 0\)"):
        join_processes()
