"""Mixed precision for any device, as a wrapper of MONAI's inferers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.inferers import Inferer

from sectome.checks import check_choice

PRECISIONS = ("auto", "bf16", "fp32")


def computes_bfloat16(device: torch.device) -> bool:
    """Tell whether a device has instructions for bfloat16; without them a convolution takes many times as long."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return device.type == "cpu" and bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def use_bfloat16(precision: str, device: torch.device) -> bool:
    """Tell whether a precision, one of `PRECISIONS`, is bfloat16 on a device."""
    return precision == "bf16" or (precision == "auto" and computes_bfloat16(device))


class AutocastInferer(Inferer):
    """Run the network inside autocast; MONAI's own `amp` knows CUDA only.

    Args:
        inferer: what runs the network on the inputs.
        precision: "bf16", "fp32", or "auto": bf16 on a device that computes with it, else fp32.

    Raises:
        InputError: if the precision is none of them.
    """

    def __init__(self, inferer: Inferer, precision: str = "auto") -> None:
        self.inferer = inferer
        self.precision = check_choice(precision, PRECISIONS, "precision")

    def __call__(self, inputs: torch.Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return what the inferer returns; a tensor comes back as float32."""
        mixed = use_bfloat16(self.precision, inputs.device)
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=mixed):
            output = self.inferer(inputs, network, *args, **kwargs)
        return output.float() if isinstance(output, torch.Tensor) else output
