from __future__ import annotations

from contextlib import nullcontext

import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile
from PIL import Image

from sectome.checks import InputError
from sectome.volumes import open_volume, write_volume


def _save(folder, array, name="im{}.png", first=0):
    folder.mkdir(exist_ok=True)
    for number, section in enumerate(array, first):
        imageio.imwrite(folder / name.format(number), section)


@pytest.mark.parametrize("name", ["im{}.png", "{}.PNG", "s1_z{:04}_aligned.png", "seg{:03}.tif", "{}.tiff"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_sections_are_sorted_as_numbers(tmp_path, make_array, name, dtype):
    array = make_array(dtype, (12, 7, 11))
    _save(tmp_path / "a", array, name, first=95)
    (tmp_path / "a" / "Thumbs.db").write_bytes(b"")
    (tmp_path / "a" / "._im0.png").write_bytes(b"")
    volume = open_volume(tmp_path / "a")
    assert (volume.shape, volume.dtype) == (array.shape, array.dtype)
    np.testing.assert_array_equal(volume[2:9:3, 1:4, ::-1], array[2:9:3, 1:4, ::-1])


def test_a_crop_decodes_only_its_sections(tmp_path, make_array):
    _save(tmp_path / "a", make_array())
    volume = open_volume(tmp_path / "a")
    for number in (0, 1, 4):
        content = (tmp_path / "a" / f"im{number}.png").read_bytes()
        (tmp_path / "a" / f"im{number}.png").write_bytes(content[:40])
    np.testing.assert_array_equal(volume[2:4], make_array()[2:4])
    with pytest.raises(InputError, match=r"expected a readable image, got .*im4\.png"):
        volume[4]


@pytest.mark.parametrize(("suffix", "channels"), [("png", 2), ("png", 3), ("png", 4), ("tif", 3), ("tif", 4)])
def test_colours_that_are_all_grey_are_one_channel(tmp_path, make_array, suffix, channels):
    array = make_array()
    (tmp_path / "a").mkdir()
    for number, section in enumerate(array):
        colours = np.repeat(section[..., None], channels, axis=-1)
        if channels in (2, 4):
            colours[..., -1] = 255
        if suffix == "png":
            imageio.imwrite(tmp_path / "a" / f"{number}.png", colours)
        else:
            tifffile.imwrite(tmp_path / "a" / f"{number}.tif", colours, photometric="rgb")
    with pytest.warns(UserWarning, match="as grey: it is stored as colour") if channels > 2 else nullcontext():
        volume = open_volume(tmp_path / "a")
    assert volume.shape == array.shape
    np.testing.assert_array_equal(volume[...], array)


def test_a_section_whose_zero_is_white_is_read_as_it_is_stored_and_said(tmp_path, make_array):
    (tmp_path / "a").mkdir()
    for number, section in enumerate(make_array()):
        photometric = "miniswhite" if number == 3 else "minisblack"
        tifffile.imwrite(tmp_path / "a" / f"{number}.tif", section, photometric=photometric)
    with pytest.warns(UserWarning, match=r"3\.tif stores white as 0"):
        volume = open_volume(tmp_path / "a")
    np.testing.assert_array_equal(volume[:], make_array())


def test_colour_is_refused(tmp_path, make_array):
    (tmp_path / "a").mkdir()
    imageio.imwrite(tmp_path / "a" / "0.png", np.moveaxis(make_array(np.uint8, (3, 7, 11)), 0, -1))
    with pytest.raises(InputError, match=r"expected grey values, or equal red, green and blue, got colour in .*0\.png"):
        open_volume(tmp_path / "a")


def test_colour_in_a_later_section_is_refused_by_name(tmp_path, make_array):
    (tmp_path / "a").mkdir()
    imageio.imwrite(tmp_path / "a" / "0.png", make_array()[0])
    imageio.imwrite(tmp_path / "a" / "1.png", np.stack([make_array()[1]] * 3, axis=-1))
    imageio.imwrite(tmp_path / "a" / "2.png", np.moveaxis(make_array(np.uint8, (3, 7, 11)), 0, -1))
    with pytest.warns(UserWarning, match="stored as colour"):
        volume = open_volume(tmp_path / "a")
    np.testing.assert_array_equal(volume[:2], make_array()[:2])
    with pytest.raises(InputError, match=r"got colour in .*2\.png"):
        volume[2]


def test_a_section_that_went_away_is_named(tmp_path, make_array):
    _save(tmp_path / "a", make_array())
    volume = open_volume(tmp_path / "a")
    (tmp_path / "a" / "im3.png").unlink()
    with pytest.raises(InputError, match=r"expected a readable image, got .*im3\.png"):
        volume[2:5]


def test_black_and_white_masks_are_read(tmp_path):
    mask = np.eye(9, dtype=bool)
    (tmp_path / "a").mkdir()
    Image.fromarray(mask).save(tmp_path / "a" / "0.png")
    np.testing.assert_array_equal(open_volume(tmp_path / "a")[0] > 0, mask)


def test_a_missing_number_is_named(tmp_path, make_array):
    _save(tmp_path / "a", make_array())
    (tmp_path / "a" / "im3.png").unlink()
    with pytest.raises(InputError, match="expected sections without gaps, got none numbered 3 in"):
        open_volume(tmp_path / "a")


def test_sections_of_two_shapes_or_types_are_refused(tmp_path, make_array):
    _save(tmp_path / "a", make_array())
    imageio.imwrite(tmp_path / "a" / "im5.png", np.zeros((7, 12), np.uint8))
    with pytest.raises(
        InputError, match=r"sections of one shape, \(7, 11\) uint8 .*, got \(7, 12\) uint8 in .*im5\.png"
    ):
        open_volume(tmp_path / "a")
    imageio.imwrite(tmp_path / "a" / "im5.png", np.zeros((7, 11), np.uint16))
    with pytest.raises(InputError, match=r"got \(7, 11\) uint16 in .*im5\.png"):
        open_volume(tmp_path / "a")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("im1.png", "im01.png"), "expected each section once, got im01.png and im1.png"),
        (("raw0.png", "mask1.png"), "differ in a number only, got mask1.png and raw0.png"),
        (("first.png", "second.png"), "expected a number in the name of each section, got first.png in"),
        (("a0.png", "second.png"), "differ in a number only, got a0.png and second.png"),
        (("a0_b0.png", "a1_b1.png"), "differ in one number, got 2 that change"),
    ],
)
def test_names_that_do_not_count_sections_are_refused(tmp_path, names, message):
    (tmp_path / "a").mkdir()
    for name in names:
        imageio.imwrite(tmp_path / "a" / name, np.zeros((7, 11), np.uint8))
    with pytest.raises(InputError, match=message):
        open_volume(tmp_path / "a")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(
        InputError, match=r"expected numbered sections \(\.png, \.tif, \.tiff\) in the folder .*, got none"
    ):
        open_volume(tmp_path)


def test_a_folder_of_stacks_is_refused(tmp_path, make_array):
    tifffile.imwrite(tmp_path / "0.tif", make_array())
    with pytest.raises(InputError, match=r"expected one section in .*0\.tif, got shape \(5, 7, 11\)"):
        open_volume(tmp_path)


def test_an_image_of_another_kind_is_unreadable(tmp_path):
    (tmp_path / "0.png").write_bytes(b"GIF89a")
    with pytest.raises(InputError, match=r"expected a readable image, got .*0\.png: it does not start as a PNG does"):
        open_volume(tmp_path)


def test_written_sections_are_read_by_other_tools(tmp_path, make_array):
    write_volume(tmp_path / "a", make_array(np.uint16))
    assert [file.name for file in sorted((tmp_path / "a").iterdir())][::4] == ["section0000.png", "section0004.png"]
    np.testing.assert_array_equal(imageio.imread(tmp_path / "a" / "section0003.png"), make_array(np.uint16)[3])
    write_volume(tmp_path / "b", make_array(np.uint32))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b" / "section0003.tif"), make_array(np.uint32)[3])


@pytest.mark.parametrize(
    ("content", "got"), [("{", "as JSON, got: Expecting"), ("[30, 6, 6]", "as a JSON object, got list")]
)
def test_a_damaged_sidecar_is_refused(tmp_path, make_array, content, got):
    _save(tmp_path, make_array())
    (tmp_path / "volume.json").write_text(content)
    with pytest.raises(InputError, match=rf"volume\.json must hold voxel size and offset {got}"):
        open_volume(tmp_path)
