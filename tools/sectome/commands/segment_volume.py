"""`sectome segment-volume`: from a volume of any size to labels, block by block."""

from __future__ import annotations

import sys

from sectome.checks import check_installed


def segment_volume(
    config: str,
    output: str | None = None,
    volume: str | None = None,
    affinities: str | None = None,
    maps: str | None = None,
    run: str | None = None,
    scheduler: str | None = None,
    workers: int | None = None,
    forecast: bool = False,
) -> None:
    """Predict and segment a volume of any size into OME-Zarr, on this machine or a cluster; run again to resume.

    Args:
        config: JSON file of settings; options given here override it. docs/clusters.md lists its settings.
        output: .ome.zarr folder to write.
        volume: grey values to predict affinities, or foreground and contour, from.
        affinities: .zarr folder of affinities, instead of a volume.
        maps: .zarr folder of foreground and contour, instead of a volume.
        run: folder with the state needed to resume; by default OUTPUT.run.
        scheduler: "local" (one process per worker), "threads", the address or the file of a Dask scheduler, or "slurm",
            "pbs", "lsf".
        workers: number of workers; by default one per core, or one job for "slurm", "pbs", "lsf".
        forecast: only print what the run will take.
    """
    check_installed("distributed", "segment-volume", "cluster")
    from sectome.blockwise.config import read_config
    from sectome.blockwise.forecast import forecast_of
    from sectome.blockwise.run_stage import UnfinishedRunError
    from sectome.blockwise.schedulers import connected, workers_of
    from sectome.blockwise.segment_blocks import check_output, segment_blocks

    settings = read_config(
        config,
        output=output,
        volume=volume,
        affinities=affinities,
        maps=maps,
        run=run,
        scheduler=scheduler,
        workers=workers,
    )
    plan = settings.plan()
    print(forecast_of(plan, workers_of(settings.scheduler, settings.workers)), flush=True)
    if forecast:
        return
    check_output(plan)
    try:
        with connected(settings.scheduler, settings.workers, settings.job) as client:
            print(f"dashboard: {client.dashboard_link}", flush=True)
            count = segment_blocks(plan, client)
    except UnfinishedRunError as error:
        print(f"stopped: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    print(f"wrote {plan.output}: {count} objects")
