"""Transfer of small tensors to a batch's device."""

from __future__ import annotations

from torch import Tensor


def beside(values: Tensor, images: Tensor) -> Tensor:
    """Return values on the images' device, without waiting for work that is queued on a GPU.

    Args:
        values: any shape, on the CPU; floats take the images' type if that is floating.
        images: floats or integers.
    """
    if values.is_floating_point() and images.is_floating_point():
        values = values.to(images.dtype)
    # A copy from pageable memory waits for all work queued on the GPU. A non-contiguous tensor is copied through such
    # memory.
    values = values.contiguous()
    return (values.pin_memory() if images.is_cuda else values).to(images.device, non_blocking=True)
