"""File formats: selected by suffix or content, and added by other packages."""

import importlib
import sys

import numpy as np
import pytest
from PIL import Image

import sinefield as sf
from sinefield.errors import InputError
from sinefield.signals import Header, formats, from_array
from sinefield.signals.formats import FORMATS, Format, format_of, read, register

VOLUME = '''
"""A volume: gzip of three sizes (int32), three spacings (float64) and the samples (float32)."""

import gzip

import numpy as np

from sinefield.errors import InputError
from sinefield.signals import from_array
from sinefield.signals.formats import Format, register


def read_volume(path, key=None):
    with gzip.open(path) as file:
        shape = np.frombuffer(file.read(12), "<i4")
        spacing = np.frombuffer(file.read(24), "<f8")
        values = np.frombuffer(file.read(), "<f4").reshape(shape)
    values = values if key is None else -values
    return from_array(values, step=spacing.tolist(), axes=("z", "y", "x"), units=("mm",) * 3)


def write_volume(path, chunks, shape, rate, header):
    with gzip.open(path, "wb") as file:
        file.write(np.array(shape, "<i4").tobytes() + np.array(header.step, "<f8").tobytes())
        for chunk in chunks:
            file.write(chunk.astype("<f4").tobytes())


def check_volume(path, header):
    if len(header.shape) != 3:
        raise InputError(f"{path.name}: a volume has 3 axes")


register(Format("volume", (".vol.gz",), read_volume, ("key",), write_volume, check_volume))
'''


@pytest.fixture
def volume_format(tmp_path, monkeypatch):
    """A format that a module outside of sinefield registers."""
    (tmp_path / "toy_volume.py").write_text(VOLUME)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("toy_volume")
    FORMATS.remove("volume")
    del sys.modules["toy_volume"]


def volume():
    values = np.random.default_rng(0).random((3, 4, 5), np.float32)
    return from_array(values, step=(2.0, 0.5, 0.25), axes=("z", "y", "x"), units=("mm",) * 3)


@pytest.mark.usefixtures("volume_format")
@pytest.mark.parametrize("name", ["head.vol.gz", "head.2.VOL.GZ"])
def test_a_registered_format_is_checked_written_and_read(tmp_path, name):
    signal = volume()
    formats.check(tmp_path / name, signal.header)
    formats.write(tmp_path / name, iter(np.split(signal.samples.reshape(-1), [7])), (3, 4, 5), 1.0, signal.header)
    again = sf.read(tmp_path / name)
    assert np.array_equal(again.values, signal.values)
    assert again.header.step == (2.0, 0.5, 0.25)
    assert again.header.domain.units == ("mm",) * 3
    assert np.array_equal(sf.read(str(tmp_path / name), key="negative").values, -signal.values)
    part = sf.read(tmp_path / name, crop=[(None, None), (0, 1), (0.25, 1)])
    assert np.array_equal(part.samples, signal.samples[:, :2, 1:4])
    with pytest.raises(InputError, match=r"size applies to image, video; .* is read as volume"):
        sf.read(tmp_path / name, size=3)
    with pytest.raises(InputError, match="a volume has 3 axes"):
        formats.check(tmp_path / name, from_array(np.zeros(5)).header)
    assert not formats.holds_numbers(tmp_path / name)


def test_a_format_is_known_only_after_its_registration(tmp_path, volume_format):
    assert format_of("head.vol.gz").reader is volume_format.read_volume
    for name in ("head.gz", "head.vol", "head.volgz"):
        with pytest.raises(InputError, match=r"unknown suffix .*, volume \(\.vol\.gz\)"):
            format_of(name)


@pytest.mark.parametrize("name", ["head.vol.gz", "head.nii.gz", "notes.doc", "clip.mp5"])
def test_an_unknown_suffix_is_refused_for_reading_and_writing(tmp_path, name):
    header = volume().header
    (tmp_path / name).write_bytes(b"content")
    suffix = rf"{name}: unknown suffix \.\w+; known are array \(\.npy \.npz\), audio \(\.wav"
    with pytest.raises(InputError, match=suffix) as error:
        read(tmp_path / name)
    assert "\n" not in str(error.value)
    for write in (
        lambda path: formats.check(path, header),
        lambda path: formats.write(path, iter(()), (3, 4, 5), 1.0, header),
        formats.holds_numbers,
    ):
        with pytest.raises(InputError, match=suffix):
            write(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.PNG", "image"),
        ("a.jpeg", "image"),
        ("a.ppm", "image"),
        ("a.tga", "image"),
        ("camera", "image"),
        ("folder.d/a", "image"),
        ("a.Wav", "audio"),
        ("a.b.mp4", "video"),
        ("a.gif", "video"),
        ("a.npz", "array"),
        ("a.tsv", "table"),
        ("a.xyz", "shape"),
    ],
)
def test_the_suffix_selects_the_format(name, expected):
    assert format_of(name).name == expected


@pytest.mark.parametrize("name", [".png", "a.pdf", "a.eps", "a.h5"])
def test_files_without_a_decoder_have_no_format(name):
    if name == ".png":  # a hidden file without a suffix
        assert format_of(name).name == "image"
    else:
        with pytest.raises(InputError, match="unknown suffix"):
            format_of(name)


def test_the_content_can_select_another_format(tmp_path):
    Image.new("L", (4, 3)).save(tmp_path / "one.gif")
    assert read(tmp_path / "one.gif", size=(6, 8)).header.kind == "image"
    with pytest.raises(InputError, match=r"key applies to array; .*one\.gif is read as image"):
        read(tmp_path / "one.gif", key="a")
    points = np.vstack([np.zeros(3), np.eye(3)])
    np.savez(tmp_path / "cloud.npz", points=points)
    assert read(tmp_path / "cloud.npz").header.kind == "shape"
    assert read(tmp_path / "cloud.npz", key="points").header.kind == "array"
    np.savez(tmp_path / "array.npz", values=points)
    assert read(tmp_path / "array.npz").header.kind == "array"
    assert [format_of(tmp_path / name).name for name in ("one.gif", "cloud.npz")] == ["video", "array"]


def test_a_file_without_a_suffix_is_a_picture(tmp_path):
    Image.new("L", (4, 3), 7).save(tmp_path / "picture", "PNG")
    assert read(tmp_path / "picture").samples.tolist() == [[7] * 4] * 3
    (tmp_path / "text").write_text("no pixels")
    with pytest.raises(InputError, match="is no picture that can be read"):
        read(tmp_path / "text")


@pytest.mark.parametrize(("name", "message"), [("a.ply", "as shape; use .npy"), ("a.csv", "--at"), ("a.npz", ".npy")])
def test_formats_that_hold_no_grid_are_refused(tmp_path, name, message):
    for write in (
        lambda path, header: formats.check(path, header),
        lambda path, header: formats.write(path, iter(()), header.shape, 1.0, header),
    ):
        with pytest.raises(InputError, match=message):
            write(tmp_path / name, volume().header)
    assert list(tmp_path.iterdir()) == []


def test_a_video_without_a_suffix_is_written_to_a_folder(tmp_path):
    signal = volume()
    domain, shape = signal.header.domain, signal.header.shape
    header = Header("video", domain, shape, (), "uint8", (0.0,), (255.0,))
    frames = np.arange(60, dtype=np.uint8).reshape(shape)
    formats.check(tmp_path / "frames", header)
    formats.write(tmp_path / "frames", iter([frames.reshape(-1)]), shape, 25.0, header)
    back = [read(tmp_path / "frames" / f"frame-0000{k}.png").samples for k in range(3)]
    assert np.array_equal(back, frames)
    with pytest.raises(InputError, match="no suffix; a picture format is needed"):
        formats.check(tmp_path / "frames", signal.header)


def test_suffixes_are_checked():
    for suffix in ("png", ".PNG"):
        with pytest.raises(ValueError, match="lower case"):
            register(Format("other", (suffix,), read))
    register(Format("other", (".png",), read))
    try:
        with pytest.raises(InputError, match="the formats image and other have the same suffix"):
            format_of("a.png")
    finally:
        FORMATS.remove("other")
    assert format_of("a.png").name == "image"
