"""What is asked of a patch and a crop before a run has written anything."""

from __future__ import annotations

import pytest

from sectome.checks import InputError, check_patch_divides


def test_a_crop_of_whole_patches_gives_their_grid():
    assert check_patch_divides((4, 16, 16), [16, 96, 48.0]) == (4, 6, 3)


def test_a_crop_of_a_single_patch_is_refused():
    with pytest.raises(
        InputError, match=r"^crop_size must hold at least two patches, got \(4, 16, 16\), a single one$"
    ):
        check_patch_divides((4, 16, 16), (4, 16, 16))
