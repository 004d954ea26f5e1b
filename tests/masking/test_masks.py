"""Masks of each kind: exact counts, each token once, whole groups, uniform, and reproducible."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sectome.checks import InputError
from sectome.masking import MASK_KINDS, check_mask, check_mask_ratio, count_kept, draw_mask

every_kind = pytest.mark.parametrize("kind", MASK_KINDS)


def hidden(kind, batch, grid, ratio, seed=0, **options):
    """Return which tokens are hidden, (B, Z, Y, X)."""
    generator = torch.Generator().manual_seed(seed)
    _, ids_masked = draw_mask(kind, batch, grid, ratio, generator=generator, **options)
    return torch.zeros(batch, torch.Size(grid).numel()).scatter(1, ids_masked, 1.0).bool().reshape(batch, *grid)


@given(
    kind=st.sampled_from(MASK_KINDS),
    grid=st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(2, 6)),
    ratio=st.floats(0.01, 0.99),
    batch=st.integers(1, 3),
)
def test_each_token_is_either_kept_or_masked_and_the_count_is_fixed(kind, grid, ratio, batch):
    tokens = torch.Size(grid).numel()
    ids_keep, ids_masked = draw_mask(kind, batch, grid, ratio)
    assert ids_keep.shape == (batch, count_kept(tokens, ratio))
    everything = torch.cat([ids_keep, ids_masked], dim=1).sort(dim=1).values
    assert torch.equal(everything, torch.arange(tokens).expand(batch, -1))


@pytest.mark.parametrize(("tokens", "ratio", "kept"), [(216, 0.9, 22), (800, 0.75, 200), (4, 0.99, 1), (4, 0.01, 3)])
def test_the_nearest_whole_number_of_tokens_is_kept(tokens, ratio, kept):
    assert count_kept(tokens, ratio) == kept


@every_kind
def test_samples_of_a_batch_have_masks_of_their_own_and_every_token_is_hidden_alike(kind):
    masks = hidden(kind, 4000, (4, 3, 4), 0.75)
    share = masks.float().mean(dim=0)
    assert share.min() > 0.71
    assert share.max() < 0.79


@every_kind
def test_a_generator_makes_the_mask_reproducible(kind):
    assert torch.equal(hidden(kind, 2, (4, 4, 4), 0.5, seed=3), hidden(kind, 2, (4, 4, 4), 0.5, seed=3))
    assert not torch.equal(hidden(kind, 2, (4, 4, 4), 0.5, seed=3), hidden(kind, 2, (4, 4, 4), 0.5, seed=4))


def in_part(groups):
    """Count for each sample the groups that are hidden in part; `groups` is (B, groups, tokens of one)."""
    return (groups.any(dim=2) & ~groups.all(dim=2)).sum(dim=1)


@pytest.mark.parametrize("ratio", [0.3, 0.55, 0.75, 0.9])
def test_tubes_run_through_all_sections_and_sections_are_whole(ratio):
    tubes = hidden("tube", 50, (5, 6, 7), ratio).flatten(2).transpose(1, 2)
    assert in_part(tubes).max() <= 1
    sections = hidden("section", 50, (5, 6, 7), ratio).flatten(2)
    assert in_part(sections).max() <= 1


@pytest.mark.parametrize("ratio", [0.3, 0.75])
def test_blocks_are_whole_cuboids_of_a_lattice_that_moves(ratio):
    size = (2, 3, 2)
    masks = hidden("block", 60, (6, 9, 8), ratio, block_size=size)
    lattices = set()
    for mask in masks:
        fitting = []
        for shift in [(z, y, x) for z in range(2) for y in range(3) for x in range(2)]:
            bounds = [sorted({0, length, *range(by - first, length, by)} - set(range(-by, 0)))
                      for first, by, length in zip(shift, size, mask.shape, strict=True)]  # fmt: skip
            blocks = [mask[z0:z1, y0:y1, x0:x1].float().mean()
                      for z0, z1 in zip(bounds[0], bounds[0][1:], strict=False)
                      for y0, y1 in zip(bounds[1], bounds[1][1:], strict=False)
                      for x0, x1 in zip(bounds[2], bounds[2][1:], strict=False)]  # fmt: skip
            if sum(0 < share < 1 for share in blocks) <= 1:
                fitting.append(shift)
        assert fitting, "the hidden tokens are no cuboids of any lattice"
        lattices.update(fitting)
    assert len(lattices) == 12


def test_a_block_of_one_token_is_random_masking_and_one_of_all_hides_at_random_too():
    assert hidden("block", 3, (4, 4, 4), 0.75, block_size=(1, 1, 1)).flatten(1).sum(dim=1).tolist() == [48] * 3
    assert hidden("block", 3, (4, 4, 4), 0.75, block_size=(9, 9, 9)).flatten(1).sum(dim=1).tolist() == [48] * 3


def test_a_block_for_another_mask_is_told_to_change_nothing():
    assert check_mask("block", [1, 4, 4]) == ("block", (1, 4, 4))
    assert check_mask("tube", [2, 2, 2]) == ("tube", (2, 2, 2))
    with pytest.warns(UserWarning, match="mask_block .* changes nothing with 'tube': it is for the mask 'block'"):
        check_mask("tube", [1, 4, 4])


@pytest.mark.parametrize("ratio", [0, 1, -0.5, 1.5])
def test_a_ratio_outside_of_0_to_1_is_refused(ratio):
    with pytest.raises(InputError, match=f"mask_ratio must lie between 0 and 1, got {ratio}"):
        draw_mask("random", 1, (1, 2, 5), ratio)


def test_a_ratio_may_be_a_number_of_numpy():
    assert type(check_mask_ratio(np.float32(0.75))) is float
    assert [len(ids[0]) for ids in draw_mask("random", 1, (1, 2, 5), np.float32(0.7))] == [3, 7]


def test_what_cannot_be_masked_is_refused():
    with pytest.raises(InputError, match="at least 2 patches"):
        draw_mask("random", 1, (1, 1, 1), 0.5)
    with pytest.raises(InputError, match=r"mask must be one of 'random', 'tube', 'block', 'section', got 'cube'"):
        draw_mask("cube", 1, (2, 2, 2), 0.5)
    with pytest.raises(
        InputError, match=r"block_size must be three whole numbers of at least 1 \(z, y, x\), got \[2, 0"
    ):
        draw_mask("block", 1, (2, 2, 2), 0.5, block_size=(2, 0, 2))


@pytest.mark.gpu
@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype feature")
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@every_kind
def test_a_mask_is_drawn_on_the_gpu_without_the_host(kind):
    # The first call of all loads the library, for which the host waits.
    draw_mask(kind, 2, (4, 4, 4), 0.75, torch.device("cuda"))
    torch.cuda.set_sync_debug_mode("error")
    try:
        ids_keep, _ = draw_mask(kind, 2, (4, 4, 4), 0.75, torch.device("cuda"))
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert ids_keep.is_cuda
