"""Instance norm that keeps the memory format and the precision of what it normalises."""

from __future__ import annotations

import torch
from monai.networks.layers.factories import Norm
from torch import Tensor, nn
from torch.nn import functional as F


class InstanceNorm(nn.Module):
    """Bring each channel of each sample to mean 0 and variance 1, without weights.

    As a group norm with a group for each channel: torch's own instance norm gives up the memory format of its input.
    On a GPU the group norm does so too, and makes float32 of bfloat16. `torch.compile` is therefore given the
    arithmetic, of which it makes one kernel with what stands beside it.

    Args:
        num_channels: of the input.
        eps: added to the variance.
    """

    def __init__(self, num_channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.num_channels = num_channels
        self.eps = eps

    def forward(self, features: Tensor) -> Tensor:
        """Map (B, C, Z, Y, X) to the same shape."""
        if torch.compiler.is_dynamo_compiling():
            variance, mean = torch.var_mean(features.float(), dim=(2, 3, 4), keepdim=True, correction=0)
            return ((features - mean) * torch.rsqrt(variance + self.eps)).to(features.dtype)
        return F.group_norm(features, self.num_channels, None, None, self.eps)


INSTANCE_NORM = "SECTOME_INSTANCE"
"""The norm's name among MONAI's, whose blocks ask for norms by name."""

Norm.add_factory_class(INSTANCE_NORM, InstanceNorm)
