"""Summary of the results in a few sentences that claim no more than the numbers show."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from sectome.report.comparison import Comparison, compare
from sectome.report.runs import Run


def summarise(runs: Sequence[Run]) -> list[str]:
    """Return the first paragraphs of the page."""
    arms = [run for run in runs if not run.pretrains]
    comparisons = compare(arms)
    lines = [comparison_sentence(comparison) for comparison in comparisons]
    alone = [run for run in arms if run.finds_mitochondria or not comparisons]
    lines += [sentence for run in alone if (sentence := score_sentence(run))]
    lines += [sentence for run in runs if (sentence := masked_loss_sentence(run))]
    waiting = [run.name for run in runs if not any((run.masked_loss, run.scores))]
    if waiting:
        lines.append(f"Not evaluated yet: {', '.join(waiting)}.")
    return lines


def comparison_sentence(comparison: Comparison) -> str:
    """Return the VOI sums, pre-trained and from scratch, in a sentence, with the caveat."""
    pretrained, scratch = (
        fmean(comparison.values(group, "voi_sum")) for group in (comparison.pretrained, comparison.scratch)
    )
    tested = comparison.pretrained[0].scores
    where = f"On {', '.join(tested.test)}: pre" if tested and tested.test else "Pre"
    return (
        f"{where}-trained, the VOI sum is {pretrained:.3f} bits; from scratch, {scratch:.3f} "
        f"({comparison.method}, lower is better): {comparison.verdict('voi_sum')} with pre-training. "
        f"{comparison.caveat()}"
    )


def score_sentence(run: Run) -> str:
    """Return a sentence with the scores of one arm, empty if it has none."""
    if run.scores is None or not run.scores.predictions:
        return ""
    method, score = next(iter(run.scores.predictions.items()))
    if run.finds_mitochondria:
        return (
            f"{run.name} ({run.start}) finds mitochondria with a foreground IoU of {score['foreground_iou']:.3f} and "
            f"an AP-75 of {score['average_precision_75']:.3f} with {method} (higher is better), in one run."
        )
    return (
        f"{run.name} ({run.start}) has a VOI sum of {score['voi_sum']:.3f} bits and an adapted Rand error of "
        f"{score['are']:.3f} with {method} (lower is better), in one run."
    )


def masked_loss_sentence(run: Run) -> str:
    """Return a sentence on a run's masked loss and that of the mean, empty if there is none."""
    loss = run.masked_loss
    if loss is None:
        return ""
    text = f"On hidden patches {run.name} has a loss of {loss.masked_loss:.3f}"
    mean_loss = loss.masked_loss_of_mean
    if not loss.masked_loss < mean_loss:
        return f"{text}, no better than predicting the mean ({mean_loss:.3f})."
    share = 1 - loss.masked_loss / mean_loss
    return f"{text}, {share:.0%} below that of predicting the mean ({mean_loss:.3f})."
