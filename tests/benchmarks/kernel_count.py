"""What a device is asked for, counted: the same on any device, where a time needs the device."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class KernelCount(TorchDispatchMode):
    """Count operations that compute or copy, and the bytes that they read and write.

    Attributes:
        kernels: operations that are no views; each is at least one launch on a GPU.
        moved: bytes of their inputs and outputs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kernels = 0
        self.moved = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count it."""
        result = func(*args, **(kwargs or {}))
        outputs = func._schema.returns
        views = any(output.alias_info is not None and not output.alias_info.is_write for output in outputs)
        if func.namespace == "aten" and not views and not func.name().startswith("aten::empty"):
            self.kernels += 1
            # Of what gets some rows in place only these are touched.
            inputs = [args[-1], args[-1]] if func.name() == "aten::index_copy_" else [args, result]
            self.moved += _bytes(inputs)
        return result


def _bytes(values: Any) -> int:
    if isinstance(values, Tensor):
        return values.numel() * values.element_size()
    return sum(map(_bytes, values)) if isinstance(values, (list, tuple)) else 0
