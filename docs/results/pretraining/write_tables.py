"""Write `tables.md`: means and paired differences of pretraining.md, from the CSV files beside it.

python docs/results/pretraining/write_tables.py
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from sectome.study.summary import interval

HERE: Final = Path(__file__).parent

Row: TypeAlias = dict[str, str]

DECIMALS: Final = {"boundary_ap": 4, "boundary_ap_1": 4, "boundary_ap_9": 4, "voi": 2, "are": 3, "val_loss": 3}
"""Measures of the tables, and how many decimals their differences have."""

HEADINGS: Final = ("boundary AP", "at 1 voxel", "at 9 voxels", "VOI (bits)", "ARE", "validation loss")

CONTROLS: Final = ("connected components: voi", "one segment: voi", "true affinities: voi")

Pair: TypeAlias = tuple[str, Sequence[str], str]
"""What a difference is called, the arms whose mean by seed is taken, and the arm that is subtracted."""


@dataclass(frozen=True)
class Section:
    """One tissue with one share of labels: a table of all its arms, and one of differences between them."""

    title: str
    file: str
    of: Row = field(default_factory=dict)
    """Columns of the file and what they must hold."""
    arms: Sequence[str] = ()
    """Arms of the first table; without, all that the file has."""
    pairs: Sequence[Pair] = ()


LOW, FULL, DECAY = ", encoder at 0.3", ", encoder at 1", ", encoder at 1, layer decay 0.75"
LONG, LONG_1 = "pre-trained for 12000 steps", "pre-trained by seed 1 for 12000 steps"
LONGER = "pre-trained for 24000 steps"
LONG_5, LONG_9 = "pre-trained for 12000 steps with 0.5 hidden", "pre-trained for 12000 steps with 0.9 hidden"
FOUR, TWELVE = ", four times the steps", ", twelve times the steps"
BF16 = ", bf16"
AGAIN = ", again"
"""Fine-tuned and scored a second time, by the code of the arm with 24000 steps."""


def fib25(labels: str) -> Row:
    """Return what a row of `results.csv` holds that is of the medulla."""
    return {"tissue": "fib25_medulla", "labels": labels}


def share(sections: int) -> Section:
    """Return the section of a share of the labels, other than a tenth, which has more arms."""
    pairs: list[Pair] = [("3000 steps - scratch, low rate", ["pre-trained" + LOW + BF16], "scratch" + LOW + BF16)]
    if sections != 60:
        pairs.insert(0, ("12000 steps - scratch, decay", [LONG + DECAY], "scratch" + DECAY))
    return Section(
        f"FIB-25 at 8 nm, {sections} labelled sections", "results.csv", fib25(f"{sections} sections"), pairs=pairs
    )


SECTIONS: Final = (
    Section(
        "FIB-25 at 8 nm, 12 labelled sections, a tenth",
        "results.csv",
        fib25("12 sections"),
        pairs=(
            ("12000 steps - scratch, decay, two pre-trainings", [LONG + DECAY, LONG_1 + DECAY], "scratch" + DECAY),
            ("the first, the shipped weights", [LONG + DECAY], "scratch" + DECAY),
            ("the second", [LONG_1 + DECAY], "scratch" + DECAY),
            ("12000 steps - scratch, full rate", [LONG + FULL], "scratch" + FULL),
            ("12000 steps - scratch, low rate", [LONG + LOW], "scratch" + LOW),
            ("12000 steps with decay - scratch at the low rate", [LONG + DECAY], "scratch" + LOW),
            ("the same, the second", [LONG_1 + DECAY], "scratch" + LOW),
            ("12000 steps - 3000, decay", [LONG + DECAY], "pre-trained" + DECAY),
            ("the same, the second", [LONG_1 + DECAY], "pre-trained" + DECAY),
            ("24000 steps - scratch, decay", [LONGER + DECAY], "scratch" + DECAY),
            ("24000 steps - 12000, decay", [LONGER + DECAY], LONG + DECAY),
            ("the same, - the second with 12000", [LONGER + DECAY], LONG_1 + DECAY),
            ("24000 steps - scratch, decay, again", [LONGER + DECAY], "scratch" + DECAY + AGAIN),
            ("24000 steps - 12000, decay, again", [LONGER + DECAY], LONG + DECAY + AGAIN),
            ("12000 steps - scratch, decay, both again", [LONG + DECAY + AGAIN], "scratch" + DECAY + AGAIN),
            ("12000 steps with .9 hidden - scratch, decay", [LONG_9 + DECAY], "scratch" + DECAY),
            ("12000 steps, decay: .9 hidden - .75", [LONG_9 + DECAY], LONG + DECAY),
            ("the same, - the second with .75", [LONG_9 + DECAY], LONG_1 + DECAY),
            ("12000 steps with .5 hidden - scratch, decay", [LONG_5 + DECAY], "scratch" + DECAY),
            ("12000 steps, decay: .5 hidden - .75", [LONG_5 + DECAY], LONG + DECAY),
            ("the same, - the second with .75", [LONG_5 + DECAY], LONG_1 + DECAY),
            ("the same, - .9 hidden", [LONG_5 + DECAY], LONG_9 + DECAY),
            ("12000 steps: decay - full rate", [LONG + DECAY], LONG + FULL),
            ("12000 steps: low rate - full rate", [LONG + LOW], LONG + FULL),
            ("12000 steps: decay - low rate", [LONG + DECAY], LONG + LOW),
            (
                "12000 steps - scratch, decay, 1600 steps of fine-tuning",
                [LONG + DECAY + FOUR],
                "scratch" + DECAY + FOUR,
            ),
            (
                "24000 steps - scratch, decay, 1600, again",
                [LONGER + DECAY + FOUR],
                "scratch" + DECAY + FOUR + AGAIN,
            ),
            ("24000 steps - 12000, decay, 1600", [LONGER + DECAY + FOUR], LONG + DECAY + FOUR),
            ("24000 steps and 400 - scratch and 1600, decay", [LONGER + DECAY], "scratch" + DECAY + FOUR + AGAIN),
            ("12000 steps with decay - scratch at the full rate, 1600", [LONG + DECAY + FOUR], "scratch" + FULL + FOUR),
            ("12000 steps - scratch, decay, 4800", [LONG + DECAY + TWELVE], "scratch" + DECAY + TWELVE),
            ("3000 steps - scratch, decay", ["pre-trained" + DECAY], "scratch" + DECAY),
            ("3000 steps - scratch, full rate", ["pre-trained" + FULL], "scratch" + FULL),
            ("3000 steps - scratch, low rate", ["pre-trained" + LOW], "scratch" + LOW),
            ("3000 steps at the low rate - scratch at the full", ["pre-trained" + LOW], "scratch" + FULL),
            ("3000 steps with decay - scratch at the full rate", ["pre-trained" + DECAY], "scratch" + FULL),
            ("3000 steps with decay - scratch at the low rate", ["pre-trained" + DECAY], "scratch" + LOW),
            ("3000 steps - scratch, low rate, in bfloat16", ["pre-trained" + LOW + BF16], "scratch" + LOW + BF16),
            ("scratch: low rate - full rate", ["scratch" + LOW], "scratch" + FULL),
            ("scratch: 1600 steps of fine-tuning - 400, full rate", ["scratch" + FULL + FOUR], "scratch" + FULL),
            ("scratch, 1600 - 3000 steps, 400 at the low rate", ["scratch" + FULL + FOUR], "pre-trained" + LOW),
            ("frozen: 3000 steps - as it was drawn", ["pre-trained, encoder frozen"], "random, encoder frozen"),
            (
                "3000 steps on the training sections - scratch, low rate",
                ["pre-trained on the training sections" + LOW],
                "scratch" + LOW,
            ),
            ("3000 steps on mouse tissue - scratch, low rate", ["pre-trained on mouse tissue" + LOW], "scratch" + LOW),
            (
                "whole network, 600 steps - scratch, full rate",
                ["whole network pre-trained for 600 steps" + FULL],
                "scratch" + FULL,
            ),
        ),
    ),
    share(120),
    share(60),
    share(30),
    share(6),
    Section(
        "FIB-25 at 32 nm, 30 labelled sections, all",
        "anisotropic.csv",
        pairs=(
            (
                "12000 steps - scratch, decay, two pre-trainings",
                ["longer_layer_decay_0.75", "longer_1_layer_decay_0.75"],
                "scratch_layer_decay_0.75",
            ),
            ("the first", ["longer_layer_decay_0.75"], "scratch_layer_decay_0.75"),
            ("the second", ["longer_1_layer_decay_0.75"], "scratch_layer_decay_0.75"),
            ("12000 steps - scratch, full rate", ["longer_full_encoder_lr"], "scratch"),
            ("12000 steps - 3000, full rate", ["longer_full_encoder_lr"], "pretrained_full_encoder_lr"),
            ("12000 steps - 3000, decay", ["longer_layer_decay_0.75"], "pretrained_layer_decay_0.75"),
            ("12000 steps: decay - full rate", ["longer_layer_decay_0.75"], "longer_full_encoder_lr"),
            (
                "3000 steps - scratch, full rate, three pre-trainings",
                ["pretrained_full_encoder_lr", "pretrained_1_full_encoder_lr", "pretrained_2_full_encoder_lr"],
                "scratch",
            ),
            ("the first", ["pretrained_full_encoder_lr"], "scratch"),
            ("the second", ["pretrained_1_full_encoder_lr"], "scratch"),
            ("the third", ["pretrained_2_full_encoder_lr"], "scratch"),
            ("3000 steps - scratch, decay", ["pretrained_layer_decay_0.75"], "scratch_layer_decay_0.75"),
            ("3000 steps - scratch, low rate", ["pretrained"], "scratch_low_encoder_lr"),
            ("scratch: low rate - full rate", ["scratch_low_encoder_lr"], "scratch"),
            ("scratch: decay - full rate", ["scratch_layer_decay_0.75"], "scratch"),
            (
                "12000 steps - scratch, decay, 1600 steps of fine-tuning",
                ["longer_1_four_times_the_steps"],
                "scratch_four_times_the_steps",
            ),
            (
                "scratch: 1600 steps of fine-tuning - 400, decay",
                ["scratch_four_times_the_steps"],
                "scratch_layer_decay_0.75",
            ),
            ("scratch: 2000 steps of fine-tuning - 400, full rate", ["scratch_with_the_time"], "scratch"),
        ),
    ),
    Section(
        "Fly larva at 50 nm, 12 labelled sections, all",
        "results.csv",
        {"tissue": "vnc_ssTEM"},
        pairs=(
            ("12000 steps - scratch, decay, two pre-trainings", [LONG + DECAY, LONG_1 + DECAY], "scratch" + DECAY),
            ("the first", [LONG + DECAY], "scratch" + DECAY),
            ("the second", [LONG_1 + DECAY], "scratch" + DECAY),
            ("12000 steps, the second - scratch, decay, 1600", [LONG_1 + DECAY + FOUR], "scratch" + DECAY + FOUR),
            ("12000 steps, the first - scratch, full rate", [LONG + FULL], "scratch" + FULL),
            ("12000 steps, the second - scratch, full rate", [LONG_1 + FULL], "scratch" + FULL),
            ("12000 steps, the second: decay - full rate", [LONG_1 + DECAY], LONG_1 + FULL),
            ("12000 steps with decay - scratch at the full rate", [LONG + DECAY, LONG_1 + DECAY], "scratch" + FULL),
            ("12000 steps with decay - 3000 at the full rate", [LONG + DECAY, LONG_1 + DECAY], "pre-trained" + FULL),
            ("scratch: 1600 steps of fine-tuning - 400, decay", ["scratch" + DECAY + FOUR], "scratch" + DECAY),
            ("scratch, 1600 - 12000 steps, the second, and 400", ["scratch" + DECAY + FOUR], LONG_1 + DECAY),
            ("3000 steps - scratch, full rate", ["pre-trained" + FULL], "scratch" + FULL),
            ("3000 steps - scratch, low rate", ["pre-trained" + LOW], "scratch" + LOW),
            ("3000 steps at the low rate - scratch at the full", ["pre-trained" + LOW], "scratch" + FULL),
            ("scratch: decay - full rate", ["scratch" + DECAY], "scratch" + FULL),
            ("scratch: low rate - full rate", ["scratch" + LOW], "scratch" + FULL),
        ),
    ),
    Section(
        "FIB-25 at 8 nm on a GPU, 12 labelled sections, a tenth",
        "on_a_gpu.csv",
        arms=(
            "scratch",
            "scratch_low_encoder_lr",
            "encoder",
            "encoder_low_encoder_lr",
            "whole",
            "whole_low_encoder_lr",
            "residual_scratch",
            "residual_whole",
        ),
        pairs=(
            ("encoder, 3000 steps - scratch, full rate", ["encoder"], "scratch"),
            ("the same, low rate", ["encoder_low_encoder_lr"], "scratch_low_encoder_lr"),
            ("whole hybrid, 3000 steps - scratch, full rate", ["whole"], "scratch"),
            ("the same, low rate", ["whole_low_encoder_lr"], "scratch_low_encoder_lr"),
            ("residual U-Net, 3000 steps - scratch", ["residual_whole"], "residual_scratch"),
        ),
    ),
    Section(
        "FIB-25 at 8 nm on a GPU, 120 labelled sections, all",
        "on_a_gpu.csv",
        arms=(
            "scratch_100_percent",
            "encoder_low_100_percent",
            "whole_100_percent",
            "residual_scratch_100_percent",
            "residual_whole_100_percent",
        ),
        pairs=(
            (
                "encoder, 3000 steps, low rate - scratch at the full",
                ["encoder_low_100_percent"],
                "scratch_100_percent",
            ),
            ("whole hybrid, 3000 steps - scratch, full rate", ["whole_100_percent"], "scratch_100_percent"),
            (
                "residual U-Net, 3000 steps - scratch",
                ["residual_whole_100_percent"],
                "residual_scratch_100_percent",
            ),
        ),
    ),
)

PREFACE: Final = """\
# Pre-training: all tables
What they say: [pretraining.md](../pretraining.md). `write_tables.py` writes this page from the CSV files beside it.

- Means are over seeds of the fine-tuning. Differences are of the same seed: mean and 95 % interval (Student's t);
  **bold** where that leaves out 0. Of several pre-trainings the mean by seed is taken first.
- Boundary AP is the mean over all distances and needs no threshold; VOI and ARE are those of mean agglomeration.
- Full rate: the encoder learns at the rate of the rest. Low: at 0.3 of it. Decay: its last block at the full rate, each
  before it at three quarters of the next.
- Arms without a length of fine-tuning had 400 steps.
"""


def read(name: str) -> list[Row]:
    """Return the rows of a CSV file."""
    with (HERE / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def short(value: float, decimals: int, sign: str = "") -> str:
    """Return a number as the field writes it, without the zero before the point."""
    return f"{value:{sign}.{decimals}f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:{sign}.{decimals}f}"


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [f"| {' | '.join(cells)} |" for cells in (headings, *rows)]
    return [lines[0], "|---" * len(headings) + "|", *lines[1:]]


def mean_row(arm: str, rows: Sequence[Row]) -> list[str]:
    """Return an arm, its seeds and the mean of each measure, as cells."""
    means = [sum(float(row[measure]) for row in rows) / len(rows) for measure in DECIMALS]
    cells = [short(mean, max(decimals, 3)) for mean, decimals in zip(means, DECIMALS.values(), strict=True)]
    return [arm, ", ".join(row["seed"] for row in rows), *cells]


def difference(measure: str, decimals: int, arms: Sequence[dict[str, Row]], minus: dict[str, Row]) -> str:
    """Return the mean of what arms, by seed, have more than another, and its interval."""
    pairs = [
        sum(float(arm[seed][measure]) for arm in arms) / len(arms) - float(row[measure])
        for seed, row in minus.items()
        if all(seed in arm for arm in arms)
    ]
    mean, low, high = interval(pairs)
    if len(pairs) < 2:
        return f"{short(mean, decimals, '+')} (one seed)"
    text = f"{short(mean, decimals, '+')} [{short(low, decimals, '+')}, {short(high, decimals, '+')}]"
    return f"**{text}**" if low > 0 or high < 0 else text


def section_lines(section: Section) -> list[str]:
    """Return the lines of one tissue: its title, its tables and its controls."""
    rows = [row for row in read(section.file) if all(row[name] == value for name, value in section.of.items())]
    by_arm: dict[str, dict[str, Row]] = {}
    for row in rows:
        by_arm.setdefault(row["arm"], {})[row["seed"]] = row
    shown = section.arms or sorted(by_arm)
    means = [mean_row(arm, list(by_arm[arm].values())) for arm in shown]
    differences = [
        [
            name,
            *(
                difference(measure, digits, [by_arm[a] for a in arms], by_arm[minus])
                for measure, digits in DECIMALS.items()
            ),
        ]
        for name, arms, minus in section.pairs
    ]
    lines = [f"## {section.title}", "", *table(("arm", "seeds", *HEADINGS), means), ""]
    if differences:
        lines += [*table(("difference", *HEADINGS), differences), ""]
    return [*lines, controls([row for arm in shown for row in by_arm[arm].values()]), ""]


def controls(rows: Sequence[Row]) -> str:
    """Return what is worse and what is better than any arm, as VOI from the least to the most of them."""
    said = []
    for name in CONTROLS:
        values = sorted(float(row[name]) for row in rows if row.get(name))
        if values:
            least, most = (short(value, 2) for value in (values[0], values[-1]))
            said.append(f"{name.removesuffix(': voi')} {least}" + (f" to {most}" if most != least else ""))
    return f"VOI of the controls: {', '.join(said)}."


def page() -> str:
    """Return the whole page."""
    lines = [line for section in SECTIONS for line in section_lines(section)]
    pretrainings = read("pretrainings.csv")
    lines += ["## The pre-trainings", "", *table(list(pretrainings[0]), [list(row.values()) for row in pretrainings])]
    return "\n".join([PREFACE, *lines]) + "\n"


if __name__ == "__main__":
    (HERE / "tables.md").write_text(page(), encoding="utf-8")
