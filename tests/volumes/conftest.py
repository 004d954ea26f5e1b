from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

VOXEL_SIZE = (30.0, 6.0, 8.0)
OFFSET = (300.0, -36.0, 48.0)


@pytest.fixture
def make_array() -> Callable[..., Any]:
    """Values that differ along every axis, on extents that differ, so that a swapped axis shows."""

    def make(dtype: Any = np.uint8, shape: tuple[int, ...] = (5, 7, 11)) -> Any:
        values = np.random.default_rng(0).permutation(int(np.prod(shape))).reshape(shape)
        return (values % 251 if np.dtype(dtype).itemsize == 1 else values).astype(dtype)

    return make


@pytest.fixture
def truncate() -> Callable[[Path, float], None]:
    def cut(path: Path, kept: float) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * kept)])

    return cut
