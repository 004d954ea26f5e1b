"""From a volume on disk to affinities on disk."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import shutil
import sys

import numpy as np
import pytest
import torch
from torch import nn
from tqdm import tqdm

from sectome.affinity_file import StoredAffinities
from sectome.checks import InputError
from sectome.geometry import ORIGIN
from sectome.inference import Slab, StreamingInferer, predict_volume, window_grid
from sectome.inference.chunk_layers import chunk_layers
from sectome.inference.plan_tiles import plan_tiles
from sectome.inference.predict_volume import grid_over, predict_box
from sectome.neighbourhoods import NEAREST
from sectome.run_folder import RunFolder
from sectome.tissue import open_tissue
from sectome.transforms import PercentileIntensity
from sectome.volumes import open_volume, write_volume

SHAPE, WINDOW, SIZE_NM = (21, 300, 150), (8, 32, 32), (30.0, 6.0, 6.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predict")
    grey = np.random.default_rng(0).integers(0, 255, SHAPE, dtype=np.uint8)
    write_volume(folder / "raw.zarr", grey, voxel_size_nm=SIZE_NM, offset_nm=(60, 12, 18))
    wanted = np.zeros(SHAPE, np.uint8)
    wanted[9:14, 40:70, 100:] = 1
    write_volume(folder / "mask.tif", wanted, voxel_size_nm=SIZE_NM)
    return folder


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    layers = nn.Conv3d(1, 4, 3, padding=1), nn.Tanh(), nn.Conv3d(4, 3, 5, padding=2)
    return nn.Sequential(*layers).requires_grad_(False)


@pytest.fixture(scope="module")
def expected(folder, network):
    (tissue,) = open_tissue([{"image": str(folder / "raw.zarr")}])
    image = tissue.read_whole()["image"][None]
    return StreamingInferer(WINDOW, overlap=0.5)(image, network)[0].sigmoid().numpy()


def predict(folder, network, path, entry=None, **options):
    (tissue,) = open_tissue([{"image": str(folder / "raw.zarr"), **(entry or {})}])
    predict_volume(tissue, network, path, NEAREST, **{"window": WINDOW, "overlap": 0.5, "batch_size": 4, **options})
    return StoredAffinities(path)


def test_what_is_written_is_the_prediction_of_the_whole(folder, network, expected, tmp_path):
    made = predict(folder, network, tmp_path / "a.zarr")
    assert made.read_all().dtype == np.uint8
    assert made.voxel_size_nm == SIZE_NM
    assert made.offsets == NEAREST
    np.testing.assert_allclose(made.read_all() / 255, expected, atol=0.6 / 255)
    attributes = json.loads((tmp_path / "a.zarr" / "zarr.json").read_text())["attributes"]
    assert attributes["offset_nm"] == [60, 12, 18]


def test_tiles_floats_and_a_part_of_the_sections(folder, network, expected, tmp_path):
    assert len(plan_tiles(grid_over(SHAPE, WINDOW, 0.5, "gaussian"), 3, "float32", 5)) == 3
    made = predict(folder, network, tmp_path / "a.zarr", memory_mib=5, dtype="float32")
    np.testing.assert_allclose(made.read_all(), expected, atol=1e-5)
    part = predict(folder, network, tmp_path / "b.zarr", {"sections": [3, 12]}, dtype="float16")
    assert part.read_all().shape == (3, 9, *SHAPE[1:])
    assert json.loads((tmp_path / "b.zarr" / "zarr.json").read_text())["attributes"]["offset_nm"] == [150, 12, 18]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    "box",
    [(slice(0, 8), slice(0, 64), slice(64, 150)), (slice(8, 21), slice(30, 60), slice(90, 120))],
    ids=str,
)
def test_a_box_is_what_the_whole_prediction_has_there(folder, network, tmp_path, box, masked):
    mask = open_volume(folder / "mask.tif") if masked else None
    whole = predict(folder, network, tmp_path / "a.zarr", mask=mask).read_all()
    (tissue,) = open_tissue([{"image": str(folder / "raw.zarr")}])
    grid = grid_over(SHAPE, WINDOW, 0.5, "gaussian")
    part = predict_box(tissue, network, grid, box, 3, batch_size=2, mask=mask)
    # Blended in another order: rounding may lie half a byte apart.
    assert np.abs(part.astype(int) - whole[(slice(None), *box)]).max() <= 1
    assert np.any(part > 0) == (not masked or box[0].start > 0)


def test_contrast_that_is_equalised_in_each_tile_by_itself_is_warned_of(folder, tmp_path):
    def small(name, **options):
        part = {"image": str(folder / "raw.zarr"), "sections": [0, 8]}
        (tissue,) = open_tissue([part], intensity=PercentileIntensity(clahe=True))
        predict_volume(
            tissue,
            lambda windows: windows.expand(-1, 3, -1, -1, -1),
            tmp_path / name,
            NEAREST,
            window=WINDOW,
            **options,
        )

    small("whole.zarr")
    with pytest.warns(UserWarning, match=r"raw.zarr.* has its contrast equalised .*are tiles; a larger memory_mib"):
        small("tiles.zarr", memory_mib=6, dtype="float32")


BOX = {"sections": [4, 18], "rows": [7, 297], "columns": [77, 144]}
CUT = tuple(slice(*part) for part in BOX.values())


@pytest.fixture(scope="module")
def cut(folder):
    """Return the box of volume and mask in files of their own, normalised as the whole volume is."""
    for name in ("raw.zarr", "mask.tif"):
        write_volume(folder / f"cut_{name}", open_volume(folder / name)[CUT], voxel_size_nm=SIZE_NM, offset_nm=ORIGIN)
    whole, alone = open_tissue([{"image": str(folder / name)} for name in ("raw.zarr", "cut_raw.zarr")])
    return dataclasses.replace(alone, intensity=whole.intensity)


@pytest.mark.parametrize(
    "options", [{}, {"memory_mib": 3}, {"masked": True}, {"memory_mib": 3, "masked": True}], ids=str
)
def test_sections_rows_and_columns_are_what_they_are_when_cut_out(folder, network, cut, tmp_path, options):
    masked, sizes = options.get("masked", False), {"dtype": "float32", "memory_mib": options.get("memory_mib", 2048)}
    mask, cut_mask = (open_volume(folder / name) if masked else None for name in ("mask.tif", "cut_mask.tif"))
    part = predict(folder, network, tmp_path / "a.zarr", BOX, mask=mask, **sizes)
    predict_volume(cut, network, tmp_path / "b.zarr", NEAREST, window=WINDOW, overlap=0.5, mask=cut_mask, **sizes)
    alone = StoredAffinities(tmp_path / "b.zarr")
    assert part.read_all().shape == (3, 14, 290, 67)
    np.testing.assert_allclose(part.read_all(), alone.read_all(), atol=1e-5)
    if masked:
        np.testing.assert_array_equal(part.read_all().any(axis=0), np.asarray(mask)[CUT] != 0)
    assert alone.offset_nm == ORIGIN
    assert part.offset_nm == (60 + 4 * 30, 12 + 7 * 6, 18 + 77 * 6)


def test_a_box_of_a_box_and_one_thinner_than_a_window(folder, network, tmp_path):
    mask = open_volume(folder / "mask.tif")
    (tissue,) = open_tissue([{"image": str(folder / "raw.zarr"), **BOX}])
    whole = predict(folder, network, tmp_path / "a.zarr", BOX, mask=mask, dtype="float32").read_all()
    box = (slice(2, 9), slice(29, 94), slice(30, 67))
    grid = grid_over(tissue.shape, WINDOW, 0.5, "gaussian")
    part = predict_box(tissue, network, grid, box, 3, dtype="float32", mask=mask)
    np.testing.assert_allclose(part, whole[(slice(None), *box)], atol=1e-5)
    assert part.any()

    # What the mask wants lies beyond the rows: no window is worth predicting.
    def refused(windows):
        raise AssertionError("nothing is wanted here")

    none = predict(folder, refused, tmp_path / "b.zarr", {**BOX, "rows": [30, 40]}, mask=mask)
    assert none.read_all().shape == (3, 14, 10, 67)
    assert not none.read_all().any()


def test_labels_of_a_box_lie_where_it_does_in_each_format(folder, network, run, tmp_path):
    at_nm = predict(folder, network, tmp_path / "a.zarr", BOX).offset_nm
    for name in ("a.ome.zarr", "a.precomputed"):
        assert run("segment", tmp_path / "a.zarr", tmp_path / name, "--boundary_threshold", 0.5)[0] == 0
        assert open_volume(tmp_path / name).offset_nm == at_nm
    said = json.loads((tmp_path / "a.ome.zarr/zarr.json").read_text())["attributes"]["ome"]["multiscales"][0]
    assert said["datasets"][0]["coordinateTransformations"][1]["translation"] == [180, 54, 480]
    assert json.loads((tmp_path / "a.precomputed/info").read_text())["scales"][0]["voxel_offset"] == [80, 9, 6]


def test_a_mask_spares_windows_and_leaves_what_it_wants_unchanged(folder, network, expected, tmp_path):
    calls = []

    def counted(windows):
        calls.append(len(windows))
        return network(windows)

    mask = open_volume(folder / "mask.tif")
    made = predict(folder, counted, tmp_path / "a.zarr", mask=mask, dtype="float32")
    inside = np.asarray(mask) > 0
    np.testing.assert_allclose(made.read_all()[:, inside], expected[:, inside], atol=1e-5)
    assert not made.read_all()[:, ~inside].any()
    grid = window_grid(SHAPE, WINDOW, 0.5)
    assert sum(calls) < np.prod([len(along) for along in grid.starts]) / 4


@pytest.mark.parametrize("memory_mib", [2048, 1.5])
def test_the_bar_ends_at_its_end_also_where_windows_are_skipped(folder, network, tmp_path, monkeypatch, memory_mib):
    bars = []

    class Bar(tqdm):
        def __init__(self, *args, **options):
            bars.append(self)
            super().__init__(*args, **{**options, "disable": False, "file": io.StringIO()})

    monkeypatch.setattr(sys.modules["sectome.inference.predict_volume"], "tqdm", Bar)
    mask = open_volume(folder / "mask.tif")
    predict(folder, network, tmp_path / "a.zarr", {**BOX, "sections": [0, 18]}, mask=mask, memory_mib=memory_mib)
    assert [bar.n for bar in bars] == [bars[0].total]
    assert (bars[0].total > 18) == (memory_mib == 1.5)


def test_a_volume_thinner_than_a_window_goes_on_as_its_mirror_image(folder, network, tmp_path):
    made = predict(folder, network, tmp_path / "a.zarr", {"sections": [0, 5]}, dtype="float32")
    (tissue,) = open_tissue([{"image": str(folder / "raw.zarr"), "sections": [0, 5]}])
    image = tissue.read((0, 0, 0), (8, *SHAPE[1:]))["image"][None]
    whole = StreamingInferer(WINDOW, overlap=0.5)(image, network)[0].sigmoid().numpy()
    np.testing.assert_allclose(made.read_all(), whole[:, :5], atol=1e-5)


def test_tiles_keep_to_a_volume_that_is_thinner_than_a_window(folder, network, tmp_path):
    entry, window = {"sections": [0, 2], "rows": [0, 100]}, (2, 160, 160)
    whole = predict(folder, network, tmp_path / "a.zarr", entry, window=window, dtype="float32")
    tiled = predict(folder, network, tmp_path / "b.zarr", entry, window=window, dtype="float32", memory_mib=1.4)
    np.testing.assert_array_equal(tiled.read_all(), whole.read_all())


def test_compressed_sections_are_decoded_once_for_all_windows(folder, network, expected, tmp_path, monkeypatch):
    write_volume(tmp_path / "raw", open_volume(folder / "raw.zarr"))
    (tissue,) = open_tissue([{"image": str(tmp_path / "raw")}])
    decoded, sections = [], tissue.image._open()._sections
    decode = sections._decode
    monkeypatch.setattr(sections, "_decode", lambda number: decoded.append(number) or decode(number))
    predict_volume(tissue, network, tmp_path / "a.zarr", NEAREST, window=WINDOW, overlap=0.5, batch_size=4)
    np.testing.assert_allclose(StoredAffinities(tmp_path / "a.zarr").read_all() / 255, expected, atol=0.6 / 255)
    assert decoded == list(range(SHAPE[0]))
    monkeypatch.setenv("SECTOME_CACHE_MB", "0")
    with pytest.warns(UserWarning, match="raw is compressed section by section"):
        predict_volume(tissue, network, tmp_path / "b.zarr", NEAREST, window=WINDOW, overlap=0.5, batch_size=4)


def test_each_chunk_is_written_once(folder, network, tmp_path, monkeypatch):
    written = np.zeros((3, *SHAPE), int)

    class Store:
        def __getitem__(self, place):
            written[place] += 1
            for part, depth in zip(place[1:], (4, 128, 128), strict=True):
                assert part.start % depth == 0
            return self

        def write(self, values, can_reference_source_data_indefinitely):
            return self

        def result(self):
            return None

    @contextlib.contextmanager
    def new_affinities(path, shape, *_, chunk, **__):
        assert chunk == (1, 4, 128, 128)
        yield Store()

    monkeypatch.setattr(sys.modules["sectome.inference.predict_volume"], "new_affinities", new_affinities)
    (tissue,) = open_tissue([{"image": str(folder / "raw.zarr")}])
    assert len(plan_tiles(grid_over(SHAPE, WINDOW, 0.5, "gaussian"), 3, "uint8", 4)) == 3
    sizes = {"window": WINDOW, "overlap": 0.5, "batch_size": 4, "memory_mib": 4}
    predict_volume(tissue, network, tmp_path / "a.zarr", NEAREST, **sizes)
    assert (written == 1).all()


@pytest.mark.parametrize(("memory_mib", "files"), [(2048, 6), (4, 18)])
def test_a_layer_of_a_tile_is_one_file(folder, network, tmp_path, expected, memory_mib, files):
    values = predict(folder, network, tmp_path / "a.zarr", memory_mib=memory_mib).read_all()
    assert sum(path.is_file() for path in (tmp_path / "a.zarr" / "c").rglob("*")) == files
    np.testing.assert_allclose(values / 255, expected, atol=0.5 / 255 + 1e-5)


def test_slabs_are_joined_to_layers_of_whole_chunks():
    affinity = {4: 0.25, 8: 0.5, 12: 0.75, 15: 1.0}
    slabs = [
        Slab(start, torch.full((1, depth, 1, 1), affinity[start]).logit())
        for start, depth in ((4, 4), (8, 4), (12, 3), (15, 8))
    ]
    # The memory of a layer is used again.
    layers = [(start, layer.ravel().round(6).tolist()) for start, layer in chunk_layers(iter(slabs), 4, "float32")]
    assert layers == [
        (4, [0.25] * 4),
        (8, [0.5] * 4),
        (12, [0.75] * 3 + [1]),
        (16, [1] * 4),
        (20, [1] * 3),
    ]


def test_a_first_slab_within_a_layer_has_zeros_before_it():
    layers = [
        (start, layer.ravel().tolist())
        for start, layer in chunk_layers(iter([Slab(6, torch.full((1, 3, 1, 1), torch.inf))]), 4, "uint8")
    ]
    assert layers == [(4, [0, 0, 255, 255]), (8, [255])]


def test_tiles_keep_within_their_memory_or_are_refused():
    grid = window_grid((64, 1000, 1500), (16, 96, 96), 0.5)
    assert len(plan_tiles(grid, 12, "uint8", 10_000)) == 1
    tiles = plan_tiles(grid, 12, "float32", 400)
    covered = np.zeros((1000, 1500), int)
    for tile in tiles:
        covered[tile.y, tile.x] += 1
        assert tile.y.start % 128 == tile.x.start % 128 == 0
        rows, columns = (
            min(part.stop - part.start + 192, whole) for part, whole in zip(tile, (1000, 1500), strict=True)
        )
        assert 4 * 12 * (16 * rows * columns + 2 * 8 * (rows - 192) * (columns - 192)) <= 400 * 2**20
    assert (covered == 1).all()
    with pytest.raises(InputError, match=r"memory_mib must be at least 87 for windows of \(16, 96, 96\), got 80"):
        plan_tiles(grid, 12, "float32", 80)
    assert len(plan_tiles(grid, 12, "uint8", 80)) == 8 * 12


@pytest.mark.parametrize("dtype", ["uint8", "float16", "float32"])
@pytest.mark.parametrize("overlap", [0, 0.25, 0.5])
def test_the_planned_memory_is_what_values_take(folder, network, tmp_path, monkeypatch, dtype, overlap):
    module, taken = sys.modules["sectome.inference.predict_volume"], {}

    def watched(name):
        produce = getattr(module, name)

        def each(*args, **options):
            for start, values in produce(*args, **options):
                # A slab is a view of the accumulator, which is kept whole.
                is_slab = isinstance(values, torch.Tensor)
                where, nbytes = (
                    (values.untyped_storage().data_ptr(), values.untyped_storage().nbytes())
                    if is_slab
                    else (values.ctypes.data, values.nbytes)
                )
                taken[where] = max(nbytes, taken.get(where, 0))
                yield Slab(start, values)

        monkeypatch.setattr(module, name, each)

    watched("blended_slabs")
    watched("chunk_layers")
    predict(folder, network, tmp_path / "a.zarr", overlap=overlap, dtype=dtype)
    mib = sum(taken.values()) / 2**20
    grid = grid_over(SHAPE, WINDOW, overlap, "gaussian")
    assert len(plan_tiles(grid, 3, dtype, mib)) == 1
    assert len(plan_tiles(grid, 3, dtype, mib * 0.999)) > 1


class StoppedError(Exception):
    """What ends a prediction in a test."""


class Counted:
    """A network that ends the prediction at a call after so many."""

    def __init__(self, network, most=sys.maxsize):
        self.network, self.most, self.calls = network, most, 0

    def __call__(self, windows):
        if self.calls == self.most:
            raise StoppedError
        self.calls += 1
        return self.network(windows)


@pytest.mark.parametrize("options", [{}, {"memory_mib": 1.5}, {"overlap": 0.25, "dtype": "float16"}], ids=str)
@pytest.mark.parametrize("masked", [False, True])
def test_a_prediction_that_is_stopped_goes_on_to_the_same_values(folder, network, tmp_path, options, masked):
    options = {"batch_size": 12, "identity": {"weights": 1}, "entry": {"rows": [0, 200], "columns": [0, 40]}, **options}
    if masked:
        mask = np.zeros(SHAPE, np.uint8)
        mask[6:, 100:200, 20:] = 1
        write_volume(tmp_path / "mask.tif", mask, voxel_size_nm=SIZE_NM)
        options["mask"] = open_volume(tmp_path / "mask.tif")
    undisturbed = Counted(network)
    whole = predict(folder, undisturbed, tmp_path / "whole.zarr", **options).read_all()
    spared = []
    for most in range(undisturbed.calls):
        path = tmp_path / f"{most}.zarr"
        with pytest.raises(StoppedError):
            predict(folder, Counted(network, most), path, **options)
        last = Counted(network)
        np.testing.assert_array_equal(predict(folder, last, path, **options).read_all(), whole)
        spared.append(undisturbed.calls - last.calls)
    assert spared[0] == 0
    assert spared == sorted(spared)
    assert spared[-1] >= undisturbed.calls // 4

    # Stopped twice.
    path, most = tmp_path / "twice.zarr", max(range(undisturbed.calls), key=lambda most: (spared[most] > 0, -most))
    for _ in range(2):
        with pytest.raises(StoppedError):
            predict(folder, Counted(network, most), path, **options)
    np.testing.assert_array_equal(predict(folder, network, path, **options).read_all(), whole)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".zarr", ".tif"}


def test_what_was_begun_otherwise_is_refused_and_stays(folder, network, tmp_path):
    path, run = tmp_path / "a.zarr", tmp_path / "a.zarr.run"
    with pytest.raises(StoppedError):
        predict(folder, Counted(network, 4), path, batch_size=400, identity={"weights": 1})
    assert (run / "done.npy").is_file()
    refused = {
        "weights 1, got 2": {"identity": {"weights": 2}},
        "overlap 0.5, got 0.25": {"overlap": 0.25},
        "dtype 'uint8', got 'float16'": {"dtype": "float16"},
        r"mask None, got \{": {"mask": open_volume(folder / "mask.tif")},
        r"sections \[0, 21\], got \[0, 18\]": {"entry": {"sections": [0, 18]}},
    }
    for said, options in refused.items():
        with pytest.raises(InputError, match=rf"a\.zarr\.run was begun with {said}.*, or remove .*a\.zarr\.run to"):
            predict(folder, network, path, **{"identity": {"weights": 1}, **options})
    with (
        RunFolder(run).in_use(),
        pytest.raises(InputError, match=r"that no other process is working on in .*, got one"),
    ):
        predict(folder, network, path, identity={"weights": 1})
    predict(folder, network, path, identity={"weights": 1})
    assert [path.name for path in tmp_path.iterdir()] == ["a.zarr"]
    predict(folder, network, path, overlap=0.25, identity={"weights": 2})


def test_it_begins_anew_where_what_was_written_is_gone(folder, network, expected, tmp_path):
    with pytest.raises(StoppedError):
        predict(folder, Counted(network, 4), tmp_path / "a.zarr", batch_size=400, identity={})
    shutil.rmtree(tmp_path / "a.zarr.run" / "output")
    with pytest.raises(StoppedError):
        predict(folder, Counted(network, 0), tmp_path / "a.zarr", batch_size=400, identity={})
    made = predict(folder, network, tmp_path / "a.zarr", identity={})
    np.testing.assert_allclose(made.read_all() / 255, expected, atol=0.6 / 255)


def test_an_output_is_replaced_when_the_new_one_is_complete(folder, network, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "a.zarr").symlink_to(tmp_path / "elsewhere" / "a.zarr")
    before = predict(folder, network, tmp_path / "a.zarr", identity={}).read_all()
    with pytest.raises(StoppedError):
        predict(folder, Counted(network, 4), tmp_path / "a.zarr", batch_size=400, identity={}, dtype="float32")
    np.testing.assert_array_equal(StoredAffinities(tmp_path / "a.zarr").read_all(), before)
    assert predict(folder, network, tmp_path / "a.zarr", identity={}, dtype="float32").dtype == np.float32
    assert (tmp_path / "a.zarr").is_symlink()
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["a.zarr"]


@pytest.mark.parametrize("identity", [None, {"weights": 1}])
def test_nothing_is_left_of_a_prediction_that_fails_at_its_start(folder, network, tmp_path, identity):
    with pytest.raises(StoppedError):
        predict(folder, Counted(network, 2), tmp_path / "a.zarr", identity=identity)
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_of_a_prediction_that_can_not_go_on(folder, network, tmp_path):
    with pytest.raises(StoppedError):
        predict(folder, Counted(network, 40), tmp_path / "a.zarr")
    assert not list(tmp_path.iterdir())


def test_a_mask_that_says_to_lie_elsewhere_is_doubted(folder, network, tmp_path):
    write_volume(tmp_path / "mask.zarr", np.zeros(SHAPE, np.uint8), voxel_size_nm=SIZE_NM, offset_nm=(90, 12, 18))
    with pytest.warns(UserWarning, match=r"and its mask .* begin at \(60.* and \(90.*they are compared voxel by voxel"):
        predict(folder, network, tmp_path / "a.zarr", mask=open_volume(tmp_path / "mask.zarr"))


def test_what_does_not_fit_is_refused(folder, network, tmp_path):
    write_volume(tmp_path / "small.tif", np.ones((2, 2, 2), np.uint8), voxel_size_nm=SIZE_NM)
    with pytest.raises(InputError, match=r"mask .* must have the image's shape \(21, 300, 150\), got \(2, 2, 2\)"):
        predict(folder, network, tmp_path / "a.zarr", mask=open_volume(tmp_path / "small.tif"))
    (resident,) = (one.on("cpu") for one in open_tissue([{"image": str(folder / "raw.zarr")}]))
    with pytest.raises(InputError, match=r"read from its file, got .*raw\.zarr, which is resident"):
        predict_volume(resident, network, tmp_path / "a.zarr", NEAREST, window=WINDOW)
    with pytest.raises(InputError, match="batch_size must be a whole number of at least 1, got 0"):
        predict(folder, network, tmp_path / "a.zarr", batch_size=0)
    with pytest.raises(InputError, match=r"a folder that ends in \.zarr, got .*a\.h5"):
        predict(folder, network, tmp_path / "a.h5")
    (tmp_path / "kept.zarr").mkdir()
    (tmp_path / "kept.zarr" / "note.txt").touch()
    with pytest.raises(InputError, match="something else, which stays as it is"):
        predict(folder, network, tmp_path / "kept.zarr")
