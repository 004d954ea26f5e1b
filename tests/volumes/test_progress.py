from __future__ import annotations

import io

import numpy as np

from sectome.volumes import progress, write_volume
from sectome.volumes.progress import watched


class _Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_bar_counts_the_bytes_that_are_read(make_array, monkeypatch):
    bars = []
    bar = progress.tqdm
    monkeypatch.setattr(progress, "tqdm", lambda **kwargs: bars.append(bar(**kwargs, file=_Terminal())) or bars[-1])
    array = make_array(np.uint16)
    with watched(array, "read a.tif") as slabs:
        np.testing.assert_array_equal(slabs[1:3, 2:5, :4], array[1:3, 2:5, :4])
        assert (bars[0].n, bars[0].total) == (2 * 3 * 4 * 2, array.nbytes)


def test_nothing_is_printed_where_there_is_no_terminal(tmp_path, make_array, monkeypatch, capsys):
    bar = progress.tqdm
    monkeypatch.setattr(progress, "tqdm", lambda **kwargs: bar(**{**kwargs, "delay": 0}))
    write_volume(tmp_path / "a.h5", make_array())
    assert capsys.readouterr() == ("", "")
