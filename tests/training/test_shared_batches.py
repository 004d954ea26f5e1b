"""Batches shared out over processes are those of one; that their results are too is shown by the bundles' runs."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ignite.engine import Engine
from torch.utils.data import DataLoader

from sectome.checks import InputError
from sectome.training import FixedSeed, SharedBatches, gather_batches


def batches(count, batch_size, process, processes):
    samples = list(range(count))
    sampler = SharedBatches(samples, batch_size, process, processes)
    loaded = [batch.tolist() for batch in DataLoader(samples, batch_size=batch_size, sampler=sampler)]
    assert len(sampler) == sum(map(len, loaded))
    return loaded


@given(st.integers(1, 30), st.integers(1, 7), st.integers(1, 5))
def test_the_batches_of_all_processes_are_those_of_one(count, batch_size, processes):
    whole = batches(count, batch_size, 0, 1)
    assert [number for batch in whole for number in batch] == list(range(count))
    if len(whole) < processes:
        with pytest.raises(InputError, match=rf"one per process\) must be a number of at least {processes}, got"):
            batches(count, batch_size, 0, processes)
        return
    shares = [batches(count, batch_size, process, processes) for process in range(processes)]
    assert [shares[number % processes][number // processes] for number in range(len(whole))] == whole


def test_one_process_has_its_results_already():
    assert gather_batches(["a", "b"]) == ["a", "b"]


def test_a_batch_has_the_same_random_numbers_in_whichever_process_it_is(monkeypatch):
    def drawn(count, process, processes):
        monkeypatch.setattr("sectome.training.fixed_seed.idist.get_rank", lambda: process)
        monkeypatch.setattr("sectome.training.fixed_seed.idist.get_world_size", lambda: processes)
        numbers = []
        engine = Engine(lambda engine, batch: numbers.append(float(torch.rand(1))))
        FixedSeed(3).attach(engine)
        engine.run([0] * count)
        return numbers

    whole = drawn(5, 0, 1)
    assert len(set(whole)) == 5
    assert drawn(3, 0, 2) == whole[::2]
    assert drawn(2, 1, 2) == whole[1::2]
