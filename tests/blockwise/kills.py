"""Runs that are disturbed at a chosen time, and go on; used by the tests, and by a benchmark in greater numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from blockwise.cluster_processes import Cluster, check_nothing_twice, kill, lines_of, start_client, wait_for

EVENTS = ("worker", "scheduler", "client", "full disk", "unreadable chunk", "local client")


NEURONS: Mapping[str, Any] = {"context_voxels": [12, 24, 24]}
"""Settings of the runs on affinities."""


def disturbed_run(
    event: str, after_lines: int, source: Path, folder: Path, given_as: str = "affinities", **settings: Any
) -> Path:
    """Disturb a run after so many lines of its log, let it go on, and return its output.

    Args:
        event: one of `EVENTS`.
        after_lines: of the log.
        source: the folder of affinities or maps.
        folder: of the run.
        given_as: the setting that names the source.
        settings: of the run.

    Raises:
        AssertionError: if a process stays, a block is done twice, or the run does not end as it should.
    """
    folder.mkdir(parents=True)
    config, output, run = folder / "config.json", folder / "out.ome.zarr", folder / "out.ome.zarr.run"
    places = {given_as: str(source), "output": str(output), "block_voxels": [32, 128, 64]}
    config.write_text(json.dumps({**places, **settings}))
    _EVENTS[event](after_lines, source, config, run)
    if not output.exists():
        with Cluster(folder / "again") as cluster:
            again = start_client(config, "--scheduler", str(cluster.file), log=folder / "again.txt")
            assert again.wait(120) == 0, (folder / "again.txt").read_text()
    check_nothing_twice(run)
    assert output.is_dir()
    return output


def _with_cluster(then: Callable[[Cluster, object], None], lines: int, config: Path, run: Path) -> int:
    """Disturb a run on a cluster when its log has so many lines, and return how it ended."""
    with Cluster(config.parent / "cluster") as cluster:
        client = start_client(config, "--scheduler", str(cluster.file), log=config.parent / "client.txt")
        wait_for(lambda: lines_of(run) >= lines or client.poll() is not None, cluster.scheduler)
        then(cluster, client)
        return client.wait(120)


def _worker(lines: int, source: Path, config: Path, run: Path) -> None:
    # The other worker does it all.
    assert _with_cluster(lambda cluster, client: kill(cluster.workers[0]), lines, config, run) == 0


def _scheduler(lines: int, source: Path, config: Path, run: Path) -> None:
    code = _with_cluster(lambda cluster, client: kill(cluster.scheduler), lines, config, run)
    said = (config.parent / "client.txt").read_text()
    assert code == 0 or (code == 1 and "the scheduler is gone" in said), said


def _client(lines: int, source: Path, config: Path, run: Path) -> None:
    _with_cluster(lambda cluster, client: kill(client), lines, config, run)


def _local_client(lines: int, source: Path, config: Path, run: Path) -> None:
    client = start_client(config, "--workers", "2", log=config.parent / "client.txt")
    wait_for(lambda: lines_of(run) >= lines or client.poll() is not None, client, 180)
    children = psutil.Process(client.pid).children(recursive=True) if client.poll() is None else []
    kill(client)
    _, alive = psutil.wait_procs(children, timeout=20)
    assert not alive, f"processes that were left behind: {alive}"


def _full_disk(lines: int, source: Path, config: Path, run: Path) -> None:
    with Cluster(config.parent / "cluster", largest_file=1000 * lines) as cluster:
        client = start_client(config, "--scheduler", str(cluster.file), log=config.parent / "client.txt")
        code, said = client.wait(120), (config.parent / "client.txt").read_text()
        assert code == 0 or (code == 1 and "failed 3 times each" in said), said


def _unreadable_chunk(lines: int, source: Path, config: Path, run: Path) -> None:
    chunks = sorted(path for path in (source / "c").rglob("*") if path.is_file())
    chunk = chunks[lines % len(chunks)]
    content = chunk.read_bytes()
    chunk.write_bytes(content[: len(content) // 2])
    try:
        with Cluster(config.parent / "cluster") as cluster:
            client = start_client(config, "--scheduler", str(cluster.file), log=config.parent / "client.txt")
            code, said = client.wait(120), (config.parent / "client.txt").read_text()
            assert code in (0, 1, 2), said
            assert code == 0 or "failed 3 times each" in said or "error:" in said, said
    finally:
        chunk.write_bytes(content)


_EVENTS: dict[str, Callable[[int, Path, Path, Path], None]] = {
    "worker": _worker,
    "scheduler": _scheduler,
    "client": _client,
    "local client": _local_client,
    "full disk": _full_disk,
    "unreadable chunk": _unreadable_chunk,
}
