"""What a run loses when something is killed: nothing that was done."""

from __future__ import annotations

import numpy as np
import pytest

from blockwise.kills import EVENTS, disturbed_run
from blockwise.test_whole_equals_blockwise import whole
from sectome.volumes import open_volume


@pytest.mark.slow
@pytest.mark.parametrize("event", EVENTS)
def test_a_disturbed_run_goes_on_to_the_same_result(affinities, tmp_path, event):
    output = disturbed_run(event, 25, affinities.path, tmp_path / "run")
    np.testing.assert_array_equal(open_volume(output)[...], whole(affinities))
