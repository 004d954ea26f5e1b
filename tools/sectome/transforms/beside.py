"""Small tensors on their way to the device where a batch is."""

from __future__ import annotations

from torch import Tensor


def beside(values: Tensor, images: Tensor) -> Tensor:
    """Return values on the images' device, without waiting for what a GPU still has to do.

    Args:
        values: any shape, on the CPU; floats are returned in the images' type.
        images: floats or integers.
    """
    if values.is_floating_point() and images.is_floating_point():
        values = values.to(images.dtype)
    # From memory that the system may move, torch copies only after all that the GPU was asked for before; numbers that
    # are not next to each other pass through such memory.
    values = values.contiguous()
    return (values.pin_memory() if images.is_cuda else values).to(images.device, non_blocking=True)
