"""The report page: sections in the order of the work, with notes on missing results."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from sectome.checks import InputError
from sectome.replace import replacing
from sectome.report.comparison import compare
from sectome.report.loss_figure import loss_figure
from sectome.report.markup import anchor, collapsed, heading, paragraph, picture, preformatted, section
from sectome.report.overlay_figure import overlay_figure
from sectome.report.reconstruction_figure import reconstruction_figure
from sectome.report.runs import PRETRAIN, RECONSTRUCTIONS, SEGMENT, Run, read_runs
from sectome.report.score_table import comparison_table, mitochondria_table, precision_table, score_table
from sectome.report.settings_table import runs_table, settings_table
from sectome.report.summary import masked_loss_sentence, summarise
from sectome.report.sweep_figure import sweep_figure

TITLE = "sectome report"

# Browsers enforce that the page fetches nothing and runs no script.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_report(runs: Sequence[str | Path], out: str | Path) -> Path:
    """Write one self-contained HTML page with the pictures and numbers of some runs.

    Args:
        runs: run folders of either bundle; training and evaluation may be unfinished.
        out: path of the page, which is replaced whole or not at all.

    Returns:
        Path of the page.

    Raises:
        InputError: if a folder is not a run folder, a file in it is broken, or `out` is a folder.
    """
    out = Path(out)
    if out.is_dir():
        raise InputError(f"a report must be a file, such as report.html, got the folder {out}")
    page = render_page(read_runs(runs))
    with replacing(out) as partial:
        partial.write_text(page, encoding="utf-8")
    return out


def render_page(runs: Sequence[Run]) -> str:
    """Return the page as HTML; the same runs give the same page."""
    sections = {
        "Pre-training": list(_pretraining([run for run in runs if run.pretrains])),
        **_arm_sections([run for run in runs if not run.pretrains]),
        "Settings": list(_settings(runs)),
    }
    shown = {title: parts for title, parts in sections.items() if parts}
    links = "\n".join(f'<a href="#{anchor(title)}">{html.escape(title)}</a>' for title in shown)
    title = f"{TITLE}: {', '.join(run.name for run in runs)}"
    parts = [
        "<!doctype html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
        f"<title>{html.escape(title)}</title>",
        f"<style>\n{files('sectome.report').joinpath('page.css').read_text(encoding='utf-8')}</style>",
        "</head>",
        "<body>",
        f"<header>\n<h1>{html.escape(TITLE)}</h1>",
        '<div class="summary">',
        *(paragraph(line) for line in summarise(runs)),
        "</div>",
        runs_table(runs),
        f"<nav>\n{links}\n</nav>\n</header>",
        "<main>",
        *(section(title, parts) for title, parts in shown.items()),
        "</main>",
        "</body>",
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _pretraining(runs: Sequence[Run]) -> Iterator[str]:
    if not runs:
        return
    yield from _losses(runs, "mean squared error on hidden patches")
    for run in runs:
        yield heading(run.name)
        yield paragraph(masked_loss_sentence(run) or "The masked loss is not evaluated yet.")
        if run.masked_loss is not None:
            ratio, crops = run.masked_loss.mask_ratio, run.masked_loss.crops
            where = "In the last validation" if crops is None else f"Evaluated on {crops} crops"
            yield paragraph(f"{where}, with {ratio:.0%} of the patches hidden.", "quiet")
        if run.reconstructions is None:
            whole_network = run.bundle == SEGMENT
            tell = "pictures of training, in TensorBoard." if whole_network else "not evaluated yet."
            yield paragraph(f"Reconstructions: {tell}", "quiet")
            continue
        share = float(run.reconstructions["hidden"].mean())
        yield picture(
            reconstruction_figure(*(run.reconstructions[name] for name in RECONSTRUCTIONS)),
            f"Crops of {run.name} in xy and xz: the image, the image with hidden patches, the reconstruction",
            "Each row is a crop, cut through its middle in xy and in xz at true proportions. Blue patches "
            f"({share:.0%} of the voxels) were hidden from the network, which drew the reconstruction from the others. "
            "Grey values are stretched alike in a row.",
        )


def _arm_sections(arms: Sequence[Run]) -> dict[str, list[str]]:
    if not arms:
        return {}
    mitochondria = [run for run in arms if run.finds_mitochondria]
    sections = {
        "Fine-tuning": list(_losses(arms, "segmentation: cross-entropy and Dice of the targets")),
        "Segmentation": list(_segmentation(arms)),
        "Mitochondria": [mitochondria_table(mitochondria), *_flattery(mitochondria)] if mitochondria else [],
    }
    return sections | _neuron_sections([run for run in arms if not run.finds_mitochondria])


def _neuron_sections(arms: Sequence[Run]) -> dict[str, list[str]]:
    if not arms:
        return {}
    scored = [run for run in arms if run.scores is not None]
    return {
        "Threshold": list(_threshold(scored)) or [paragraph("Not evaluated yet.")],
        "Scores": [score_table(scored), precision_table(scored)] if scored else [paragraph("Not evaluated yet.")],
        "Pre-trained against from scratch": list(_comparison(arms)),
    }


def _losses(runs: Sequence[Run], loss: str) -> Iterator[str]:
    drawn = [run for run in runs if run.history]
    for run in runs:
        if not run.history:
            yield paragraph(f"{run.name}: no training history yet.", "quiet")
    if drawn:
        names = ", ".join(run.name for run in drawn)
        yield picture(
            loss_figure(drawn),
            f"Training and validation loss and learning rate over iterations: {names}",
            f"Loss over iterations ({loss}). Thin lines: mean over each training epoch, with augmentation; lines with "
            "dots: validation crops without. Right: learning rate.",
            kind="plot",
        )


def _segmentation(arms: Sequence[Run]) -> Iterator[str]:
    for run in arms:
        yield heading(run.name, run.start)
        if run.overlays is None:
            yield paragraph("Not evaluated yet.")
            continue
        # An evaluation draws the first test volume.
        where = f" Volume: {run.scores.test[0]}." if run.scores and run.scores.test else ""
        shown, meaning = (
            ("foreground", "Foreground: black 0 to white 1.")
            if run.finds_mitochondria
            else ("affinity", "Affinity: mean over the three nearest neighbours, black 0 (boundary) to white 1.")
        )
        yield picture(
            overlay_figure(run.overlays),
            f"Raw, {shown}, segmentation and truth of {run.name}, in an xy section and an xz plane",
            f"True proportions, both rows at one scale. {meaning} A segment has the colour of the true object that it "
            f"matches best; in a colour that the truth has not, it is a part of one. Truth without colour "
            f"{'is background' if run.finds_mitochondria else 'is unlabelled'}.{where}",
        )


def _threshold(scored: Sequence[Run]) -> Iterator[str]:
    swept = {run.name: run.scores for run in scored if run.scores and run.scores.sweep}
    if not swept:
        return
    volumes = sorted({name for scores in swept.values() for name in scores.validation})
    where = f" Scores here are of the validation volumes ({', '.join(volumes)})." if volumes else ""
    yield picture(
        sweep_figure(swept),
        f"VOI split, merge and sum, and ARE, over the agglomeration threshold: {', '.join(swept)}",
        "Scores over the agglomeration threshold, lower is better; the dashed line is the threshold that the scores "
        f"below were taken with.{where}",
        kind="plot",
    )
    yield from _flattery(run for run in scored if run.name in swept)


def _flattery(arms: Iterable[Run]) -> Iterator[str]:
    """Yield a warning that names volumes used for both thresholds and scores."""
    both = sorted({name for run in arms if run.scores for name in {*run.scores.validation} & {*run.scores.test}})
    if both:
        yield paragraph(f"Thresholds were chosen on tissue that is also scored ({', '.join(both)}): scores flatter.")


def _comparison(arms: Sequence[Run]) -> Iterator[str]:
    comparisons = compare(arms)
    for comparison in comparisons:
        yield comparison_table(comparison)
    if not comparisons:
        yield paragraph("Not compared: this needs a pre-trained arm and one from scratch, scored on the same volumes.")


def _settings(runs: Sequence[Run]) -> Iterator[str]:
    for bundle in (PRETRAIN, SEGMENT):
        some = [run for run in runs if run.bundle == bundle]
        if some:
            yield collapsed(f"{bundle}: settings and versions", [settings_table(some)])
    commands = [f"# {run.name}\n" + "\n".join(run.commands) for run in runs if run.commands]
    if commands:
        yield collapsed("Commands", [preformatted("\n\n".join(commands))])
