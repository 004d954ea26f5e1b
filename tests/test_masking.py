"""Random masks: exact counts, each token once, uniform, and reproducible."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sectome.checks import InputError
from sectome.masking import count_kept, random_mask


@given(tokens=st.integers(2, 300), ratio=st.floats(0.01, 0.99), batch=st.integers(1, 3))
def test_each_token_is_either_kept_or_masked_and_the_count_is_fixed(tokens, ratio, batch):
    ids_keep, ids_masked = random_mask(batch, tokens, ratio)
    assert ids_keep.shape == (batch, count_kept(tokens, ratio))
    everything = torch.cat([ids_keep, ids_masked], dim=1).sort(dim=1).values
    assert torch.equal(everything, torch.arange(tokens).expand(batch, -1))


@pytest.mark.parametrize(("tokens", "ratio", "kept"), [(216, 0.9, 22), (800, 0.75, 200), (4, 0.99, 1), (4, 0.01, 3)])
def test_the_nearest_whole_number_of_tokens_is_kept(tokens, ratio, kept):
    assert count_kept(tokens, ratio) == kept


def test_samples_of_a_batch_have_masks_of_their_own_and_every_token_is_hidden_alike():
    ids_keep, _ = random_mask(4000, 8, 0.75, generator=torch.Generator().manual_seed(0))
    counts = torch.bincount(ids_keep.flatten(), minlength=8)
    assert counts.min() > 900
    assert counts.max() < 1100


def test_a_generator_makes_the_mask_reproducible():
    first = random_mask(2, 30, 0.5, generator=torch.Generator().manual_seed(3))
    second = random_mask(2, 30, 0.5, generator=torch.Generator().manual_seed(3))
    assert torch.equal(first[0], second[0])


@pytest.mark.parametrize("ratio", [0, 1, -0.5, 1.5])
def test_a_ratio_outside_of_0_to_1_is_refused(ratio):
    with pytest.raises(InputError, match=f"mask_ratio must lie between 0 and 1, got {ratio}"):
        random_mask(1, 10, ratio)


def test_a_single_patch_cannot_be_masked():
    with pytest.raises(InputError, match="at least 2 patches"):
        random_mask(1, 1, 0.5)
