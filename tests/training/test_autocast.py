"""Mixed precision: what is computed in bfloat16, and what a CPU would compute wrongly in it."""

from __future__ import annotations

import pytest
import torch
from monai.inferers import SimpleInferer
from monai.networks.blocks import SABlock
from torch import nn

from sectome.checks import InputError
from sectome.encoder import Encoder
from sectome.training import AutocastInferer, check_learns_convolutions

SECTIONS = torch.linspace(-1, 1, 2 * 2 * 8 * 8).reshape(2, 1, 2, 8, 8)


@pytest.fixture
def able(monkeypatch):
    """Take this CPU for one that has instructions for bfloat16."""
    monkeypatch.setattr("sectome.training.autocast.computes_bfloat16", lambda device: True)


def network(*parts):
    """Return a network that keeps the types of what it computes."""
    made = nn.Sequential(*parts)
    made.seen = []
    made[0].register_forward_hook(lambda _, __, output: made.seen.append(output.dtype))
    return made


def convolutions():
    torch.manual_seed(0)
    return network(nn.Conv3d(1, 16, 3, padding=1), nn.Conv3d(16, 16, 3, padding=1))


def test_bf16_is_computed_and_fp32_returned():
    linear = network(nn.Linear(4, 4))
    output = AutocastInferer(SimpleInferer(), "bf16")(torch.ones(1, 4), linear)
    AutocastInferer(SimpleInferer(), "fp32")(torch.ones(1, 4), linear)
    assert (linear.seen, output.dtype) == ([torch.bfloat16, torch.float32], torch.float32)


def test_another_precision_is_refused():
    with pytest.raises(InputError, match="one of 'auto', 'bf16', 'fp32', got 'fp8'"):
        AutocastInferer(SimpleInferer(), "fp8")


def test_a_cpu_that_shall_learn_convolutions_in_bf16_is_refused_before_it_begins():
    for device in ("cpu", torch.device("cpu")):
        with pytest.raises(InputError, match=r"auto or fp32 where a CPU trains convolutions.*got bf16"):
            check_learns_convolutions("bf16", device)
    check_learns_convolutions("auto", torch.device("cpu"))
    check_learns_convolutions("bf16", torch.device("cuda", 0))


def test_a_cpu_trains_convolutions_in_fp32_and_predicts_in_bf16(able):
    convolved, linear, infer = convolutions(), network(nn.Linear(8, 8)), AutocastInferer(SimpleInferer())
    infer(SECTIONS, convolved)
    infer(SECTIONS, linear)
    with torch.no_grad():
        infer(SECTIONS, convolved)
        infer(SECTIONS[:, :, :1], convolved)
    assert convolved.seen == [torch.float32, torch.bfloat16, torch.float32]
    assert linear.seen == [torch.bfloat16]


def test_a_cpu_learns_attention_by_products_in_bf16_and_predicts_by_the_fused_one(able):
    attention = SABlock(8, 2, use_flash_attention=True)
    seen = []
    attention.register_forward_hook(lambda block, _, __: seen.append(block.use_flash_attention))
    tokens = torch.linspace(-1, 1, 2 * 5 * 8).reshape(2, 5, 8)
    learned = AutocastInferer(SimpleInferer())(tokens, attention)
    with torch.no_grad():
        predicted = AutocastInferer(SimpleInferer())(tokens, attention)
    AutocastInferer(SimpleInferer(), "fp32")(tokens, attention)
    assert seen == [False, True, True]
    torch.testing.assert_close(learned, predicted, atol=0.01, rtol=0.02)


@pytest.mark.parametrize(("edge", "fused"), [(16, False), (32, True)])
def test_attention_of_very_many_tokens_stays_fused(able, edge, fused):
    encoder = Encoder((2, 2, 2), hidden_size=12, depth=1, num_heads=1)
    seen = []
    encoder.blocks[0].attn.register_forward_hook(lambda block, _, __: seen.append(block.use_flash_attention))
    AutocastInferer(SimpleInferer())(torch.zeros(1, 1, edge, edge, edge), encoder)
    assert seen == [fused]


def test_what_a_cpu_computes_wrongly_in_bf16_is_refused_where_it_is_asked_for(able):
    infer = AutocastInferer(SimpleInferer(), "bf16")
    with pytest.raises(InputError, match="precision must be auto or fp32 where a CPU trains convolutions"):
        infer(SECTIONS, convolutions())
    for convolved in (convolutions(), torch.jit.script(nn.Sequential(nn.Conv3d(1, 16, 3, padding=1)))):
        with torch.no_grad(), pytest.raises(InputError, match="predicts single sections, got bf16"):
            infer(SECTIONS[:, :, :1], convolved)


def test_gradients_and_results_are_right_on_this_cpu():
    def leave_large_numbers_in_memory():
        _ = [torch.full((4**size,), 1e8) for size in range(3, 11) for _ in range(4)]

    made = []
    for precision in ("fp32", "auto"):
        convolved, infer = convolutions(), AutocastInferer(SimpleInferer(), precision)
        loss = infer(SECTIONS, convolved).square().mean()
        leave_large_numbers_in_memory()
        loss.backward()
        leave_large_numbers_in_memory()
        with torch.no_grad():
            results = [infer(SECTIONS, convolved), infer(SECTIONS[:, :, :1], convolved)]
        made.append([part.weight.grad for part in convolved] + results)
    for expected, got in zip(*made, strict=True):
        assert (got - expected).norm() <= 0.03 * expected.norm()
