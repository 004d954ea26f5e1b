"""The blocks of a stage on workers that come late."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from distributed import Client, LocalCluster

from sectome.blockwise.run_stage import ATTEMPTS, HOPELESS, run_stage
from sectome.blockwise.stages import Stage
from sectome.checks import InputError

WORKERS = 8


class Meeting:
    """Blocks that wait for each other, in the threads of one process."""

    def __init__(self, more_workers: Callable[[], None], expected: int) -> None:
        self.more_workers = more_workers
        self.expected = expected
        self.begun: list[int] = []
        self.waiting: set[int] = set()
        self.most_at_once = 0
        self.over = threading.Event()

    def attend(self, number: int) -> None:
        """Have the first block fetch more workers, and the others wait until enough of them do, or 30 s."""
        self.begun.append(number)
        if len(self.begun) == 1:
            self.more_workers()
            return
        self.waiting.add(number)
        self.most_at_once = max(self.most_at_once, len(self.waiting))
        if self.most_at_once < self.expected:
            self.over.wait(30)
        self.over.set()
        self.waiting.remove(number)


meetings: list[Meeting] = []


def attend(plan, number):
    """Be the work of a stage, which can be pickled."""
    meetings[-1].attend(number)
    return {}


@pytest.fixture
def one_worker():
    """Give a cluster of one worker, which runs in this process, and a client of it."""
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, memory_limit=0, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        yield cluster, client


def test_workers_that_join_while_a_stage_runs_are_given_blocks(plan_of, one_worker):
    cluster, client = one_worker
    plan = plan_of()
    plan.folder.path.mkdir()

    def more_workers():
        cluster.scale(WORKERS)
        client.wait_for_workers(WORKERS)

    # For one worker four blocks are begun at a time.
    meetings.append(Meeting(more_workers, expected=5))
    run_stage(client, plan, Stage("attend", 40, attend, 40))
    assert meetings[-1].most_at_once >= 5
    assert plan.folder.done("attend") == set(range(40))


begun: Counter[int] = Counter()


def refuse_all(plan, number):
    """Be a stage whose input no block can use."""
    begun[number] += 1
    raise InputError("expected a model of affinities, got one of maps")


def refuse_all_but_the_first(plan, number):
    """Be a stage of which one block can be done."""
    return {} if number == 0 else refuse_all(plan, number)


def test_a_mistake_that_hits_each_block_ends_a_stage_before_all_are_tried(plan_of, one_worker):
    plan = plan_of()
    plan.folder.path.mkdir()
    begun.clear()
    with pytest.raises(InputError) as raised:
        run_stage(one_worker[1], plan, Stage("refuse", 400, refuse_all, 400))
    assert len(begun) < 400 / 4
    said = str(raised.value)
    assert f"{HOPELESS} of 400 blocks of the stage refuse failed {ATTEMPTS} times each; none succeeded, so the" in said
    assert said.count("expected a model of affinities, got one of maps") == HOPELESS


def test_where_one_block_could_be_done_all_others_are_tried(plan_of, one_worker):
    plan = plan_of()
    plan.folder.path.mkdir()
    begun.clear()
    with pytest.raises(
        InputError, match="39 of 40 blocks of the stage refuse failed 3 times each; all other blocks are done"
    ):
        run_stage(one_worker[1], plan, Stage("refuse", 40, refuse_all_but_the_first, 40))
    assert begun == Counter(dict.fromkeys(range(1, 40), ATTEMPTS))
    assert plan.folder.done("refuse") == {0}
