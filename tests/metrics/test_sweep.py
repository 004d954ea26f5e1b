"""A sweep of thresholds is equal to scoring every segmentation by itself."""

from __future__ import annotations

import numpy as np
import pytest

from sectome.checks import InputError
from sectome.metrics import adapted_rand_error, scores_by_threshold, variation_of_information
from sectome.neighbourhoods import NEAREST
from sectome.postprocess import MergeHistory, agglomerate, fragments_watershed, region_graph


@pytest.mark.parametrize("ignore_label", [0, None])
def test_a_sweep_is_equal_to_scoring_label_volumes(ignore_label):
    rng = np.random.default_rng(0)
    affinities = rng.random((3, 6, 11, 13), dtype=np.float32)
    truth = rng.integers(0, 5, (6, 11, 13))
    fragments = fragments_watershed(affinities, NEAREST, low=0.4, high=0.99)
    assert (fragments == 0).any()
    history = agglomerate(region_graph(affinities, NEAREST, fragments))
    thresholds = [0.9, 0.2, 0.6, 0.5]
    rows = scores_by_threshold(truth, fragments, history, thresholds, ignore_label)
    assert [row.threshold for row in rows] == thresholds
    for row in rows:
        labels = history.labels_at(row.threshold, fragments)
        assert row.are == pytest.approx(adapted_rand_error(truth, labels, ignore_label))
        assert row[2:] == pytest.approx(variation_of_information(truth, labels, ignore_label))
        assert row.voi == pytest.approx(row.voi_split + row.voi_merge)
    assert len({row.are for row in rows}) > 2


def test_what_cannot_be_swept_is_refused():
    history = MergeHistory(np.array([[1, 2]]), np.array([0.5]), max_fragment=2, stopped_at=0.3)
    truth = np.ones((1, 1, 2), int)
    with pytest.raises(InputError, match="thresholds must hold at least one number"):
        scores_by_threshold(truth, truth, history, [])
    with pytest.raises(InputError, match=r"must not exceed 2, the history's last, got 3"):
        scores_by_threshold(truth, 3 * truth, history, [0.5])
    with pytest.raises(InputError, match=r"must not lie below 0.3"):
        scores_by_threshold(truth, truth, history, [0.1])
