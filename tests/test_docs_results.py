"""What the pages say of pre-training stands in the tables, which are made of the scores beside them."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest

from sectome.study import read_study
from sectome.study.bundle_command import find_bundles
from sectome.study.plan import check_settings, plan
from tiny_networks import BUNDLES

ROOT = BUNDLES.parent
RESULTS = ROOT / "docs/results"
TABLES = RESULTS / "pretraining/tables.md"

DIFFERENCE = re.compile(r"([+-][\d.]+) \[([+-][\d.]+),\s([+-][\d.]+)\]")
"""A mean and its interval."""

DECLARED = sorted(path for path in RESULTS.glob("*/*.json") if "arms" in json.loads(path.read_text()))


def test_the_tables_of_pretraining_are_those_of_the_scores():
    assert runpy.run_path(str(TABLES.with_name("write_tables.py")))["page"]() == TABLES.read_text()


@pytest.mark.parametrize("page", [ROOT / "README.md", RESULTS / "pretraining.md"], ids=lambda page: page.stem)
def test_each_interval_that_a_page_quotes_is_in_the_tables(page):
    known = DIFFERENCE.findall(TABLES.read_text())
    quoted = DIFFERENCE.findall(page.read_text())
    assert len(quoted) > 10
    assert [one for one in quoted if not any(is_rounded(one, other) for other in known)] == []


def is_rounded(quoted: tuple[str, ...], exact: tuple[str, ...]) -> bool:
    """Return whether each number is one of more decimals, or as many, rounded."""
    return all(
        abs(float(one) - float(other)) <= 0.51 * 10.0 ** -decimals(one) and decimals(one) <= decimals(other)
        for one, other in zip(quoted, exact, strict=True)
    )


def decimals(number: str) -> int:
    return len(number.partition(".")[2])


@pytest.mark.parametrize("path", DECLARED, ids=lambda path: path.stem)
def test_what_was_run_can_be_run_again(path: Path, monkeypatch, tmp_path):
    monkeypatch.setenv("SECTOME_DATA", "/data")
    study = read_study(path)
    assert study.asks.endswith("?")
    check_settings(plan(study, study.arms, tmp_path, find_bundles(BUNDLES)))
