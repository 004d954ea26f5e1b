"""How many runs are on at once, and with what each of them may compute."""

from __future__ import annotations

import pytest

from sectome.checks import InputError
from sectome.study import places as module
from sectome.study.places import places


@pytest.fixture(autouse=True)
def four_cores(monkeypatch):
    monkeypatch.setattr(module, "cores", lambda: 4)
    monkeypatch.setattr(module, "visible_gpus", list)
    monkeypatch.delenv("OMP_NUM_THREADS")


def test_a_core_takes_a_run_of_one_thread(monkeypatch):
    assert places() == [{"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}] * 4
    assert len(places(3)) == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert places() == [{"OMP_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2"}] * 2
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    assert len(places()) == 1


@pytest.mark.parametrize(("said", "count"), [("", 4), ("2,1", 2), ("0", 4)])
def test_the_number_of_threads_may_be_empty_or_a_list(monkeypatch, said, count):
    monkeypatch.setenv("OMP_NUM_THREADS", said)
    assert len(places()) == count


def test_a_number_of_threads_that_is_none_is_refused(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "all")
    with pytest.raises(InputError, match="OMP_NUM_THREADS must be a whole number of at least 1, got 'all'"):
        places()


def test_a_gpu_takes_a_run(monkeypatch):
    monkeypatch.setattr(module, "visible_gpus", lambda: ["0", "3"])
    assert places() == [{"CUDA_VISIBLE_DEVICES": "0"}, {"CUDA_VISIBLE_DEVICES": "3"}]
    assert [place["CUDA_VISIBLE_DEVICES"] for place in places(3)] == ["0", "3", "0"]


def test_gpus_are_called_as_the_user_has_called_them(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert module.visible_gpus() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,GPU-7")
    assert module.visible_gpus() == ["2", "GPU-7"]
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert module.visible_gpus() == []


@pytest.mark.parametrize("jobs", [0, 1.5, True])
def test_no_whole_number_at_once_is_refused(jobs):
    with pytest.raises(InputError, match=f"jobs must be a whole number of at least 1, got {jobs}"):
        places(jobs)
