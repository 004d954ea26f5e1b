"""Mixed precision for any device, as a wrapper of MONAI's inferers.

**Convolutions on a CPU learn in float32.** Where a processor has instructions for bfloat16, oneDNN 3 (as in torch 2.13)
returns gradients of 3D convolutions' weights that are memory's garbage for volumes of two sections, 1e15 in the place
of .01, and writes beyond its memory for some that have a stride. Of a single section of one channel even the result is
garbage. bfloat16 would spare a tenth of a training step, and spares a third of a prediction.

**Attention on a CPU learns by matrix products.** In bfloat16 the backward pass of torch's fused attention takes up to
twice as long as that of its two products and the softmax between them; in float32, and without gradients, it is faster.
Of very many tokens the products would not fit into memory, and the fused one is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from monai.inferers import Inferer
from torch import Tensor, nn

from sectome.checks import InputError, check_choice
from sectome.encoder import Encoder
from sectome.steady_memory import keep_freed_memory

PRECISIONS = ("auto", "bf16", "fp32")

MOST_TOKENS = 1024
"""Attention of more is fused on any device: products of 4096 tokens in 16 crops are gigabytes in each block."""


def computes_bfloat16(device: torch.device) -> bool:
    """Tell whether a device has instructions for bfloat16; without them a convolution takes many times as long."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return device.type == "cpu" and bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def use_bfloat16(precision: str, device: torch.device) -> bool:
    """Tell whether a precision, one of `PRECISIONS`, is bfloat16 on a device."""
    return precision == "bf16" or (precision == "auto" and computes_bfloat16(device))


def check_learns_convolutions(precision: str, device: torch.device | str) -> None:
    """Check that convolutions can learn in a precision, one of `PRECISIONS`, before a run has written anything.

    Raises:
        InputError: if they would on a CPU in bfloat16.
    """
    if precision == "bf16" and torch.device(device).type == "cpu":
        raise _wrong_on_a_cpu()


def _wrong_on_a_cpu() -> InputError:
    return InputError(
        "precision must be auto or fp32 where a CPU trains convolutions or predicts single sections, got bf16, in "
        "which it computes them wrongly"
    )


class AutocastInferer(Inferer):
    """Run the network inside autocast; MONAI's own `amp` knows CUDA only.

    Where a CPU trains, the process keeps from then on what a step leaves in memory; see `keep_freed_memory`.

    Args:
        inferer: what runs the network on the inputs.
        precision: "bf16", "fp32", or "auto": bf16 on a device that computes with it, else fp32, and fp32 for what a
            CPU computes wrongly in bf16.

    Raises:
        InputError: if the precision is none of them; when called, if it is "bf16" for what a CPU computes wrongly.
    """

    def __init__(self, inferer: Inferer, precision: str = "auto") -> None:
        self.inferer = inferer
        self.precision = check_choice(precision, PRECISIONS, "precision")

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return what the inferer returns; a tensor comes back as float32."""
        if inputs.device.type == "cpu" and torch.is_grad_enabled():
            keep_freed_memory()
        mixed = use_bfloat16(self.precision, inputs.device)
        run = self._careful(network) if mixed and inputs.device.type == "cpu" else network
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=mixed):
            output = self.inferer(inputs, run, *args, **kwargs)
        return output.float() if isinstance(output, Tensor) else output

    def _careful(self, network: Callable[..., Any]) -> Callable[..., Any]:
        """Return the network as it runs inside autocast on a CPU: in float32 where bfloat16 would go wrong."""
        parts = list(network.modules()) if isinstance(network, nn.Module) else []
        convolves = any(map(_convolves, parts))

        def run(windows: Tensor, *args: Any, **kwargs: Any) -> Any:
            wrong = convolves and (torch.is_grad_enabled() or windows.shape[2] == 1)
            if wrong and self.precision == "bf16":
                raise _wrong_on_a_cpu()
            learns = torch.is_grad_enabled() and not wrong
            attention = _by_products(parts) if learns and _tokens(parts, windows) <= MOST_TOKENS else nullcontext()
            with torch.autocast("cpu", torch.bfloat16, enabled=not wrong), attention:
                return network(windows, *args, **kwargs)

        return run


def _convolves(part: nn.Module) -> bool:
    """Tell whether a part of a network is a 3D convolution; in TorchScript it keeps of its class the name alone."""
    return isinstance(part, nn.Conv3d) or getattr(part, "original_name", "") == "Conv3d"


def _tokens(parts: Sequence[nn.Module], windows: Tensor) -> int:
    """Return how many patches an encoder among a network's parts makes of windows (B, C, z, y, x), 0 without one."""
    patches = [part.patch_size for part in parts if isinstance(part, Encoder)]
    return math.prod(windows.shape[2:]) // math.prod(patches[0]) if patches else 0


@contextmanager
def _by_products(parts: Sequence[nn.Module]) -> Iterator[None]:
    """Let the fused attention of a network's parts be computed by matrix products."""
    fused = [part for part in parts if getattr(part, "use_flash_attention", False)]
    for part in fused:
        part.use_flash_attention = False
    try:
        yield
    finally:
        for part in fused:
            part.use_flash_attention = True
