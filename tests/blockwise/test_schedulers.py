"""Where blocks are worked on: how many workers are started for it."""

from __future__ import annotations

import pytest
from distributed import LocalCluster

from sectome.blockwise import connected
from sectome.blockwise.schedulers import workers_of


@pytest.mark.parametrize(("workers", "jobs"), [(None, 1), (12, 12)])
def test_a_batch_system_is_asked_for_as_many_jobs_as_are_forecast(monkeypatch, workers, jobs):
    asked = []

    class BatchCluster(LocalCluster):
        """A cluster that starts nothing, and notes how many jobs it is asked for."""

        def scale(self, n=0, jobs=0):
            asked.append(jobs)

    monkeypatch.setattr(
        "sectome.blockwise.schedulers._batch_cluster",
        lambda *_: BatchCluster(n_workers=0, processes=False, dashboard_address=":0"),
    )
    with connected("slurm", workers):
        assert asked == [jobs]
    assert workers_of("slurm", workers) == jobs
