"""Reading and writing pictures: size, channels and range are kept."""

import io

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

from sinefield.errors import InputError
from sinefield.signals import SAMPLES, read_image, resize, write_image
from sinefield.signals.image import from_pixels, sample_path

RNG = np.random.default_rng(0)


def bytes8(*shape):
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def bytes16(*shape):
    return RNG.integers(0, 65536, shape, dtype=np.uint16)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_eight_bits_are_written_and_read_exactly(tmp_path, mode, suffix):
    if suffix == ".webp" and mode in ("L", "LA"):
        pytest.skip("WebP has colors only")
    values = bytes8(9, 14, len(mode))
    write_image(path := tmp_path / f"a{suffix}", from_pixels(values, mode).samples, from_pixels(values, mode).header)
    back = read_image(path)
    assert back.values.dtype == np.uint8
    assert back.header.channels == (tuple(mode) if mode != "L" else ())
    if suffix == ".webp" and mode == "RGBA":  # colors under a transparent pixel are not kept
        visible = values[..., 3] > 0
        assert np.array_equal(back.values[visible], values[visible])
    else:
        assert np.array_equal(back.values, values)
    assert back.header.range[0] == (0.0, 255.0)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("bands", [1, 2, 3, 4])
def test_sixteen_bits_are_written_and_read_exactly(tmp_path, bands, suffix):
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[bands]
    values = bytes16(8, 11, bands)
    signal = from_pixels(values, mode)
    write_image(path := tmp_path / f"a{suffix}", signal.samples, signal.header)
    back = read_image(path)
    assert back.values.dtype == np.uint16
    assert np.array_equal(back.values, values)
    assert back.header.high == (65535.0,) * bands


def test_sixteen_bit_files_of_others_are_read(tmp_path):
    gray, color = bytes16(7, 5), bytes16(7, 5, 3)
    Image.fromarray(gray).save(tmp_path / "gray.png")
    (tmp_path / "color.png").write_bytes(imagecodecs.png_encode(color))
    tifffile.imwrite(tmp_path / "planes.tif", np.moveaxis(color, -1, 0), photometric="rgb", planarconfig="separate")
    tifffile.imwrite(tmp_path / "packed.tif", color, photometric="rgb", compression="zlib", tile=(16, 16))
    assert np.array_equal(read_image(tmp_path / "gray.png").samples, gray)
    for name in ("color.png", "planes.tif", "packed.tif"):
        assert np.array_equal(read_image(tmp_path / name).values, color), name


def test_floats_keep_their_numbers_and_their_range(tmp_path):
    values = RNG.normal(size=(6, 4)).astype(np.float32) * 100
    tifffile.imwrite(tmp_path / "a.tif", values)
    signal = read_image(tmp_path / "a.tif")
    assert np.array_equal(signal.samples, values)
    assert signal.header.range == [(values.min(), values.max())]


def test_palette_and_bilevel_pictures_have_their_displayed_values(tmp_path):
    colors = Image.fromarray(bytes8(12, 12, 3)).quantize(16)
    colors.save(tmp_path / "p.png")
    assert np.array_equal(read_image(tmp_path / "p.png").values, np.asarray(colors.convert("RGB")))
    colors.save(tmp_path / "pt.png", transparency=3)
    assert read_image(tmp_path / "pt.png").header.channels == tuple("RGBA")
    bits = Image.fromarray(bytes8(12, 12)).convert("1")
    bits.save(tmp_path / "b.png")
    assert np.array_equal(read_image(tmp_path / "b.png").samples, np.asarray(bits.convert("L")))


def test_cmyk_keeps_its_four_inks(tmp_path):
    inks = np.tile(np.array([10, 200, 90, 40], np.uint8), (16, 16, 1))
    Image.fromarray(inks, "CMYK").save(tmp_path / "a.tif")
    signal = read_image(tmp_path / "a.tif")
    assert signal.header.channels == tuple("CMYK")
    assert np.array_equal(signal.values, inks)
    Image.fromarray(inks, "CMYK").save(tmp_path / "a.jpg", quality=100)
    assert np.abs(read_image(tmp_path / "a.jpg").values.astype(int) - inks).max() <= 3
    write_image(tmp_path / "b.jpg", signal.samples, signal.header)
    with Image.open(tmp_path / "b.jpg") as picture:
        assert picture.mode == "CMYK"
    write_image(tmp_path / "b.png", signal.samples, signal.header)
    with Image.open(tmp_path / "b.png") as picture:
        assert picture.mode == "RGB"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("depth", [8, 16])
def test_exif_orientation_is_applied(tmp_path, orientation, depth):
    values = (bytes8 if depth == 8 else bytes16)(6, 9, 3)
    exif = Image.Exif()
    exif[274] = orientation
    if depth == 8:
        Image.fromarray(values).save(path := tmp_path / "a.png", exif=exif)
    else:
        tifffile.imwrite(
            path := tmp_path / "a.tif", values, photometric="rgb", extratags=[(274, "H", 1, orientation, True)]
        )
    upright = Image.fromarray((values >> (depth - 8)).astype(np.uint8))
    upright.getexif()[274] = orientation
    expected = np.asarray(ImageOps.exif_transpose(upright))
    assert np.array_equal((read_image(path).values >> (depth - 8)).astype(np.uint8), expected)


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (1, 1), (3, 10_000)])
def test_thin_and_wide_pictures(tmp_path, shape):
    values = bytes8(*shape)
    Image.fromarray(values).save(tmp_path / "a.png")
    signal = read_image(tmp_path / "a.png")
    assert np.array_equal(signal.samples, values)
    assert max(signal.header.domain.upper) == max(shape) - 0.5
    assert signal.header.domain.half_extent == (max(shape) / 2,) * 2


def test_resizing_keeps_proportions_and_agrees_with_pillow():
    values = bytes8(60, 100, 3)
    small = resize(from_pixels(values, "RGB"), 50)
    assert small.values.shape == (30, 50, 3)
    pillow = np.asarray(Image.fromarray(values).resize((50, 30), Image.Resampling.BILINEAR))
    assert np.abs(small.values.astype(int) - pillow).max() <= 1
    assert resize(from_pixels(values, "RGB"), (7, 5)).values.shape == (7, 5, 3)


def test_every_sample_is_read():
    for name in SAMPLES:
        assert sample_path(name).exists(), name
        assert read_image(name).header.kind == "image"


def test_signed_and_compressed_tiffs(tmp_path):
    signed = RNG.integers(-128, 128, (6, 7)).astype(np.int8)
    tifffile.imwrite(tmp_path / "signed.tif", signed)
    assert np.array_equal(read_image(tmp_path / "signed.tif").samples, signed)
    deep = bytes16(20, 30, 3)
    tifffile.imwrite(tmp_path / "lzw.tif", deep, photometric="rgb", compression="lzw")
    assert np.array_equal(read_image(tmp_path / "lzw.tif").values, deep)


def test_a_damaged_compressed_tiff_does_not_take_the_process_down(tmp_path):
    tifffile.imwrite(path := tmp_path / "lzw.tif", bytes16(40, 40, 3), photometric="rgb", compression="lzw")
    data = bytearray(path.read_bytes())
    for place in range(300, len(data) - 300, 97):
        data[place] ^= 0xFF
    path.write_bytes(bytes(data))
    try:
        read_image(path)
    except InputError as error:
        assert "\n" not in str(error)


def test_sixteen_bit_inks_stay_inks(tmp_path):
    inks = bytes16(6, 5, 4)
    signal = from_pixels(inks, "CMYK")
    write_image(tmp_path / "a.tif", signal.samples, signal.header)
    assert read_image(tmp_path / "a.tif").header.channels == tuple("CMYK")
    assert np.array_equal(read_image(tmp_path / "a.tif").values, inks)
    write_image(tmp_path / "a.png", signal.samples, signal.header)
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == "RGB"


def truncated_png():
    buffer = io.BytesIO()
    Image.fromarray(bytes8(64, 64, 3)).save(buffer, "PNG")
    return buffer.getvalue()[: len(buffer.getvalue()) // 2]


def truncated_jpeg():
    buffer = io.BytesIO()
    Image.fromarray(bytes8(64, 64, 3)).save(buffer, "JPEG")
    return buffer.getvalue()[: len(buffer.getvalue()) // 2]


def truncated_png16():
    data = imagecodecs.png_encode(bytes16(64, 64, 3))
    return data[: len(data) // 2]


def truncated_tiff16():
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, bytes16(64, 64, 3), photometric="rgb")
    return buffer.getvalue()[: len(buffer.getvalue()) // 2]


def bomb():
    buffer = io.BytesIO()
    Image.new("1", (60_000, 60_000)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("empty.png", b"", "empty"),
        ("text.png", b"this is no picture\n" * 20, "no picture"),
        ("cut.png", truncated_png(), "damaged or cut short"),
        ("cut.jpg", truncated_jpeg(), "damaged or cut short"),
        ("cut16.png", truncated_png16(), "damaged or cut short"),
        ("cut16.tif", truncated_tiff16(), "damaged or cut short"),
        ("bomb.png", bomb(), "million pixels"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, name, data, says):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=says) as found:
        read_image(tmp_path / name)
    assert name in str(found.value)
    assert "\n" not in str(found.value)


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_image(tmp_path / "nothing.png")
    with pytest.raises(InputError, match="folder"):
        read_image(tmp_path)


def test_nan_is_refused_with_its_place(tmp_path):
    values = np.zeros((5, 6), np.float32)
    values[2, 3] = np.nan
    tifffile.imwrite(tmp_path / "a.tif", values)
    with pytest.raises(InputError, match=r"1 NaN.*\(2, 3"):
        read_image(tmp_path / "a.tif")


def test_a_format_that_loses_a_channel_is_refused(tmp_path):
    signal = from_pixels(bytes8(8, 8, 4), "RGBA")
    with pytest.raises(InputError, match="alpha"):
        write_image(tmp_path / "a.jpg", signal.samples, signal.header)
    with pytest.raises(InputError, match="picture format"):
        write_image(tmp_path / "a.xyz", signal.samples, signal.header)
    with pytest.raises(InputError, match="does not exist"):
        write_image(tmp_path / "nowhere" / "a.png", signal.samples, signal.header)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("seed", range(40))
def test_random_damage_never_escapes(tmp_path, seed):
    rng = np.random.default_rng(seed)
    buffer = io.BytesIO()
    kind = ("PNG", "JPEG", "TIFF", "WEBP", "GIF")[seed % 5]
    Image.fromarray(bytes8(20, 20, 3)).save(buffer, kind)
    data = bytearray(buffer.getvalue())
    for place in rng.integers(0, len(data), 8):
        data[place] = rng.integers(0, 256)
    (tmp_path / "a.bin").write_bytes(bytes(data))
    try:
        read_image(tmp_path / "a.bin", max_pixels=10**6)
    except InputError as error:
        assert "\n" not in str(error)
