"""`sectome segment`: from affinities to objects."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sectome.checks import InputError, check_writable
from sectome.types import Array


def segment(
    affinities: str,
    output: str,
    threshold: float | None = None,
    method: str | None = None,
    fragments: str | None = None,
    boundary_threshold: float | str | None = None,
    per_section: bool | None = None,
    long_range: str | None = None,
    foreground_threshold: float | None = None,
    min_size_voxels: int | None = None,
    small_voxels: int | None = None,
    large_voxels: int | None = None,
    bias: float | None = None,
    checkpoint: str | None = None,
    tune: str | None = None,
    criterion: str | None = None,
    apart: str | None = None,
    offsets: Any = None,
    voxel_size_nm: Sequence[float] | None = None,
    threads: int | None = None,
) -> None:
    """Turn affinities into objects, by agglomeration of fragments or by the mutex watershed.

    Options that are not given take the values that tuning chose for the model, else the defaults.

    Args:
        affinities: a .zarr folder that inference wrote with --save_affinities true, or an .npy file (K, Z, Y, X).
        output: label volume to write.
        threshold: least score at which two fragments merge; higher values split more.
        method: "mean" (default), "quantile_75" and others, "max_10" and others, or "mutex", which has neither
            threshold nor fragments.
        fragments: "distance" (seeds in the middle of objects) or "watershed" (every basin of the affinities).
        boundary_threshold: for "distance": mean affinity below which a voxel is boundary, or a percentile such as 20%.
        per_section: grow fragments in each section separately, for thick sections.
        long_range: use of offsets beyond the nearest: "no", "touching" or "all".
        foreground_threshold: mean affinity below which a voxel is background.
        min_size_voxels: smaller objects become background.
        small_voxels: smaller objects join the neighbour with the highest score.
        large_voxels: two objects of at least this size never merge.
        bias: for "mutex": values above 0 merge more.
        checkpoint: the model; the options stored beside it are used, and --tune writes them there.
        tune: labels of the same tissue or, placed by their offset, of a part of it; 0 where unlabelled. Many settings
            are tried. The best is used, and kept with the curve in segmentation.json beside the model (or the output).
        criterion: score that tuning minimises: "voi" (default) or "are".
        apart: CSV file of voxel pairs z,y,x,z,y,x that must not end up in one object.
        offsets: for an .npy file: nearest, long_range, isotropic, or a list of z,y,x steps.
        voxel_size_nm: z,y,x in nm, for an .npy file.
        threads: number of threads, by default all cores; the result does not depend on it.
    """
    from sectome.affinity_file import StoredAffinities
    from sectome.postprocess import SegmentationOptions, affinities_to_labels, showing_progress, tuned_path
    from sectome.postprocess.check_affinities import check_long_range, check_voxel_pairs
    from sectome.postprocess.segmentation_options import check_used
    from sectome.volumes import write_result
    from sectome.volumes.other_place import check_output

    if criterion is not None and not tune:
        raise InputError(f"criterion must be given with --tune only, got {criterion!r} without it")
    kept = (tuned_path(checkpoint) if checkpoint else _beside(output)) if tune else None
    check_output(output, affinities)
    if tune and checkpoint:
        check_writable(Path(checkpoint).parent, "the folder of --checkpoint, where tuned options are written,")
    given = {
        "threshold": threshold,
        "method": method,
        "fragments": fragments,
        "boundary_threshold": boundary_threshold,
        "per_section": per_section,
        "long_range": long_range,
        "foreground_threshold": foreground_threshold,
        "min_size_voxels": min_size_voxels,
        "small_voxels": small_voxels,
        "large_voxels": large_voxels,
        "bias": bias,
    }
    options = SegmentationOptions.for_model(checkpoint).but(**given)
    if not tune:
        check_used(options, given)
    pairs = _read_pairs(apart) if apart else []
    source = StoredAffinities(affinities, offsets, voxel_size_nm)
    check_long_range(long_range, source.offsets)
    check_voxel_pairs(pairs, source.shape)
    values = source.read_all()
    with showing_progress(True):
        if kept:
            options = _tuned(source, values, str(tune), kept, criterion or "voi", threads, given)
        labels = affinities_to_labels(
            values,
            source.offsets,
            voxel_size_nm=source.voxel_size_nm,
            apart=pairs,
            threads=threads,
            **vars(options),
        )
    write_result(output, labels, voxel_size_nm=source.voxel_size_nm, offset_nm=source.offset_nm)
    print(f"wrote {output}: {int(labels.max(initial=0))} objects")


def _beside(output: str) -> Path:
    """Return the file for tuned options without a model: beside the output, because an output folder is replaced."""
    from sectome.postprocess.segmentation_options import TUNED_NAME
    from sectome.volumes.formats import locate_output

    place = locate_output(output).path
    if not isinstance(place, Path):
        raise InputError(
            f"--tune must have a local output or --checkpoint, beside which it writes its choice, got {output} and none"
        )
    return place.parent / TUNED_NAME


def _tuned(
    source: Any, values: Array, truth: str, path: Path, criterion: str, threads: int | None, given: dict[str, Any]
) -> Any:
    """Tune options on labelled tissue, keep the best ones in a file and return them."""
    from sectome.metrics import LabelledAffinities, known_voxels
    from sectome.metrics import tune as tune_options
    from sectome.postprocess import save_options
    from sectome.volumes import open_volume
    from sectome.volumes.other_place import box_within
    from sectome.volumes.sampling import warn_of_grey_values

    volume = open_volume(truth)
    part = box_within(source, volume, "truth") or ()
    labels = np.asarray(volume)
    known = np.where(known_voxels(labels), labels, 0)
    warn_of_grey_values(known, volume.name)
    labelled = LabelledAffinities(values[(slice(None), *part)], known, source.voxel_size_nm)
    methods = ("mean", "mutex") if given["method"] is None else (given["method"],)
    # The size rules are applied after tuning.
    fixed = {name: value for name, value in given.items() if name not in ("method", "min_size_voxels", "small_voxels")}
    tuned = tune_options([labelled], source.offsets, methods=methods, criterion=criterion, threads=threads, **fixed)
    save_options(path, tuned.best.options, {"criterion": criterion, "truth": truth, **tuned.evidence()})
    scores = tuned.best.scores
    print(
        f"chose method {tuned.best.options.method}, threshold {tuned.best.options.threshold:g} of "
        f"{len(tuned.trials)} settings: VOI {scores.voi:.3f}, ARE {scores.are:.4f}; wrote {path}",
        flush=True,
    )
    return tuned.best.options.but(min_size_voxels=given["min_size_voxels"], small_voxels=given["small_voxels"])


def _read_pairs(path: str) -> list[tuple[list[int], list[int]]]:
    """Return the voxel pairs of a CSV file, whose first line may be a header."""
    if not Path(path).is_file():
        raise InputError(f"expected a CSV file of voxel pairs at {path}, got none")
    # Excel writes a byte order mark. A header may have any encoding, because anything but numbers is refused below.
    with Path(path).open(newline="", encoding="utf-8-sig", errors="replace") as file:
        rows = [row for row in csv.reader(file) if row]
    if rows and not any(cell.strip().lstrip("-").isdigit() for cell in rows[0]):
        rows = rows[1:]
    pairs = []
    for row in rows:
        if len(row) != 6 or not all(cell.strip().isdecimal() for cell in row):
            raise InputError(f"expected rows of six whole numbers z,y,x,z,y,x in {path}, got {','.join(row)}")
        numbers = [int(cell) for cell in row]
        pairs.append((numbers[:3], numbers[3:]))
    return pairs
