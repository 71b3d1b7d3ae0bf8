"""Pictures and arrays that stay on disk: their samples are correct, and they are never loaded as a whole."""

import shutil
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from sinefield.errors import InputError
from sinefield.signals import from_array, gray, image, read_image, resize, scratch
from sinefield.signals.array import read_array, write_array
from sinefield.signals.chunks import rechunk
from sinefield.signals.image import from_pixels, write_image, write_pixels
from sinefield.signals.signal import MAX_SAMPLES

RNG = np.random.default_rng(0)


@pytest.fixture
def small_is_large(monkeypatch):
    monkeypatch.setattr(scratch, "LARGE", 1000)


def numbers(shape, dtype):
    if np.dtype(dtype).kind == "f":
        return RNG.normal(size=shape).astype(dtype)
    return RNG.integers(0, min(np.iinfo(dtype).max, 2**31) + 1, shape).astype(dtype)


def is_mapped(values):
    while isinstance(values.base, np.ndarray):
        values = values.base
    return isinstance(values, np.memmap)


def count_components(samples, dim, count=777):
    """The samples of an array with a number of axes, flattened, in chunks of unequal size."""
    flat = samples.reshape(-1, *samples.shape[dim:])
    return (flat[start : start + count] for start in range(0, len(flat), count))


LAYOUTS = {
    "contiguous": {},
    "big-endian": {"byteorder": ">"},
    "BigTIFF": {"bigtiff": True, "rowsperstrip": 7},
    "tiles": {"tile": (32, 48)},
    "deflated tiles": {"tile": (32, 48), "compression": "zlib", "predictor": True},
    "big-endian deflated": {"byteorder": ">", "compression": "zlib", "rowsperstrip": 7},
    "LZW strips": {"compression": "lzw", "rowsperstrip": 7},
    "LZW in one strip": {"compression": "lzw", "rowsperstrip": 100},
}


@pytest.mark.usefixtures("small_is_large")
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("planes", ["contig", "separate"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_large_tiff_is_read_from_disk(tmp_path, dtype, planes, layout):
    values = numbers((100, 130, 3), dtype)
    stored = values if planes == "contig" else np.moveaxis(values, -1, 0)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", planarconfig=planes, **LAYOUTS[layout])
    signal = read_image(tmp_path / "a.tif")
    assert is_mapped(signal.values)
    assert signal.header.dtype == dtype
    assert np.array_equal(signal.values, values)
    index = RNG.integers(0, signal.size, 100)
    assert np.array_equal(signal.at(index)[1], values.reshape(-1, 3)[index])


@pytest.mark.usefixtures("small_is_large")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_large_tiff_is_turned_upright_on_disk(tmp_path, monkeypatch, orientation):
    values = numbers((60, 90), "uint16")
    tags = [(274, "H", 1, orientation, True)]
    tifffile.imwrite(path := tmp_path / "a.tif", values, photometric="minisblack", extratags=tags)
    large = read_image(path)
    monkeypatch.setattr(scratch, "LARGE", 10**9)
    small = read_image(path)
    assert is_mapped(large.values)
    assert not is_mapped(small.values)
    assert np.array_equal(large.values, small.values)


@pytest.mark.usefixtures("small_is_large")
@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_pictures_in_which_zero_is_white_are_inverted(tmp_path, dtype, compression):
    values = numbers((60, 90), dtype)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="miniswhite", compression=compression)
    signal = read_image(tmp_path / "a.tif")
    assert is_mapped(signal.values)
    assert np.array_equal(signal.samples, np.iinfo(dtype).max - values)


@pytest.mark.usefixtures("small_is_large")
def test_half_floats_inks_and_jpeg(tmp_path, monkeypatch):
    halves = numbers((60, 90), "float16")
    tifffile.imwrite(tmp_path / "half.tif", halves)
    assert np.array_equal(read_image(tmp_path / "half.tif").samples, halves.astype(np.float32))
    inks = numbers((40, 50, 4), "uint8")
    tifffile.imwrite(tmp_path / "inks.tif", inks, photometric="separated")
    assert read_image(tmp_path / "inks.tif").header.channels == tuple("CMYK")
    smooth = np.add.outer(np.arange(64), np.arange(96)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "jpeg.tif", np.stack([smooth] * 3, axis=-1), photometric="ycbcr", compression="jpeg")
    large = read_image(tmp_path / "jpeg.tif")
    assert is_mapped(large.values)
    monkeypatch.setattr(scratch, "LARGE", 10**9)
    assert np.abs(large.values.astype(int) - read_image(tmp_path / "jpeg.tif").values).max() <= 2


@pytest.mark.usefixtures("small_is_large")
def test_palette_images_are_converted_by_their_palette(tmp_path):
    colors = Image.fromarray(numbers((60, 90, 3), "uint8")).quantize(16)
    colors.save(tmp_path / "p.tif")
    assert np.array_equal(read_image(tmp_path / "p.tif").values, np.asarray(colors.convert("RGB")))
    Image.fromarray(numbers((60, 90), "uint8")).convert("1").save(tmp_path / "b.tif")
    assert set(np.unique(read_image(tmp_path / "b.tif").values)) == {0, 255}


@pytest.mark.usefixtures("small_is_large")
@pytest.mark.parametrize("layout", ["contiguous", "deflated tiles", "LZW strips"])
def test_a_large_tiff_that_is_cut_short_is_refused(tmp_path, layout):
    tifffile.imwrite(path := tmp_path / "a.tif", numbers((100, 130), "uint16"), **LAYOUTS[layout])
    path.write_bytes(path.read_bytes()[:-9000])
    with pytest.raises(InputError, match="damaged or cut short"):
        read_image(path)


@pytest.mark.usefixtures("small_is_large")
@pytest.mark.parametrize("seed", range(6))
def test_damage_to_a_large_tiff_never_escapes(tmp_path, seed):
    rng = np.random.default_rng(seed)
    options = LAYOUTS["LZW strips" if seed % 2 else "contiguous"]
    tifffile.imwrite(path := tmp_path / "a.tif", numbers((40, 50), "uint16"), metadata=None, **options)
    data = bytearray(path.read_bytes())
    for place in (*rng.integers(4, 200, 4), *rng.integers(0, len(data), 4)):
        data[place] = rng.integers(0, 256)
    path.write_bytes(bytes(data))
    try:
        read_image(path, max_pixels=10**6)
    except InputError as error:
        assert "\n" not in str(error)


@pytest.mark.usefixtures("small_is_large")
def test_output_beyond_the_free_disk_space_is_refused(tmp_path, monkeypatch):
    tifffile.imwrite(path := tmp_path / "a.tif", numbers((100, 130), "uint16"), compression="zlib")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: namedtuple("Usage", "free")(20_000))
    with pytest.raises(InputError, match="TMPDIR"):
        read_image(path)
    with pytest.raises(InputError, match="has room for"):
        write_array(tmp_path / "a.npy", iter([np.zeros(10_000)]), (10_000,))
    assert [each.name for each in tmp_path.iterdir()] == ["a.tif"]


@pytest.mark.usefixtures("small_is_large")
def test_compressed_files_that_expand_beyond_the_memory_are_refused(tmp_path):
    blank = (np.zeros((4096, 4096), np.uint8) for _ in range(4))
    packing = {"compression": "zstd", "compressionargs": {"level": 19}}
    tifffile.imwrite(
        path := tmp_path / "a.tif", blank, shape=(8192, 8192), dtype=np.uint8, tile=(4096, 4096), **packing
    )
    with pytest.raises(InputError, match="67 million pixels"):
        read_image(path, max_pixels=2 * 10**7)
    assert read_image(path, max_pixels=10**8).size == 8192**2


@pytest.mark.parametrize("suffix", [".tif", ".npy"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int64", "float16", "float32", "float64"])
@pytest.mark.parametrize("bands", [(), (2,), (3,), (3, 2), (5,)])
def test_a_picture_is_written_piece_by_piece(tmp_path, suffix, dtype, bands):
    samples = numbers((300, 270, *bands), dtype)
    header = from_pixels(numbers((300, 270, 3), "uint8"), "RGB").header
    write_pixels(path := tmp_path / f"a{suffix}", count_components(samples, 2), (300, 270), header)
    back = np.load(path) if suffix == ".npy" else tifffile.imread(path)
    assert back.dtype == dtype
    assert np.array_equal(back, samples if suffix == ".npy" else samples.reshape(300, 270, *[-1] * bool(bands)))


def test_other_programs_see_the_colours_of_a_tiff(tmp_path):
    for mode in ("L", "LA", "RGB", "RGBA", "CMYK"):
        signal = from_pixels(numbers((40, 300, len(mode)), "uint8"), mode)
        write_image(tmp_path / "a.tif", signal.samples, signal.header)
        with Image.open(tmp_path / "a.tif") as picture:
            assert picture.mode == mode
            assert np.array_equal(np.asarray(picture), signal.samples)


def test_true_is_white(tmp_path):
    mask = RNG.random((20, 30)) > 0.5
    write_image(tmp_path / "a.tif", mask, from_array(mask).header)
    assert np.array_equal(read_image(tmp_path / "a.tif").samples, 255 * mask.astype(np.uint8))


def test_a_png_is_gathered_up_to_a_limit(tmp_path):
    signal = from_pixels(numbers((30, 50, 3), "uint8"), "RGB")
    write_pixels(tmp_path / "a.png", count_components(signal.samples, 2), (30, 50), signal.header)
    assert np.array_equal(read_image(tmp_path / "a.png").values, signal.values)
    with pytest.raises(InputError, match=r"\.tif piece by piece"):
        write_pixels(tmp_path / "b.png", iter(()), (MAX_SAMPLES, 2), signal.header)


@pytest.mark.parametrize("size", [(17, 23), (90, 31), (200, 300), (1, 5)])
def test_resizing_in_blocks_equals_resizing_the_picture(monkeypatch, size):
    signal = from_pixels(numbers((90, 70, 3), "float32"), "RGB")
    whole = resize(signal, size).values
    monkeypatch.setattr(image, "_BLOCK_SIZE", 2000)
    assert np.abs(resize(signal, size).values - whole).max() < 1e-5


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_a_large_picture_is_made_grey_on_disk(monkeypatch, dtype):
    signal = from_pixels(numbers((90, 70, 3), dtype), "RGB")
    small = gray(signal)
    monkeypatch.setattr(scratch, "LARGE", 1000)
    large = gray(signal)
    assert is_mapped(large.values)
    assert not is_mapped(small.values)
    assert np.array_equal(large.values, small.values)
    luma = signal.values @ np.array([0.299, 0.587, 0.114])
    assert np.abs(small.samples - luma).max() <= (0.5 if dtype == "uint8" else 1e-6)


@pytest.mark.parametrize("count", [1, 5, 12, 100])
def test_regrouped_samples_are_the_same_ones(count):
    samples = numbers((47, 2), "uint8")
    groups = list(rechunk((samples[a:b] for a, b in [(0, 3), (3, 3), (3, 40), (40, 47)]), count))
    assert {len(group) for group in groups[:-1]} <= {count}
    assert 0 < len(groups[-1]) <= count
    assert np.array_equal(np.concatenate(groups), samples)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["uint8", "bool", ">i2", "float16", ">f8"])
@pytest.mark.parametrize("limit", [10, 10**9])
def test_an_array_comes_back_from_its_file(tmp_path, monkeypatch, order, dtype, limit):
    monkeypatch.setattr(scratch, "LARGE", limit)
    values = np.asarray(RNG.random((5, 6, 7)) * 2, dtype, order=order)
    np.save(tmp_path / "a.npy", values)
    np.savez(tmp_path / "one.npz", values)
    np.savez_compressed(tmp_path / "two.npz", first=np.arange(3), second=values)
    for name, key in (("a.npy", None), ("one.npz", None), ("two.npz", "second")):
        signal = read_array(tmp_path / name, key=key)
        assert is_mapped(signal.values) == (limit == 10)
        assert np.array_equal(signal.samples, values)
        assert np.dtype(signal.header.dtype).isnative
        assert signal.name == Path(name).stem
    assert read_array(tmp_path / "a.npy", channel_axis=0).header.shape == (6, 7)


def test_an_array_that_is_mapped_is_not_copied(tmp_path):
    np.save(tmp_path / "a.npy", numbers((20, 30), "float32"))
    signal = from_array(np.load(tmp_path / "a.npy", mmap_mode="r"))
    assert is_mapped(signal.values)


def test_pieces_of_an_array_make_a_file(tmp_path):
    values = numbers((4, 5, 6, 3), "float32")
    write_array(tmp_path / "a.npy", count_components(values, 3, 17), (4, 5, 6))
    assert np.array_equal(np.load(tmp_path / "a.npy"), values)


@pytest.mark.parametrize("limit", [10, 10**9])
def test_bad_arrays_are_refused_in_one_line(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(scratch, "LARGE", limit)
    save = {
        "objects.npy": np.array([{}, None]),
        "complex.npy": np.ones(50, complex),
        "fields.npy": np.ones(50, [("a", "f4"), ("b", "i8")]),
        "text.npy": np.array(["a", "bc"]),
        "empty.npy": np.ones((0, 3)),
        "nan.npy": np.full(50, np.nan),
    }
    for name, values in save.items():
        np.save(tmp_path / name, values, allow_pickle=True)
    np.savez(tmp_path / "two.npz", a=np.ones(3), b=np.ones(3))
    np.savez(tmp_path / "none.npz")
    np.savez_compressed(tmp_path / "text.npz", np.array(["a", "bc"]))
    np.savez(tmp_path / "cut.npz", np.arange(10_000))
    np.save(tmp_path / "cut.npy", np.arange(10_000))
    for name in ("cut.npz", "cut.npy"):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes()[:5000])
    (tmp_path / "junk.npy").write_bytes(b"no array at all")
    (tmp_path / "blank.npy").write_bytes(b"")
    says = {
        "objects.npy": "pickled objects",
        "complex.npy": "complex128",
        "fields.npy": "real numbers",
        "text.npy": "real numbers",
        "text.npz": "real numbers",
        "empty.npy": "no samples",
        "nan.npy": "50 NaN",
        "two.npz": "a, b; choose one",
        "none.npz": "arrays none",
        "cut.npz": "damaged",
        "cut.npy": "damaged|cut short",
        "junk.npy": "damaged",
        "blank.npy": "damaged",
        "missing.npy": "does not exist",
    }
    for name, said in says.items():
        with pytest.raises(InputError, match=said) as found:
            read_array(tmp_path / name)
        assert name.split(".")[0] in str(found.value)
        assert "\n" not in str(found.value)
    with pytest.raises(InputError, match="no array 'c'; it holds a, b"):
        read_array(tmp_path / "two.npz", key="c")
    with pytest.raises(InputError, match="leave key out"):
        read_array(tmp_path / "nan.npy", key="c")


MEASURED = """
import re, sys
import numpy as np, torch, scipy.fft, tifffile, imagecodecs
from pathlib import Path
from sinefield.signals import scratch

def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

scratch.LARGE = 2**20
folder = Path(sys.argv[1])
{before}
before = peak()
{code}
print(peak() - before)
"""


def growth(folder, before, code):
    """Growth of the peak resident memory in MB, relative to the peak before the call."""
    program = MEASURED.format(before=before, code=code)
    run = subprocess.run([sys.executable, "-c", program, str(folder)], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return float(run.stdout.split()[-1])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of this process alone is read from /proc")
def test_a_fit_does_not_hold_the_picture(tmp_path):
    size, row = 6000, np.arange(6000, dtype=np.uint8)
    bands = ((row + np.arange(top, top + 256)[:, None]).astype(np.uint8) for top in range(0, size, 256))
    tiles = (
        band[: size - top, left : left + 256]
        for top, band in zip(range(0, size, 256), bands, strict=True)
        for left in range(0, size, 256)
    )
    tifffile.imwrite(tmp_path / "a.tif", tiles, shape=(size, size), dtype=np.uint8, tile=(256, 256), compression="zlib")
    before = "import sinefield as sf; sf.fit(np.zeros((2100, 2100), np.uint8), width=16, depth=1, steps=2)"
    code = "sf.fit(sf.read_image(folder / 'a.tif'), width=16, depth=1, steps=2)"
    # 34 MB in bytes, which the mapped file may take; 275 in float64, or as an order of the pixels
    assert growth(tmp_path, before, code) < 100


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of this process alone is read from /proc")
def test_writing_does_not_hold_the_picture(tmp_path):
    before = """
from sinefield.signals.array import write_array
from sinefield.signals.image import from_pixels, write_pixels

def pieces():
    return (np.zeros(10_000, np.float32) for _ in range(2500))

header = from_pixels(np.zeros((2, 2, 1), np.float32), "L").header
"""
    code = """
write_pixels(folder / "a.tif", pieces(), (5000, 5000), header)
write_array(folder / "a.npy", pieces(), (5000, 5000))
assert (folder / "a.npy").stat().st_size > 4 * 5000**2
"""
    assert growth(tmp_path, before, code) < 50  # it has 95 MB
