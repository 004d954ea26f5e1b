"""Tables of scores: each arm and method with controls, and pre-trained compared with from scratch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean

from sectome.report.comparison import Comparison
from sectome.report.markup import MINUS, NONE, Cell, Row, number_cell, table
from sectome.report.runs import Run
from sectome.report.scores import CONTROLS, MITOCHONDRIA, NEURONS


def score_table(arms: Sequence[Run]) -> str:
    """Return the table of all scores: predictions, with the best of each measure in bold, then controls."""
    predictions = [
        (run, method, score) for run in arms if run.scores for method, score in run.scores.predictions.items()
    ]
    # Rounded as shown, so that equal digits are equally good.
    best = {measure: _lowest(score[measure] for _, _, score in predictions) for measure in NEURONS}
    rows = []
    for run, method, score in predictions:
        numbers = [
            number_cell(score[measure], best=len(predictions) > 1 and round(score[measure], 3) == best[measure])
            for measure in NEURONS
        ]
        rows.append(Row([Cell(run.name), Cell(run.start), Cell(method), *numbers, number_cell(score["segments"], 0)]))
    rows += _controls(arms)
    header = [Cell("arm"), Cell("start"), Cell("method")]
    header += [Cell(name, number=True) for name in (*NEURONS.values(), "segments")]
    return table(
        header,
        rows,
        "Test volumes. ARE is the adapted Rand error (0 to 1), VOI the variation of information in bits; lower is "
        "better for both. VOI split counts objects cut apart, VOI merge objects run together. Bold: best of the "
        "predictions. In grey, controls: what simply joining affinities above the threshold gives, no segmentation at "
        "all, and what the same steps make of the true affinities.",
    )


def _lowest(values: Iterable[float]) -> float | None:
    return min((round(value, 3) for value in values if not math.isnan(value)), default=None)


def _controls(arms: Sequence[Run]) -> Iterator[Row]:
    """Yield the rows of controls; a control that is equal for all arms gets one row."""
    for method in CONTROLS:
        scores: dict[tuple[float, ...], list[str]] = {}
        for run in arms:
            if run.scores and (score := run.scores.methods.get(method)):
                scores.setdefault(tuple(score[name] for name in (*NEURONS, "segments")), []).append(run.name)
        for (*measures, segments), names in scores.items():
            numbers = [number_cell(value) for value in measures]
            for name in ["all arms"] if len(scores) == 1 and len(names) > 1 else names:
                cells = [Cell(name), Cell("control"), Cell(method), *numbers, number_cell(segments, 0)]
                yield Row(cells, kind="control")


def comparison_table(comparison: Comparison) -> str:
    """Return the table of differences, pre-trained minus from scratch."""
    rows = []
    for measure, name in NEURONS.items():
        groups = [comparison.values(runs, measure) for runs in (comparison.pretrained, comparison.scratch)]
        difference = comparison.difference(measure)
        base = fmean(groups[1])
        relative = 100 * difference / base if base else None
        percent = number_cell(relative, 1, sign=True)
        cells = [_values(values) for values in groups]
        shown = Cell(f"{percent.text} %" if relative is not None else NONE, number=True)
        rows.append(
            Row([Cell(name), *cells, number_cell(difference, sign=True), shown, Cell(comparison.verdict(measure))])
        )
    header = [Cell(comparison.method)]
    header += [Cell(text, number=True) for text in ("pre-trained", "from scratch", "difference", "relative")]
    pretrained, scratch = (", ".join(run.name for run in runs) for runs in (comparison.pretrained, comparison.scratch))
    return table(
        [*header, Cell("pre-trained is")],
        rows,
        f"Pre-trained ({pretrained}) minus from scratch ({scratch}); below zero, pre-trained is better. "
        f"{comparison.caveat()}",
    )


def precision_table(arms: Sequence[Run]) -> str:
    """Return the table of boundary average precision with a column per arm; empty if no arm has any."""
    columns = {run.name: run.scores.voxel_precision for run in arms if run.scores}
    offsets = list(dict.fromkeys(offset for values in columns.values() for offset in values))
    if not offsets:
        return ""
    rows = []
    for offset in offsets:
        shown = [round(values[offset], 3) if offset in values else None for values in columns.values()]
        best = max((value for value in shown if value is not None), default=None)
        numbers = [number_cell(value, best=len(shown) > 1 and value == best) for value in shown]
        rows.append(Row([Cell(offset.replace("-", MINUS)), *numbers]))
    return table(
        [Cell("offset (z, y, x), voxels"), *(Cell(name, number=True) for name in columns)],
        rows,
        "Average precision of boundaries, an offset a row: how well the affinity tells, voxel by voxel, where two "
        "objects part, whatever the threshold. 1 is perfect; higher is better.",
    )


def mitochondria_table(arms: Sequence[Run]) -> str:
    """Return the table of all scores of mitochondria: predictions, then the controls of each arm."""
    scored = [(run, run.scores) for run in arms if run.scores]
    channels = list(dict.fromkeys(channel for _, scores in scored for channel in scores.voxel_precision))
    predictions: list[Row] = []
    controls: list[Row] = []
    for run, scores in scored:
        for method, row in scores.methods.items():
            predicted = method in scores.predictions
            cells = [Cell(run.name), Cell(run.start if predicted else "control"), Cell(method)]
            cells += [number_cell(row[measure]) for measure in MITOCHONDRIA]
            cells += [number_cell(scores.voxel_precision.get(name) if predicted else None) for name in channels]
            cells.append(number_cell(row["segments"], 0))
            (predictions if predicted else controls).append(Row(cells, kind="" if predicted else "control"))
    header = [Cell("arm"), Cell("start"), Cell("method")]
    measures = (*MITOCHONDRIA.values(), *(f"AP of {name} voxels" for name in channels), "objects")
    return table(
        [*header, *(Cell(text, number=True) for text in measures)],
        predictions + controls,
        "Test volumes; higher is better. Foreground IoU is the overlap of all mitochondria with all that was found, "
        "whatever object it belongs to. AP-50 and AP-75 are TP / (TP + FP + FN) of objects at that overlap; MitoEM's "
        "ranks them by size. Where the true objects are the connected parts of a mask, mitochondria that touch are one "
        "of them, and to part these counts as a mistake: go by the foreground there. In grey, controls: the parts of "
        "the thresholded foreground, nothing at all, and what the same steps make of the true maps.",
    )


def _values(values: Sequence[float]) -> Cell:
    """Return a cell with the mean, and the range if there are several runs."""
    cell = number_cell(fmean(values))
    if len(values) == 1:
        return cell
    return Cell(f"{cell.text} ({min(values):.3f}{NONE}{max(values):.3f})", number=True)
