"""Mixed precision for any device, as a wrapper of MONAI's inferers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from monai.inferers import Inferer

from sectome.checks import InputError

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


class AutocastInferer(Inferer):
    """Run the network inside autocast; MONAI's own `amp` knows CUDA only.

    Args:
        inferer: what runs the network on the inputs.
        precision: "bf16" or "fp32".

    Raises:
        InputError: if the precision is neither.
    """

    def __init__(self, inferer: Inferer, precision: str = "bf16") -> None:
        if precision not in PRECISIONS:
            raise InputError(f"precision must be one of {sorted(PRECISIONS)}, got {precision!r}")
        self.inferer = inferer
        self.dtype = PRECISIONS[precision]

    def __call__(self, inputs: torch.Tensor, network: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Return what the inferer returns; a tensor comes back as float32."""
        with torch.autocast(inputs.device.type, self.dtype, enabled=self.dtype is not torch.float32):
            output = self.inferer(inputs, network, *args, **kwargs)
        return output.float() if isinstance(output, torch.Tensor) else output
