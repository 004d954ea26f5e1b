"""Defects of a phantom's sections: as many as asked for, reproducible, and the truth moves with what is seen."""

from __future__ import annotations

import numpy as np
import pytest

from sectome.checks import InputError
from sectome.phantom import add_defects, make_phantom


@pytest.fixture(scope="module")
def phantom():
    return make_phantom((24, 64, 64), (30, 6, 6), 3)


def changed_sections(phantom, other):
    # Standardising and back may round a grey value up or down by one.
    difference = np.abs(phantom.raw.astype(int) - other.raw)
    return [z for z in range(len(difference)) if (difference[z] > 1).any()]


def test_no_section_or_all_of_them_or_a_share(phantom):
    assert changed_sections(phantom, add_defects(phantom, 0)) == []
    assert len(changed_sections(phantom, add_defects(phantom, 1))) >= 22
    assert 2 <= len(changed_sections(phantom, add_defects(phantom, 0.3))) <= 14


def test_the_same_seed_makes_the_same_defects_and_another_others(phantom):
    one, again, other = (add_defects(phantom, 0.5, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.raw, again.raw)
    assert np.array_equal(one.neurons, again.neurons)
    assert not np.array_equal(one.raw, other.raw)


def test_the_truth_moves_with_the_image_and_keeps_its_type_and_ids(phantom):
    defective = add_defects(phantom, 1, seed=4)
    moved = 0
    for before, after in ((phantom.neurons, defective.neurons), (phantom.mitochondria, defective.mitochondria)):
        assert (after.dtype, after.shape) == (before.dtype, before.shape)
        assert set(np.unique(after)) <= {0, *np.unique(before)}
        moved += sum(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    assert moved > 4
    # A membrane is dark, so where neurons are the image is brighter than between them, defects or not.
    varied = [z for z in range(24) if defective.raw[z].std() > 10 and (defective.neurons[z] == 0).any()]
    inside = np.mean([defective.raw[z][defective.neurons[z] > 0].mean() for z in varied])
    between = np.mean([defective.raw[z][defective.neurons[z] == 0].mean() for z in varied])
    assert inside > between + 20


@pytest.mark.parametrize("share", [1.5, True])
def test_a_share_that_is_none_is_refused(phantom, share):
    with pytest.raises(InputError, match=f"share of sections with defects must lie in 0..1, got {share}"):
        add_defects(phantom, share)
