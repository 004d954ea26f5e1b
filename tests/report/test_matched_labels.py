import numpy as np

from sectome.report.matched_labels import match_labels


def test_a_segment_takes_the_id_of_the_object_that_it_is():
    truth = np.array([[5, 5, 9, 9, 0]])
    (matched,) = match_labels([np.array([[1, 1, 2, 2, 0]])], [truth])
    assert (matched == truth).all()


def test_the_smaller_part_of_a_split_gets_an_id_that_the_truth_has_not():
    (matched,) = match_labels([np.array([[1, 1, 1, 2]])], [np.array([[1, 1, 1, 1]])])
    assert matched.tolist() == [[1, 1, 1, 2]]


def test_a_merged_segment_takes_the_id_of_its_largest_object():
    (matched,) = match_labels([np.array([[4, 4, 4, 4, 4]])], [np.array([[7, 7, 7, 8, 8]])])
    assert matched.tolist() == [[7] * 5]


def test_a_segment_on_background_gets_an_id_of_its_own():
    (matched,) = match_labels([np.array([[3, 3, 4]])], [np.array([[0, 0, 1]])])
    assert matched.tolist() == [[2, 2, 1]]


def test_overlaps_count_over_all_planes_and_ids_agree_between_them():
    segmentations = [np.array([[1, 1, 2]]), np.array([[2, 2, 2], [1, 2, 2]])]
    truths = [np.array([[6, 6, 6]]), np.array([[6, 6, 6], [6, 6, 6]])]
    first, second = match_labels(segmentations, truths)
    assert first.tolist() == [[1, 1, 6]]
    assert second.tolist() == [[6, 6, 6], [1, 6, 6]]


def test_ids_of_64_bits_survive():
    truth = np.array([[2**64 - 1, 2**64 - 2]], np.uint64)
    (matched,) = match_labels([np.array([[1, 2]])], [truth])
    assert (matched == truth).all()
