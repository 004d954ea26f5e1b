"""Places of a grid: all of them, some of them evenly, and only those where a label is known, without reading all."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sectome.checks import InputError
from sectome.grid_places import LOOKS, Grid, even_places, labelled_places, starts
from sectome.transforms.label_volume import UNLABELLED


def tissue(shape, known=(), name="cube"):
    """Return tissue whose labels are known in some boxes (start, stop), without voxels; its `reads` are counted."""
    one = SimpleNamespace(shape=shape, name=name, reads=0)

    def read_labels(box):
        one.reads += 1
        touched = [
            all(part.start < stop and first < part.stop for part, first, stop in zip(box, *ends, strict=True))
            for ends in known
        ]
        return torch.tensor([7 if any(touched) else UNLABELLED, UNLABELLED])

    one.read_labels = read_labels
    return one


def starts_of(places):
    return [start for _, start in places]


def test_a_grid_covers_its_volumes_and_ends_at_their_borders():
    assert starts(10, 4) == [0, 4, 6]
    assert starts(8, 4) == [0, 4]
    assert starts(3, 4) == [0]
    volumes = [tissue((6, 8, 10)), tissue((3, 5, 4)), tissue((6, 4, 9))]
    grid = Grid(volumes, (3, 4, 4))
    reference = [
        (one, start)
        for one in volumes
        for start in itertools.product(
            *(starts(extent, size) for extent, size in zip(one.shape, (3, 4, 4), strict=True))
        )
    ]
    assert len(grid) == len(reference) == 12 + 2 + 6
    assert [grid[number] for number in range(20)] == reference
    assert even_places(grid, 0) == even_places(grid, 20) == reference
    assert even_places(grid, 3) == [reference[0], reference[10], reference[19]]


@pytest.mark.parametrize("limit", [1, 2, 5, 16])
def test_where_all_is_labelled_the_places_are_as_even_and_nothing_else_is_read(limit):
    one = tissue((20, 40, 40), [((0, 0, 0), (20, 40, 40))])
    grid = Grid([one], (4, 4, 4))
    assert labelled_places(grid, (4, 4, 4), limit) == even_places(grid, limit)
    assert one.reads == limit


def test_places_where_nothing_is_known_are_left_out_before_they_are_counted():
    slab = [((8, 0, 0), (12, 40, 40))]
    grid = Grid([tissue((20, 40, 40), slab)], (4, 4, 4))
    found = starts_of(labelled_places(grid, (4, 4, 4), 16))
    assert len(set(found)) == 16
    assert {z for z, _, _ in found} == {8}
    # From all over the slab.
    assert {y for _, y, _ in found} >= {0, 36}
    every = starts_of(labelled_places(grid, (4, 4, 4), 0))
    assert every == list(itertools.product([8], range(0, 40, 4), range(0, 40, 4)))
    assert starts_of(labelled_places(grid, (4, 4, 4), 200)) == every


def test_a_single_labelled_place_of_a_small_grid_is_found():
    corner = tissue((4, 20, 20), [((0, 16, 4), (4, 20, 8))])
    for limit in (1, 2, 7):
        assert starts_of(labelled_places(Grid([tissue((4, 8, 8)), corner], (4, 4, 4)), (4, 4, 4), limit)) == [
            (0, 16, 4)
        ]


def test_a_volume_of_terabytes_is_looked_at_in_few_places_the_same_each_time():
    tenth = [((0, 0, 0), (10**4, 10**5, 10**4))]
    one = tissue((10**4, 10**5, 10**5), tenth)
    grid = Grid([one], (16, 96, 96))
    assert len(grid) == 625 * 1042 * 1042
    found = labelled_places(grid, (16, 96, 96), 16)
    assert len(found) == 16
    assert one.reads < 30 * 16
    assert starts_of(labelled_places(Grid([one], (16, 96, 96)), (16, 96, 96), 16)) == starts_of(found)


def test_labels_that_are_nowhere_or_hardly_anywhere_are_asked_for_by_the_names_of_the_volumes():
    nothing = [tissue((8, 8, 8), name="a.tif"), tissue((4, 8, 8), name="b.tif")]
    with pytest.raises(
        InputError,
        match=r"expected labels to validate on in a\.tif, b\.tif, got none in 12 of 12 crops side by side; name",
    ):
        labelled_places(Grid(nothing, (4, 4, 4)), (4, 4, 4), 2)
    needle = tissue((10**4, 10**5, 10**5), [((500, 777, 777), (516, 800, 800))])
    with pytest.raises(InputError, match=r"got none in \d+ of 678602500 crops .* the labelled sections, rows and col"):
        labelled_places(Grid([needle], (16, 96, 96)), (16, 96, 96), 16)
    assert 16 * LOOKS / 2 < needle.reads <= 16 * LOOKS


def test_numbers_of_places_are_plain():
    place = even_places(Grid([tissue((8, 8, 8))], (4, 4, 4)), 3)[1][1]
    assert not any(isinstance(first, np.generic) for first in place)
