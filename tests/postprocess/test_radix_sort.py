"""Sorting by high bits against NumPy's stable sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sectome.postprocess.radix_sort import sorted_by_high_bits

# Any word, and words of few keys with any low bits: only a stable sort keeps their order.
WORDS = st.one_of(
    st.integers(0, 2**64 - 1),
    st.builds(lambda key, rest: (key << 60) | rest, st.sampled_from([0, 1, 8, 15]), st.integers(0, 2**30)),
)


def reference_sort(words, key_bits):
    return words[np.argsort(words >> np.uint64(64 - key_bits), kind="stable")]


@pytest.mark.parametrize("key_bits", [24, 32])
@settings(deadline=None)
@given(words=hnp.arrays(np.uint64, st.integers(0, 40), elements=WORDS))
def test_words_are_sorted_by_their_high_bits_and_equal_ones_as_they_came(key_bits, words):
    np.testing.assert_array_equal(sorted_by_high_bits(words.copy(), key_bits), reference_sort(words, key_bits))


@pytest.mark.parametrize("key_bits", [24, 32])
def test_many_words_are_sorted(key_bits):
    words = np.random.default_rng(0).integers(0, 2**64, 200_000, np.uint64)
    words[::3] &= np.uint64(2**64 - 2**34)
    np.testing.assert_array_equal(sorted_by_high_bits(words.copy(), key_bits), reference_sort(words, key_bits))
