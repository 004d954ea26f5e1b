"""Mixed precision for any device, as a wrapper of MONAI's inferers.

**Convolutions are trained in float32 on a CPU.** On processors with bfloat16 instructions, oneDNN 3 (as in torch 2.13)
returns garbage as weight gradients of 3D convolutions for volumes of two sections (1e15 instead of .01), and writes out
of bounds for some strided ones. For a single section of one channel, even the output is garbage. bfloat16 would save a
tenth of a training step, and saves a third of a prediction.

**Attention is trained by matrix products on a CPU.** In bfloat16, the backward pass of torch's fused attention takes up
to twice as long as that of its two products and the softmax between them. In float32, and without gradients, fused
attention is faster. Products of very many tokens would not fit into memory, so that fused attention is used for these.
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
"""With more tokens, attention is always fused: products of 4096 tokens in 16 crops take gigabytes in each block."""


def computes_bfloat16(device: torch.device) -> bool:
    """Return whether a device has bfloat16 instructions; without them, a convolution takes many times as long."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return device.type == "cpu" and bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def use_bfloat16(precision: str, device: torch.device) -> bool:
    """Return whether a precision, one of `PRECISIONS`, means bfloat16 on a device."""
    return precision == "bf16" or (precision == "auto" and computes_bfloat16(device))


def check_learns_convolutions(precision: str, device: torch.device | str) -> None:
    """Check that convolutions can be trained in a precision, one of `PRECISIONS`, before a run has written anything.

    Raises:
        InputError: if a CPU would train them in bfloat16.
    """
    if precision == "bf16" and torch.device(device).type == "cpu":
        raise _wrong_on_a_cpu()


def _wrong_on_a_cpu() -> InputError:
    return InputError(
        "precision must be auto or fp32 where a CPU trains convolutions or predicts single sections, got bf16, which "
        "gives wrong results there"
    )


class AutocastInferer(Inferer):
    """Run the network inside autocast; MONAI's own `amp` supports CUDA only.

    The first training step on a CPU makes the process keep freed memory from then on; see `keep_freed_memory`.

    Args:
        inferer: runs the network on the inputs.
        precision: "bf16", "fp32", or "auto": bf16 on a device with such instructions, otherwise fp32, which a CPU also
            uses for what it computes wrongly in bf16.

    Raises:
        InputError: if the precision is unknown; when called, if it is "bf16" for what a CPU computes wrongly in it.
    """

    def __init__(self, inferer: Inferer, precision: str = "auto") -> None:
        self.inferer = inferer
        self.precision = check_choice(precision, PRECISIONS, "precision")

    def __call__(self, inputs: Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return the inferer's output; a tensor is converted to float32."""
        if inputs.device.type == "cpu" and torch.is_grad_enabled():
            keep_freed_memory()
        mixed = use_bfloat16(self.precision, inputs.device)
        run = self._careful(network) if mixed and inputs.device.type == "cpu" else network
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=mixed):
            output = self.inferer(inputs, run, *args, **kwargs)
        return output.float() if isinstance(output, Tensor) else output

    def _careful(self, network: Callable[..., Any]) -> Callable[..., Any]:
        """Return the network for autocast on a CPU: it runs in float32 where bfloat16 would give wrong results."""
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
    """Return whether a part of a network is a 3D convolution; TorchScript keeps only the name of its class."""
    return isinstance(part, nn.Conv3d) or getattr(part, "original_name", "") == "Conv3d"


def _tokens(parts: Sequence[nn.Module], windows: Tensor) -> int:
    """Return the number of tokens per window (B, C, z, y, x) of the encoder among a network's parts; 0 without one."""
    patches = [part.patch_size for part in parts if isinstance(part, Encoder)]
    return math.prod(windows.shape[2:]) // math.prod(patches[0]) if patches else 0


@contextmanager
def _by_products(parts: Sequence[nn.Module]) -> Iterator[None]:
    """Compute the fused attention of a network's parts by matrix products inside this context."""
    fused = [part for part in parts if getattr(part, "use_flash_attention", False)]
    for part in fused:
        part.use_flash_attention = False
    try:
        yield
    finally:
        for part in fused:
            part.use_flash_attention = True
