"""Pictures of transforms: all of them, on synthetic tissue and on a user's, small, and where the change is."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

import sectome.transforms
from sectome.report.figure_style import TEXT
from sectome.report.gallery import MASKS, make_gallery, public_transforms
from sectome.report.gallery_examples import EXAMPLES, OPTIONS
from sectome.report.gallery_figure import (
    UNLABELLED_TONE,
    Histogram,
    Picture,
    gallery_figure,
    grey_picture,
    label_picture,
    small_png,
)
from sectome.report.gallery_piece import Piece, phantom_piece
from sectome.report.gallery_views import Change, View
from sectome.report.reconstruction_figure import HIDDEN_TONE, tinted
from sectome.transforms import Augmentation
from sectome.volumes import write_volume

SHAPE = (12, 48, 48)
"""The full piece takes seconds a transform."""


@pytest.fixture(scope="module")
def phantom():
    return phantom_piece(3, SHAPE)


@pytest.fixture
def small_phantom(monkeypatch, phantom):
    """Let the gallery show a small piece of synthetic tissue."""
    monkeypatch.setattr("sectome.report.gallery.phantom_piece", lambda seed: phantom)


@pytest.fixture
def volumes(tmp_path, phantom):
    """A user's volume, larger than a piece along z only, and its labels."""
    write_volume(tmp_path / "raw.tif", phantom.image, voxel_size_nm=(30, 6, 6))
    write_volume(tmp_path / "labels.tif", phantom.labels, voxel_size_nm=(30, 6, 6))
    return tmp_path / "raw.tif", tmp_path / "labels.tif"


def test_every_public_transform_is_found_and_each_that_is_not_random_has_an_example():
    known = public_transforms()
    public = [name for name in sectome.transforms.__all__ if name + "d" in sectome.transforms.__all__]
    bases_and_readers = {"Augmentation", "LoadVolume", "TargetTransform", "ToImageAxes"}
    assert set(known) == set(public) - bases_and_readers
    random = {name for name, kind in known.items() if issubclass(kind, Augmentation)}
    assert set(EXAMPLES) == set(known) - random
    assert set(OPTIONS) <= random


@pytest.mark.slow
def test_all_are_written_small_and_read(small_phantom, tmp_path):
    paths = make_gallery(tmp_path / "pictures")
    assert [path.name for path in paths] == [f"{name}.png" for name in [*public_transforms(), MASKS]]
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == sorted(path.name for path in paths)
    for path in paths:
        assert path.stat().st_size < 150_000
        with Image.open(path) as picture:
            assert min(picture.size) > 300


def test_the_same_seed_gives_the_same_bytes_and_another_another(small_phantom, tmp_path):
    first, again, other = (
        make_gallery(tmp_path / name, ["SectionBlur"], seed=seed)[0].read_bytes()
        for name, seed in (("a", 0), ("b", 0), ("c", 20))
    )
    assert first == again
    assert first != other


def test_the_phantom_is_made_from_the_seed():
    first, second = phantom_piece(0, (4, 16, 16)), phantom_piece(1, (4, 16, 16))
    assert not np.array_equal(first.image, second.image)


def test_the_command_shows_some_of_them(small_phantom, run, tmp_path):
    code, out, _ = run("gallery", tmp_path / "out", "--names", "Fold,Relabel")
    assert (code, out) == (0, f"wrote 2 pictures to {tmp_path / 'out'}\n")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"Fold.png", "Relabel.png"}


@pytest.mark.parametrize("names", [["Elastic"], None])
def test_a_volume_without_labels_shows_what_needs_none(volumes, tmp_path, names):
    paths = make_gallery(tmp_path / "out", names, volume=str(volumes[0]))
    written = {path.stem for path in paths}
    needing_none = {name for name in public_transforms() if EXAMPLES.get(name, EXAMPLES["StandardiseIntensity"])}
    labelled = {name for name, example in EXAMPLES.items() if not example.source.endswith("image")}
    assert written == (set(names) if names else (needing_none - labelled) | {MASKS})


@pytest.mark.slow
def test_a_volume_with_labels_shows_all(volumes, run, tmp_path):
    raw, labels = volumes
    code, out, _ = run("gallery", tmp_path / "out", "--volume", raw, "--labels", labels)
    assert code == 0
    assert f"wrote {len(public_transforms()) + 1} pictures" in out


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
def test_volumes_of_any_type_and_odd_shapes_are_shown(tmp_path, phantom, dtype):
    write_volume(tmp_path / "raw.tif", phantom.image[:9, :37, :33].astype(dtype) * 3, voxel_size_nm=(50, 4, 4))
    names = ["RandomOrientation", "StandardiseIntensity", "PercentileIntensity", "Misalignment", MASKS]
    assert len(make_gallery(tmp_path / "out", names, volume=str(tmp_path / "raw.tif"))) == 5


def test_a_mask_is_shown_by_what_needs_numbers(tmp_path, phantom):
    np.save(tmp_path / "mask.npy", phantom.image > 100)
    names = ["Gamma", "StandardiseIntensity", "PercentileIntensity", MASKS]
    paths = make_gallery(tmp_path / "out", names, volume=str(tmp_path / "mask.npy"), voxel_size_nm=(30, 6, 6))
    assert len(paths) == 4


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--names", "Folds"], "names must be one of 'AffinityTargets', 'BoundaryContour', "),
        (
            ["--names", "Relabel", "--volume", "RAW"],
            "expected labels for Relabel, which changes them, got a volume without",
        ),
        (["--labels", "LABELS"], "labels must be given with a volume, got"),
        (["--volume", "none.tif"], "none.tif"),
        (["--volume", "RAW", "--labels", "OTHER"], "must have the image's shape (12, 48, 48), got (11, 48, 48)"),
        (["--volume", "RAW", "--labels", "FLOATS"], "labels must be integers, got float32"),
        (["--volume", "BARE"], "no voxel size in"),
    ],
)
def test_a_mistake_is_one_sentence_and_nothing_is_written(small_phantom, volumes, run, tmp_path, arguments, sentence):
    raw, labels = volumes
    paths = {"RAW": raw, "LABELS": labels}
    for name, array in (("OTHER", np.ones((11, 48, 48), np.uint8)), ("FLOATS", np.ones(SHAPE, np.float32))):
        paths[name] = tmp_path / f"{name}.tif"
        write_volume(paths[name], array, voxel_size_nm=(30, 6, 6))
    paths["BARE"] = tmp_path / "bare.npy"
    np.save(paths["BARE"], np.ones(SHAPE, np.uint8))
    code, _, err = run("gallery", tmp_path / "out", *(paths.get(one, one) for one in arguments))
    assert code == 2
    assert err.startswith("error: ")
    assert sentence in err
    assert err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_change_of_one_section_is_shown_with_its_neighbours():
    amount = np.zeros((10, 6, 8))
    amount[4, 2] = 1
    views = Change(amount).views(labels_move=False)
    assert [view.title for view in views] == ["section 3", "section 4", "section 5", "xz"]
    assert views[-1].index == 2
    views = Change(amount).views(labels_move=True)
    assert [view.title for view in views] == ["section 3", "section 4", "labels, section 4", "xz", "labels, xz"]


def test_a_shift_of_all_that_follow_is_shown_where_it_begins():
    amount = np.zeros((10, 6, 8))
    amount[6:] = np.arange(1, 5)[:, None, None]
    assert Change(amount).section == 6


def test_a_change_of_all_sections_is_shown_in_the_middle_with_grey_values():
    change = Change(np.ones((10, 6, 8)))
    assert [view.title for view in change.views(labels_move=False)] == ["section 5", "xz", "grey values"]
    assert not change.partial


def test_inner_sections_are_shown_rather_than_stronger_changes_at_an_end():
    inner, end = np.zeros((12, 4, 4)), np.zeros((12, 4, 4))
    inner[5] = 1
    end[0] = 3
    assert max((Change(end), Change(inner)), key=lambda change: change.rank).section == 5


def test_pictures_have_the_proportions_of_the_tissue_under_a_title_that_fits():
    pictures = [Picture(np.zeros((20, 40)), 200, 400), Picture(np.ones((5, 40)), 100, 400, "caption")]
    title = "Name(" + ", ".join(f"option_{number}=(1.0, 2.0)" for number in range(8)) + ")"
    figure = gallery_figure(title, ["a", "b", "c"], ["row"], [[*pictures, Histogram(np.arange(10.0))]])
    width, height = figure.get_size_inches()
    for axes, picture in zip(figure.axes, pictures, strict=False):
        assert axes.images[0].get_extent() == [0, picture.width_nm, picture.height_nm, 0]
    box = figure.axes[0].get_position()
    assert box.height * height / (box.width * width) == pytest.approx(0.5)
    renderer = figure.canvas.get_renderer() if hasattr(figure.canvas, "get_renderer") else None
    for text in figure.texts:
        extent = text.get_window_extent(renderer)
        assert extent.x1 <= width * figure.dpi
        assert extent.y1 <= height * figure.dpi
        assert extent.y0 >= 0


def test_a_small_picture_keeps_its_greys_and_its_transparent_ground():
    greys = np.repeat(np.linspace(0, 1, 32)[None], 32, axis=0)
    figure = gallery_figure("Name()", ["a"], ["row"], [[Picture(greys, 32, 32)]])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", transparent=True)
    before = np.asarray(Image.open(buffer)).astype(int)
    after = np.asarray(Image.open(io.BytesIO(small_png(figure))).convert("RGBA")).astype(int)
    opaque = before[..., 3] == 255
    assert np.abs(before - after)[opaque].max() <= 2
    assert np.abs(before - after)[..., 3].max() <= 10
    assert after[0, 0, 3] == 0
    text = (~opaque) & (after[..., 3] > 0)
    assert {tuple(dot[:3]) for dot in after[text]} == {tuple(bytes.fromhex(TEXT[1:]))}


def test_labels_and_targets_that_are_not_known_have_a_tone_of_their_own():
    grey = grey_picture(np.array([[0.0, 5.0, 20.0]]), (0, 10))
    assert grey[0] == pytest.approx([0, 0.5, 1], abs=0.02)
    labels = label_picture(grey, np.array([[0, -1, 3]]))
    assert labels[0, 0].tolist() == [0, 0, 0]
    assert tuple(labels[0, 1]) == UNLABELLED_TONE
    assert len(set(labels[0, 2])) > 1
    targets = tinted(grey_picture(np.array([[1, 0]]), (0, 1)), np.array([[False, True]]))
    assert targets.tolist() == [[[1, 1, 1], list(HIDDEN_TONE)]]


def test_sources_are_made_of_labels_that_do_not_change(phantom):
    before = phantom.labels.copy()
    sparse, merged = phantom.source("sparse labels"), phantom.source("merged labels")
    assert np.array_equal(sparse > 0, before > 0)
    assert sparse.max() > 1000
    assert set(np.unique(merged)) <= set(range(12))
    assert np.array_equal(phantom.labels, before)
    assert Piece(phantom.image, None, None, (30, 6, 6)).source("mitochondria") is None
    assert View("image", "xy", 0).title == "section 0"
    assert torch.from_numpy(phantom.source("uneven image")).dtype == torch.uint8
