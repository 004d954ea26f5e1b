from __future__ import annotations

import json
import tracemalloc
from contextlib import nullcontext
from uuid import UUID

import numpy as np
import pytest
import tifffile
import torch

from sectome.checks import InputError
from sectome.volumes import open_volume, write_volume
from sectome.volumes.tiff import TiffReader

from .conftest import OFFSET, VOXEL_SIZE


def test_a_crop_of_a_large_stack_reads_only_the_crop(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.memmap(path, shape=(64, 1024, 1024), dtype=np.uint8, photometric="minisblack").flush()
    tracemalloc.start()
    crop = open_volume(path)[20:30, 100:200, 300:400]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert crop.shape == (10, 100, 100)
    assert peak < 3 * 2**20


def test_a_stack_whose_zero_is_white_is_read_as_it_is_stored_and_said(tmp_path, make_array):
    tifffile.imwrite(tmp_path / "a.tif", make_array(), photometric="miniswhite")
    with pytest.warns(UserWarning, match=r"a\.tif stores white as 0"):
        volume = open_volume(tmp_path / "a.tif")
    np.testing.assert_array_equal(volume[:], make_array())


_PALETTES = {
    "scrambled": (np.random.default_rng(0).permutation(256)[None].repeat(3, 0), True),
    "inverted": (np.arange(256)[None, ::-1].repeat(3, 0), True),
    "stretched": (np.clip(np.arange(-20, 236), 0, 200)[None].repeat(3, 0), False),
    "short": (np.where(np.arange(256) < 100, np.arange(256), 0)[None].repeat(3, 0), False),
    "of colours": (np.random.default_rng(0).integers(0, 256, (3, 256)), False),
}


@pytest.mark.parametrize(("palette", "is_said"), _PALETTES.values(), ids=_PALETTES)
@pytest.mark.parametrize("name", ["a.tif", "sections"])
def test_a_palette_of_greys_that_do_not_rise_is_said(tmp_path, make_array, palette, is_said, name):
    (tmp_path / "sections").mkdir()
    files = {"a.tif": make_array(), "sections/0.tif": make_array()[0], "sections/1.tif": make_array()[1]}
    for file, image in files.items():
        tifffile.imwrite(tmp_path / file, image, photometric="palette", colormap=(palette * 257).astype(np.uint16))
    with pytest.warns(UserWarning, match="has a palette whose greys do not") if is_said else nullcontext():
        volume = open_volume(tmp_path / name)
    np.testing.assert_array_equal(volume[:2], make_array()[:2])


@pytest.mark.parametrize("compression", ["zlib", "lzw", "zstd", "packbits"])
def test_a_compressed_stack_decodes_only_the_sections_of_the_crop(tmp_path, make_array, monkeypatch, compression):
    array = make_array(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", array, compression=compression, photometric="minisblack")
    volume = open_volume(tmp_path / "a.tif")
    decoded = []
    asarray = tifffile.TiffPage.asarray
    monkeypatch.setattr(
        tifffile.TiffPage, "asarray", lambda page, *args, **kw: (decoded.append(page.index), asarray(page))[1]
    )
    np.testing.assert_array_equal(volume[1:4:2, 2:5, ::-2], array[1:4:2, 2:5, ::-2])
    assert decoded == [1, 3]


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
def test_byte_orders_and_tiles_are_read(tmp_path, make_array, byteorder, tile):
    tifffile.imwrite(tmp_path / "a.tif", make_array(np.uint16), byteorder=byteorder, tile=tile)
    volume = open_volume(tmp_path / "a.tif")
    assert volume.dtype.isnative
    np.testing.assert_array_equal(volume[...], make_array(np.uint16))


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("dtype", [np.uint64, np.int64])
def test_integers_of_8_bytes_are_of_the_type_that_torch_takes(tmp_path, make_array, compression, dtype):
    tifffile.imwrite(tmp_path / "a.tif", make_array(dtype), compression=compression, photometric="minisblack")
    voxels = torch.from_numpy(open_volume(tmp_path / "a.tif")[...])
    np.testing.assert_array_equal(voxels.numpy(), make_array(dtype))


def test_sections_that_were_appended_one_by_one_are_one_stack(tmp_path, make_array):
    for section in make_array():
        tifffile.imwrite(tmp_path / "a.tif", section, append=True)
    np.testing.assert_array_equal(open_volume(tmp_path / "a.tif")[1:4], make_array()[1:4])


@pytest.mark.parametrize(("unit", "nm"), [("nm", 1), ("um", 1e3), ("\\u00B5m", 1e3), ("micron", 1e3)])
def test_imagejs_voxel_size_is_read_in_its_unit(tmp_path, make_array, unit, nm):
    metadata = {"axes": "ZYX", "spacing": 30 / nm, "unit": unit}
    tifffile.imwrite(tmp_path / "a.tif", make_array(), imagej=True, resolution=(nm / 8, nm / 6), metadata=metadata)
    assert open_volume(tmp_path / "a.tif").voxel_size_nm == VOXEL_SIZE


def test_imagejs_axes_may_have_units_of_their_own(tmp_path, make_array):
    metadata = {"axes": "ZYX", "spacing": 0.03, "unit": "nm", "yunit": "mm", "zunit": "um", "zorigin": -10}
    tifffile.imwrite(tmp_path / "a.tif", make_array(), imagej=True, resolution=(1 / 8, 1e6 / 6), metadata=metadata)
    volume = open_volume(tmp_path / "a.tif")
    assert volume.voxel_size_nm == VOXEL_SIZE
    assert volume.offset_nm == (300, 0, 0)


@pytest.mark.parametrize("metadata", [{"spacing": 30.0, "unit": "pixel"}, {"unit": "nm"}, {"spacing": 30.0}])
def test_imagejs_voxel_size_counts_only_with_unit_and_spacing(tmp_path, make_array, metadata):
    tifffile.imwrite(tmp_path / "a.tif", make_array(), imagej=True, resolution=(1 / 8, 1 / 6), metadata=metadata)
    assert open_volume(tmp_path / "a.tif").voxel_size_nm is None


def test_omes_voxel_size_is_read_in_each_axis_unit(tmp_path, make_array):
    metadata = {
        "axes": "ZYX",
        "PhysicalSizeZ": 30,
        "PhysicalSizeZUnit": "nm",
        "PhysicalSizeY": 0.006,
        "PhysicalSizeX": 0.008,
        "PhysicalSizeXUnit": "µm",
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", make_array(), metadata=metadata)
    volume = open_volume(tmp_path / "a.ome.tif")
    assert volume.voxel_size_nm == VOXEL_SIZE
    np.testing.assert_array_equal(volume[...], make_array())


_OME = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{uuid}"><Image ID="Image:0">
<Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="{x}" SizeY="{y}" SizeZ="{z}" SizeC="1" SizeT="1">
<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{planes}</Pixels></Image></OME>"""


def _save_ome_in_files(folder, array, sections):
    """Write an OME-TIFF set of so many sections in each of its files, of which each describes all."""
    places = [(file, page) for file, count in enumerate(sections) for page in range(count)]
    planes = "".join(
        f'<TiffData FirstZ="{z}" IFD="{page}" PlaneCount="1"><UUID FileName="{file}.ome.tif">urn:uuid:{UUID(int=file)}'
        "</UUID></TiffData>"
        for z, (file, page) in enumerate(places)
    )
    z, y, x = array.shape
    for file in range(len(sections)):
        text = _OME.format(uuid=UUID(int=file), x=x, y=y, z=z, planes=planes)
        with tifffile.TiffWriter(folder / f"{file}.ome.tif") as tiff:
            for section, (lies_in, page) in zip(array, places, strict=True):
                if lies_in == file:
                    description = None if page else text
                    tiff.write(section, photometric="minisblack", description=description, metadata=None)


def test_an_ome_tiff_in_several_files_is_read_by_any_of_them(tmp_path, make_array):
    _save_ome_in_files(tmp_path, make_array(), (1, 4))
    for name in ("0.ome.tif", "1.ome.tif"):
        np.testing.assert_array_equal(open_volume(tmp_path / name)[:], make_array())
    (tmp_path / "1.ome.tif").unlink()
    with pytest.raises(InputError, match="expected one page for each of 5 sections, got 1 pages"):
        open_volume(tmp_path / "0.ome.tif")


def test_a_voxel_size_in_a_json_description_is_read(tmp_path, make_array):
    description = json.dumps({"voxel_size_nm_zyx": VOXEL_SIZE, "source": "a peer"})
    tifffile.imwrite(tmp_path / "a.tif", make_array(), description=description, metadata=None, compression="zlib")
    assert open_volume(tmp_path / "a.tif").voxel_size_nm == VOXEL_SIZE


def test_imagej_reads_what_is_written_where_it_knows_the_type(tmp_path, make_array):
    for dtype, is_imagej in (("uint8", True), ("uint16", True), ("float32", True), ("uint32", False), ("int16", False)):
        write_volume(tmp_path / f"{dtype}.tif", make_array(dtype), voxel_size_nm=VOXEL_SIZE)
        with tifffile.TiffFile(tmp_path / f"{dtype}.tif") as file:
            assert file.is_imagej == is_imagej
            assert file.series[0].axes == "ZYX"
        assert TiffReader(tmp_path / f"{dtype}.tif")._mapped is not None


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("dtype", ["uint16", "uint32"])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.9, 0.97])
def test_a_truncated_stack_is_refused(tmp_path, make_array, truncate, dtype, kept, compression):
    array = make_array(dtype, (5, 40, 50))
    tifffile.imwrite(tmp_path / "a.tif", array, imagej=dtype == "uint16" and not compression, compression=compression)
    truncate(tmp_path / "a.tif", kept)
    with pytest.raises(InputError, match=r"expected a (complete|readable) TIFF.* .*a\.tif"):
        np.asarray(open_volume(tmp_path / "a.tif"))


@pytest.mark.parametrize(
    ("shape", "photometric", "message"),
    [
        ((7, 11), "minisblack", r"three axes \(z, y, x\), got 2 in shape \(7, 11\)"),
        ((2, 5, 7, 11), "minisblack", r"three axes \(z, y, x\), got 4 in shape \(2, 5, 7, 11\)"),
        ((7, 11, 3), "rgb", r"three axes \(z, y, x\), got 2 in shape \(7, 11\)"),
    ],
)
def test_images_that_are_no_grey_stack_are_refused(tmp_path, shape, photometric, message):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros(shape, np.uint8), photometric=photometric)
    with pytest.raises(InputError, match=message):
        open_volume(tmp_path / "a.tif")


@pytest.mark.parametrize("planarconfig", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_stack_of_colours_that_are_all_grey_is_grey_with_a_warning(tmp_path, make_array, planarconfig, compression):
    array = make_array(np.uint16)
    colours = np.stack([array] * 3, axis=-1 if planarconfig == "contig" else 1)
    tifffile.imwrite(tmp_path / "a.tif", colours, photometric="rgb", planarconfig=planarconfig, compression=compression)
    with pytest.warns(UserWarning, match=r"reading .*a\.tif as grey: it is stored as colour"):
        volume = open_volume(tmp_path / "a.tif")
    np.testing.assert_array_equal(volume[1:4:2, 2:5, ::-2], array[1:4:2, 2:5, ::-2])


def test_true_colour_is_refused_when_it_is_opened_or_else_where_it_is(tmp_path, make_array):
    colours = np.stack([make_array()] * 3, axis=-1)
    colours[3, 2, 2, 1] += 1
    tifffile.imwrite(tmp_path / "a.tif", colours, photometric="rgb")
    with pytest.warns(UserWarning, match="stored as colour"):
        volume = open_volume(tmp_path / "a.tif")
    with pytest.raises(InputError, match=r"expected grey values, .* got colour in section 3 of .*a\.tif"):
        volume[:]
    tifffile.imwrite(tmp_path / "a.tif", colours[3:], photometric="rgb")
    with pytest.raises(InputError, match=r"got colour in section 0 of .*a\.tif"):
        open_volume(tmp_path / "a.tif")


def test_a_large_voxel_size_of_many_digits_is_written(tmp_path, make_array):
    write_volume(tmp_path / "a.tif", make_array(), voxel_size_nm=(30000, 5123.456789, 98765.4321))
    assert open_volume(tmp_path / "a.tif").voxel_size_nm == (30000, 5123.46, 98765.4)


def test_imagejs_origin_is_the_offset(tmp_path, make_array):
    metadata = {"axes": "ZYX", "spacing": 0.03, "unit": "um", "xorigin": -6, "yorigin": 6.0, "zorigin": -10}
    tifffile.imwrite(tmp_path / "a.tif", make_array(), imagej=True, resolution=(1e3 / 8, 1e3 / 6), metadata=metadata)
    assert open_volume(tmp_path / "a.tif").offset_nm == OFFSET


@pytest.mark.parametrize("axes", ["XYZ", "YXZ", "YXZS"])
def test_a_stack_that_names_its_axes_in_another_order_is_refused(tmp_path, make_array, axes):
    array = np.stack([make_array()] * 3, -1) if "S" in axes else make_array()
    tifffile.imwrite(tmp_path / "a.tif", array, metadata={"axes": axes}, photometric="minisblack")
    with pytest.raises(InputError, match=rf"expected axes z, y, x, got {axes} in .*a\.tif"):
        open_volume(tmp_path / "a.tif")


def test_a_section_of_another_type_in_a_long_stack_is_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        for z in range(12):
            tiff.write(np.ones((7, 11), np.uint16 if z == 5 else np.uint8), photometric="minisblack", metadata=None)
    with pytest.raises(InputError, match=r"expected one stack in .*, got 2 images of 2 shapes"):
        open_volume(tmp_path / "a.tif")


def test_several_stacks_in_one_file_are_refused(tmp_path, make_array):
    tifffile.imwrite(tmp_path / "a.tif", make_array())
    tifffile.imwrite(tmp_path / "a.tif", make_array(np.uint8, (6, 4, 5)), append=True)
    with pytest.raises(InputError, match=r"expected one stack in .*, got 2 images of 2 shapes"):
        open_volume(tmp_path / "a.tif")
