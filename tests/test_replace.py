"""Outputs that take their name when they are whole."""

from __future__ import annotations

from sectome.replace import replacing


def test_two_that_write_one_output_at_once_do_not_meet(tmp_path):
    with replacing(tmp_path / "a") as one:
        one.write_text("one")
        with replacing(tmp_path / "a") as other:
            other.write_text("other")
        assert (tmp_path / "a").read_text() == "other"
    assert (tmp_path / "a").read_text() == "one"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
