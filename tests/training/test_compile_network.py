"""A compiled network trains or predicts as a plain one, and is the plain one wherever it does the other."""

from __future__ import annotations

import copy
import shutil

import pytest
import torch
from torch import nn

from sectome.checks import InputError
from sectome.training import compile_network, compile_prediction


def small_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv3d(1, 4, 3), nn.InstanceNorm3d(4, affine=True), nn.GELU(), nn.Flatten(), nn.LazyLinear(2)
    )


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_loss_and_gradients_are_those_of_the_plain_network_up_to_rounding():
    plain, image = small_network(), torch.randn(2, 1, 6, 8, 8, generator=torch.Generator().manual_seed(1))
    plain(image)
    compiled = copy.deepcopy(plain)
    compile_network(compiled)
    for network in (plain, compiled):
        network(image).square().mean().backward()
    for expected, found in zip(plain.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-4, atol=1e-5)
    assert compiled.state_dict().keys() == plain.state_dict().keys()
    assert torch.equal(compiled.eval()(image), plain.eval()(image))


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_predictions_of_any_batch_are_those_of_the_plain_network_up_to_rounding():
    plain = small_network()
    plain(torch.zeros(2, 1, 6, 8, 8))
    compiled = copy.deepcopy(plain)
    compile_prediction(compiled)
    with torch.no_grad():
        for batch in (4, 3, 1):
            image = torch.randn(batch, 1, 6, 8, 8, generator=torch.Generator().manual_seed(batch))
            torch.testing.assert_close(compiled.eval()(image), plain.eval()(image), rtol=1e-4, atol=1e-5)
    assert compiled.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.parametrize("learns", [False, True])
def test_a_compiled_prediction_is_compiled_where_nothing_learns(learns, monkeypatch):
    monkeypatch.setenv("CXX", "true")
    monkeypatch.setattr(torch, "compile", lambda _plain, **_named: lambda _image: "compiled")
    network = nn.Linear(2, 2)
    compile_prediction(network)
    image = torch.ones(1, 2)
    with torch.set_grad_enabled(learns):
        assert network.train(not learns)(image) != "compiled"
        assert (network.eval()(image) == "compiled") is not learns


def test_a_network_that_is_evaluated_is_never_compiled(monkeypatch):
    monkeypatch.setenv("CXX", "true")
    monkeypatch.setattr(torch, "compile", lambda *_args, **_kwargs: pytest.fail)
    network = nn.Linear(2, 2).eval()
    expected = network(torch.ones(1, 2))
    compile_network(network)
    assert torch.equal(network(torch.ones(1, 2)), expected)


@pytest.mark.parametrize("compile_it", [compile_network, compile_prediction])
def test_a_machine_without_a_compiler_is_told_so_before_anything_is_computed(compile_it, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(InputError, match="expected a C\\+\\+ compiler for compile, got no 'no-such-compiler' here"):
        compile_it(nn.Identity())
