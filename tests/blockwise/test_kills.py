"""What a run loses when something is killed: nothing that was done."""

from __future__ import annotations

import numpy as np
import pytest

from blockwise.conftest import MITOCHONDRIA_OPTIONS, whole_mitochondria
from blockwise.kills import EVENTS, NEURONS, disturbed_run
from blockwise.test_whole_equals_blockwise import whole
from sectome.volumes import open_volume


@pytest.mark.slow
@pytest.mark.parametrize("event", EVENTS)
def test_a_disturbed_run_goes_on_to_the_same_result(affinities, tmp_path, event):
    output = disturbed_run(event, 25, affinities.path, tmp_path / "run", **NEURONS)
    np.testing.assert_array_equal(open_volume(output)[...], whole(affinities))


@pytest.mark.slow
@pytest.mark.parametrize(("event", "after_lines"), [("worker", 20), ("client", 60), ("full disk", 2)])
def test_a_disturbed_run_of_mitochondria_goes_on_to_the_same_result(maps, tmp_path, event, after_lines):
    output = disturbed_run(event, after_lines, maps.path, tmp_path / "run", "maps", segmentation=MITOCHONDRIA_OPTIONS)
    np.testing.assert_array_equal(open_volume(output)[...], whole_mitochondria(maps))
