"""Instance norm that keeps the memory format and precision of its input."""

from __future__ import annotations

import torch
from monai.networks.layers.factories import Norm
from torch import Tensor, nn
from torch.nn import functional as F


class InstanceNorm(nn.Module):
    """Normalise each channel of each sample to mean 0 and variance 1, without weights.

    It calls group norm with one group per channel, because torch's instance norm changes the memory format of its
    input. On a GPU, group norm does so too, and turns bfloat16 into float32. `torch.compile` is therefore given the
    arithmetic, which it fuses with neighbouring operations into one kernel.

    Args:
        num_channels: channels of the input.
        eps: constant added to the variance.
    """

    def __init__(self, num_channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.num_channels = num_channels
        self.eps = eps

    def forward(self, features: Tensor) -> Tensor:
        """Normalise features (B, C, Z, Y, X)."""
        if torch.compiler.is_dynamo_compiling():
            variance, mean = torch.var_mean(features.float(), dim=(2, 3, 4), keepdim=True, correction=0)
            return ((features - mean) * torch.rsqrt(variance + self.eps)).to(features.dtype)
        return F.group_norm(features, self.num_channels, None, None, self.eps)


INSTANCE_NORM = "SECTOME_INSTANCE"
"""Name of the norm in MONAI's factory, since MONAI's blocks take norms by name."""

Norm.add_factory_class(INSTANCE_NORM, InstanceNorm)
