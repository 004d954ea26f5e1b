import numpy as np
import pytest
from scipy import ndimage

from sectome.checks import InputError
from sectome.phantom import Phantom, make_phantom

SERIAL = {"shape": (16, 128, 128), "voxel_size_nm": (30, 6, 6)}
ISOTROPIC = {"shape": (64, 64, 64), "voxel_size_nm": (8, 8, 8)}


@pytest.fixture(scope="module")
def serial() -> Phantom:
    return make_phantom(**SERIAL, seed=3)


@pytest.fixture(scope="module")
def isotropic() -> Phantom:
    return make_phantom(**ISOTROPIC, seed=3)


@pytest.fixture(scope="module", params=["serial", "isotropic"])
def phantom(request: pytest.FixtureRequest) -> Phantom:
    return request.getfixturevalue(request.param)


def test_same_seed_gives_the_same_voxels(serial):
    again = make_phantom(**SERIAL, seed=3)
    np.testing.assert_array_equal(again.raw, serial.raw)
    np.testing.assert_array_equal(again.neurons, serial.neurons)
    np.testing.assert_array_equal(again.mitochondria, serial.mitochondria)


def test_another_seed_gives_other_tissue(serial):
    other = make_phantom(**SERIAL, seed=4)
    assert np.mean(other.raw != serial.raw) > 0.9
    assert np.mean((other.neurons == 0) != (serial.neurons == 0)) > 0.05


def test_shapes_dtypes_and_voxel_size_are_as_asked(serial, isotropic):
    for made, asked in ((serial, SERIAL), (isotropic, ISOTROPIC)):
        assert made.raw.shape == made.neurons.shape == made.mitochondria.shape == asked["shape"]
        assert made.raw.dtype == made.neurons.dtype == made.mitochondria.dtype == np.uint8
        assert made.voxel_size_nm == asked["voxel_size_nm"]


def test_ids_are_consecutive_and_start_at_one(phantom):
    for labels in (phantom.neurons, phantom.mitochondria):
        np.testing.assert_array_equal(np.unique(labels), np.arange(labels.max() + 1))


def test_most_of_the_volume_is_inside_neurons(phantom):
    assert 0.8 < np.mean(phantom.neurons > 0) < 0.95


def test_each_neuron_is_one_6_connected_piece_of_at_least_100_voxels(phantom):
    for neuron in range(1, phantom.neurons.max() + 1):
        inside = phantom.neurons == neuron
        assert ndimage.label(inside)[1] == 1
        assert inside.sum() >= 100


def test_each_mitochondrion_is_one_piece_inside_one_neuron(phantom):
    assert phantom.mitochondria.max() >= 1
    for mitochondrion in range(1, phantom.mitochondria.max() + 1):
        inside = phantom.mitochondria == mitochondrion
        neurons = np.unique(phantom.neurons[inside])
        assert len(neurons) == 1
        assert neurons[0] > 0
        assert ndimage.label(inside)[1] == 1


def test_neurons_of_a_section_do_not_touch(phantom):
    neurons = phantom.neurons
    for here, there in ((neurons[:, 1:], neurons[:, :-1]), (neurons[:, :, 1:], neurons[:, :, :-1])):
        different = (here != there) & (here > 0) & (there > 0)
        assert different.mean() < 1e-4


def test_membranes_are_darker_than_cytoplasm(phantom):
    membrane = phantom.raw[phantom.neurons == 0].astype(float)
    cytoplasm = phantom.raw[(phantom.neurons > 0) & (phantom.mitochondria == 0)].astype(float)
    assert membrane.mean() < cytoplasm.mean() - 40
    # Not so different that a threshold would do.
    assert np.percentile(membrane, 90) > np.percentile(cytoplasm, 10)


def test_mitochondria_are_darker_than_cytoplasm(phantom):
    cytoplasm = phantom.raw[(phantom.neurons > 0) & (phantom.mitochondria == 0)].mean()
    assert phantom.raw[phantom.mitochondria > 0].mean() < cytoplasm - 20


def test_calibres_are_broad():
    made = make_phantom((24, 192, 192), seed=0)
    volumes_um3 = np.bincount(made.neurons.ravel())[1:] * np.prod(made.voxel_size_nm) / 1e9
    assert len(volumes_um3) >= 30
    assert np.percentile(volumes_um3, 95) > 20 * np.percentile(volumes_um3, 10)
    # Half the widest width, in nm, of each neuron: axons below 150 nm, dendrites far above.
    widths = ndimage.maximum(
        ndimage.distance_transform_edt(made.neurons > 0, made.voxel_size_nm),
        made.neurons,
        np.arange(1, made.neurons.max() + 1),
    )
    assert np.percentile(widths, 25) < 100
    assert widths.max() > 200


def test_features_are_sized_in_nm():
    fine, coarse = (make_phantom((8, size, size), (30, 768 / size, 768 / size), seed=1) for size in (192, 64))
    # The same tissue: what both label, they label alike, but for the jitter and the wider background.
    overlap = fine.neurons[:, 1::3, 1::3]
    both = (overlap > 0) & (coarse.neurons > 0)
    pairs = np.unique(np.stack([overlap[both], coarse.neurons[both]]), axis=1, return_counts=True)[1]
    assert pairs[pairs > 20].sum() > 0.98 * both.sum()
    assert both.mean() > 0.6


@pytest.mark.parametrize(
    ("shape", "voxel_size_nm"),
    [((8, 32, 32), (30, 6, 6)), ((4, 16, 16), (30, 6, 6)), ((4, 16, 16), (2, 2, 2)), ((6, 24, 40), (50, 30, 20))],
)
def test_small_and_odd_volumes_work(shape, voxel_size_nm):
    made = make_phantom(shape, voxel_size_nm)
    assert made.raw.shape == made.neurons.shape == shape
    assert made.neurons.max() >= 1


def test_a_small_volume_has_several_neurons():
    assert all(make_phantom((8, 32, 32), seed=seed).neurons.max() >= 2 for seed in range(5))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"shape": (16, 64)}, r"shape in voxels must be three whole numbers of at least 1 \(z, y, x\), got \[16, 64\]"),
        ({"shape": (16, 64, -1)}, r"shape in voxels must be three whole numbers of at least 1"),
        (
            {"shape": (16, 64.5, 64)},
            r"shape in voxels must be three whole numbers of at least 1 \(z, y, x\), got \[16, 64.5, 64\]",
        ),
        ({"shape": (2, 64, 64)}, r"shape must be at least \(4, 16, 16\), got \(2, 64, 64\)"),
        ({"voxel_size_nm": (30, 0, 6)}, r"voxel size in nm must be three positive numbers, z first, got \[30, 0, 6\]"),
        ({"seed": -1}, r"seed must be a whole number of at least 0, got -1"),
        ({"seed": 0.5}, r"seed must be a whole number of at least 0, got 0.5"),
    ],
)
def test_bad_input_is_refused_with_what_was_expected(arguments, message):
    with pytest.raises(InputError, match=message):
        make_phantom(**arguments)
