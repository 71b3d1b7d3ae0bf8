"""Reading and writing videos: number and order of frames, and their rate."""

import struct
import warnings
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np
import pytest
import soundfile
from av.stream import Disposition
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sinefield.domain import from_samples
from sinefield.errors import InputError
from sinefield.signals.chunks import rechunk
from sinefield.signals.image import from_pixels, read_image, resize
from sinefield.signals.signal import Header
from sinefield.signals.video import VIDEO_SUFFIXES, WRITABLE, check_video, read_video, write_frames, write_video

RNG = np.random.default_rng(0)


def moving(count=12, height=48, width=64):
    """Moving color gradients, different in each frame."""
    t, y, x = np.ogrid[:count, :height, :width]
    red, green, blue = 60 + 2 * x + 0 * (t + y), 200 - 2 * y - 3 * t + 0 * x, 40 + x + y + 4 * t
    return np.clip(np.stack([red, green, blue], axis=-1), 0, 255).astype(np.uint8)


def noise(count=20, height=48, width=64):
    return RNG.integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def header_of(values, low=0.0, high=255.0):
    """The header of values (t, y, x, channels)."""
    shape, bands = values.shape[:3], values.shape[3]
    channels = {1: (), 3: tuple("RGB"), 4: tuple("RGBA")}.get(bands, tuple("abcde"[:bands]))
    domain = from_samples(shape, axes=("t", "y", "x"), units=("s", "px", "px"))
    return Header("video", domain, shape, channels, str(values.dtype), (low,) * bands, (high,) * bands)


def write(path, values, rate=25.0, header=None):
    """Write as a renderer does: in chunks that do not end at frames, without a channel axis for gray videos."""
    header = header or header_of(values)
    flat = values.reshape(-1, values.shape[3]) if header.channels else values.reshape(-1)
    write_video(path, (flat[i : i + 1000] for i in range(0, len(flat), 1000)), values.shape[:3], rate, header)


def encode(path, values, codec="ffv1", pixels="bgr0", rate=25, stamps=None):
    """Write a video by PyAV alone."""
    with av.open(path, "w") as file:
        stream = file.add_stream(codec, rate=rate)
        stream.height, stream.width = values.shape[1:3]
        stream.pix_fmt = pixels
        for k, frame in enumerate(values):
            picture = av.VideoFrame.from_ndarray(frame, "rgb24" if frame.ndim == 3 else "gray").reformat(format=pixels)
            if stamps:
                picture.pts = stamps[k]
            file.mux(stream.encode(picture))
        file.mux(stream.encode())


def on_disk(values):
    while isinstance(values, np.ndarray):
        if isinstance(values, np.memmap):
            return True
        values = values.base
    return False


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".webm"])
def test_written_samples_are_read_back(tmp_path, suffix):
    values = moving()
    write(path := tmp_path / f"a{suffix}", values)
    back = read_video(path)
    assert back.values.shape == values.shape
    difference = back.values.astype(int) - values
    assert np.abs(difference).max() <= 10
    assert np.abs(difference).mean() <= 1.5
    assert np.abs(difference.mean(axis=(0, 1, 2))).max() < 1  # no shift of color
    assert list(tmp_path.iterdir()) == [path]


def test_frames_are_placed_in_seconds_and_pixels(tmp_path):
    write(path := tmp_path / "clip.mp4", moving(10, 32, 48), rate=30000 / 1001)
    signal = read_video(path)
    domain, step = signal.header.domain, 1001 / 30000
    assert (signal.header.kind, signal.name) == ("video", "clip")
    assert (domain.axes, domain.units) == (("t", "y", "x"), ("s", "px", "px"))
    assert domain.lower == pytest.approx((-step / 2, -0.5, -0.5), rel=1e-12)
    assert domain.upper == pytest.approx((9.5 * step, 31.5, 47.5), rel=1e-12)
    assert signal.at(np.array([0, 32 * 48 * 3]))[0] == pytest.approx(np.array([[0, 0, 0], [3 * step, 0, 0]]))
    assert signal.header.channels == tuple("RGB")
    assert (signal.header.low, signal.header.high) == ((0.0,) * 3, (255.0,) * 3)
    assert signal.values.dtype == np.uint8
    assert on_disk(signal.values)


def test_a_lossless_video_is_read_exactly(tmp_path):
    values = noise()
    encode(tmp_path / "a.mkv", values)
    assert np.array_equal(read_video(tmp_path / "a.mkv").values, values)


@pytest.mark.parametrize("pixels", ["gray", "gray16le"])
def test_greys_have_one_channel_without_a_name(tmp_path, pixels):
    grays = noise()[..., 0]
    encode(tmp_path / "a.mkv", grays, pixels=pixels)
    signal = read_video(tmp_path / "a.mkv")
    assert signal.header.channels == ()
    assert np.array_equal(signal.samples, grays)


@pytest.mark.parametrize("suffix", WRITABLE)
@pytest.mark.parametrize(("height", "width"), [(33, 48), (32, 47), (31, 45), (1, 1)])
def test_odd_sides(tmp_path, suffix, height, width):
    values = moving(4, height, width)
    write(path := tmp_path / f"a{suffix}", values)
    back = read_video(path).values.astype(int)
    even = 2 if suffix in (".mp4", ".mov", ".mkv") else 1
    assert back.shape == (4, height + height % even, width + width % even, 3)
    assert np.abs(back[:, :height, :width] - values).mean() < 3
    assert np.abs(back[:, -1, :width] - values[:, -1]).mean() < 5
    assert np.abs(back[:, :height, -1] - values[:, :, -1]).mean() < 5


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm", ".gif"])
@pytest.mark.parametrize("rate", [12.5, 20.0, 24000 / 1001, 1 / 3, 50.0])
def test_the_rate_is_kept(tmp_path, suffix, rate):
    write(path := tmp_path / f"a{suffix}", moving(9, 16, 16), rate)
    signal = read_video(path)
    assert signal.header.shape[0] == 9
    # a GIF counts in hundredths of a second
    assert 1 / signal.header.step[0] == pytest.approx(rate, rel=1e-2 if suffix == ".gif" else 1e-9)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_uneven_time_stamps_give_the_mean_rate(tmp_path, suffix):
    encode(path := tmp_path / f"a{suffix}", moving(6), "libx264", "yuv420p", stamps=[0, 1, 2, 10, 11, 20])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        signal = read_video(path)
    assert signal.header.shape[0] == 6
    assert 1 / signal.header.step[0] == pytest.approx(5 / (20 / 25))


def test_one_frame(tmp_path):
    write(tmp_path / "a.mp4", moving(1))
    assert read_video(tmp_path / "a.mp4").header.shape == (1, 48, 64)


@pytest.mark.parametrize("size", [24, (30, 20), 128])
def test_frames_are_resized_as_pictures_are(tmp_path, size):
    values = moving(3)
    encode(tmp_path / "a.mkv", values)
    small = read_video(tmp_path / "a.mkv", size).values.astype(int)
    pictures = np.stack([resize(from_pixels(frame, "RGB"), size).values for frame in values])
    assert small.shape == pictures.shape
    assert np.abs(small - pictures).max() <= 2


@pytest.mark.parametrize(("turns", "matrix"), [(1, (0, -1, 1, 0)), (2, (-1, 0, 0, -1)), (3, (0, 1, -1, 0))])
def test_frames_are_turned_upright(tmp_path, turns, matrix):
    values = moving(3)
    encode(path := tmp_path / "a.mp4", values, "libx264", "yuv444p")
    # (x, y) -> (ax + cy, bx + dy), with y downwards (ISO/IEC 14496-12, 8.3.2)
    data, (a, b, c, d) = bytearray(path.read_bytes()), matrix
    start = data.index(b"tkhd") + 44
    data[start : start + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))
    upright = np.rot90(values, turns, axes=(1, 2))
    signal = read_video(path)
    assert signal.values.shape == upright.shape
    assert np.abs(signal.values.astype(int) - upright).mean() < 4
    assert read_video(path, (20, 10)).header.shape == (3, 20, 10)


def test_animated_pictures(tmp_path):
    values = moving(5)
    pictures = [Image.fromarray(frame) for frame in values]
    pictures[0].save(tmp_path / "a.apng", "PNG", save_all=True, append_images=pictures[1:], duration=40)
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:], duration=40)
    exact, close = read_video(tmp_path / "a.apng"), read_video(tmp_path / "a.gif")
    assert np.array_equal(exact.values, values)
    assert np.abs(close.values.astype(int) - values).mean() < 6
    assert (exact.header.step[0], close.header.step[0]) == pytest.approx((0.04, 0.04))


def test_a_gif_of_greys_is_exact(tmp_path):
    grays = noise(4)[..., :1]
    write(tmp_path / "a.gif", grays)
    assert np.array_equal(read_video(tmp_path / "a.gif").values, np.repeat(grays, 3, axis=-1))


def test_a_gif_has_the_colours_of_each_frame(tmp_path):
    values = moving()
    write(tmp_path / "a.gif", values)
    assert np.abs(read_video(tmp_path / "a.gif").values.astype(int) - values).mean() < 3


@pytest.mark.parametrize(("dtype", "low", "high"), [(np.float32, -2.0, 3.0), (np.uint16, 0.0, 65535.0)])
def test_the_range_of_the_header_maps_to_eight_bits(tmp_path, dtype, low, high):
    values = moving()[..., 1:2]
    scaled = (low + values / 255 * (high - low)).astype(dtype)
    write(tmp_path / "a.mp4", scaled, header=header_of(scaled, low, high))
    back = read_video(tmp_path / "a.mp4").values.astype(int)
    assert np.abs(back - values).max() <= 4


def test_a_folder_of_pictures(tmp_path):
    values = moving(3, 7, 9)
    flat = values.reshape(-1, 3)
    assert write_frames(tmp_path / "a", iter(np.split(flat, [50, 51])), (3, 7, 9), header_of(values)) == 3
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == [f"frame-0000{k}.png" for k in range(3)]
    back = [read_image(tmp_path / "a" / f"frame-0000{k}.png") for k in range(3)]
    assert np.array_equal([picture.values for picture in back], values)
    deep = RNG.integers(0, 65536, (2, 7, 9, 1), dtype=np.uint16)
    header = header_of(deep, 0.0, 65535.0)
    with pytest.raises(InputError, match="longer video"):
        write_frames(tmp_path / "a", iter([deep.reshape(-1)]), (2, 7, 9), header)
    write_frames(tmp_path / "b", iter([deep.reshape(-1)]), (2, 7, 9), header)
    assert np.array_equal(read_image(tmp_path / "b" / "frame-00001.png").values, deep[1])
    with pytest.raises(InputError, match="cannot be made"):
        write_frames(tmp_path / "no" / "where", iter([deep.reshape(-1)]), (2, 7, 9), header)


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mkv", "libx264"), (".webm", "libvpx-vp9"), (".avi", "libx264"), (".mkv", "ffv1")]
)
def test_a_truncated_video_is_read_up_to_the_end_of_its_data(tmp_path, suffix, codec):
    values = noise()
    encode(path := tmp_path / f"a{suffix}", values, codec, "bgr0" if codec == "ffv1" else "yuv420p")
    whole = read_video(path).values
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.warns(UserWarning, match=r"a\.\w+ is cut short or damaged; its first \d+ of \d+ frames") as said:
        signal = read_video(path)
    count = signal.header.shape[0]
    assert 8 <= count < 13
    assert f"first {count} of" in str(said[0].message)
    assert np.array_equal(signal.values[: count - 2], whole[: count - 2])
    assert 1 / signal.header.step[0] == pytest.approx(25)


def test_damage_in_the_middle_ends_a_video(tmp_path):
    encode(path := tmp_path / "a.mov", noise(), "png", "rgb24")
    data = path.read_bytes()
    coords = [k for k in range(len(data)) if data.startswith(b"\x89PNG", k)]
    path.write_bytes(data[: coords[9]] + bytes(8) + data[coords[9] + 8 :])
    with pytest.warns(UserWarning, match="damaged; its first [0-9]+ of 20 frames"):
        assert 1 <= read_video(path).header.shape[0] <= 9


def test_damage_is_told_where_no_length_is_announced(tmp_path):
    pictures = [Image.fromarray(frame) for frame in noise(6)]
    pictures[0].save(path := tmp_path / "a.apng", "PNG", save_all=True, append_images=pictures[1:], duration=40)
    data = path.read_bytes()
    place = data.index(b"fdAT", data.index(b"fdAT") + 4) + 200  # in the third frame
    path.write_bytes(data[:place] + bytes(3000) + data[place + 3000 :])
    with pytest.warns(UserWarning, match="damaged; its first [12] frames are used"):
        assert read_video(path).header.shape[0] <= 2


def test_frames_that_were_cut_away_in_editing_are_not_missed(tmp_path):
    encode(path := tmp_path / "a.mp4", noise(), "libx264", "yuv420p")
    data = bytearray(path.read_bytes())
    duration = data.index(b"elst") + 12  # of the edit, in milliseconds
    assert int.from_bytes(data[duration : duration + 4], "big") == 800
    data[duration : duration + 4] = (400).to_bytes(4, "big")
    path.write_bytes(bytes(data))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_video(path).header.shape[0] == 10


def wav(path):
    soundfile.write(path, np.zeros(800), 8000)


def sound(path):
    with av.open(path, "w") as file:
        stream = file.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.rate = 8000
        file.mux(stream.encode(frame))
        file.mux(stream.encode())


def record_with_cover(path):
    with av.open(path, "w") as file:
        stream, cover = file.add_stream("libmp3lame", rate=44100), file.add_stream("png", rate=1)
        cover.width, cover.height, cover.pix_fmt = 16, 16, "rgb24"
        cover.disposition = Disposition.attached_pic
        file.mux(cover.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24")))
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1152), np.float32), "fltp", "stereo")
        frame.rate = 44100
        file.mux(stream.encode(frame))
        file.mux(stream.encode())


def subtitles(path):
    path.write_text("1\n00:00:00,000 --> 00:00:01,000\nwords\n")


def header_alone(path):
    encode(path, noise(), "libx264", "yuv420p")
    data = path.read_bytes()
    path.write_bytes(data[: data.index(bytes.fromhex("1f43b675"))])  # up to the first cluster of Matroska


def first_frame_damaged(path):
    encode(path, noise(1), "png", "rgb24")
    path.write_bytes(path.read_bytes().replace(b"\x89PNG", bytes(4)))


def unknown_codec(path):
    encode(path, noise(), "libx264", "yuv420p")
    path.write_bytes(path.read_bytes().replace(b"avc1", b"zzz1"))


def cut_before_its_index(path):
    encode(path, noise(), "libx264", "yuv420p")
    path.write_bytes(path.read_bytes()[:-1000])


@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("a.mp4", lambda path: path.write_bytes(b""), "empty"),
        ("a.mp4", lambda path: path.write_text("this is no video\n" * 20), "damaged or no video"),
        ("a.mp4", lambda path: path.write_bytes(bytes(range(256)) * 16), "damaged or no video"),
        ("a.mp4", cut_before_its_index, "damaged or no video"),
        ("a.wav", wav, "no video track; save its sound as .wav"),
        ("a.mp4", sound, "no video track; save its sound as .wav"),
        ("a.mp3", record_with_cover, "no video track; save its sound as .wav"),
        ("a.srt", subtitles, "no video track$"),
        ("a.mkv", header_alone, "damaged or no video"),
        ("a.mov", first_frame_damaged, "no frame that can be decoded"),
        ("a.mp4", unknown_codec, "FFmpeg cannot decode"),
        ("a.mp4", lambda path: path.mkdir(), "folder"),
        ("a.mp4", lambda path: None, "does not exist"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path, capfd, name, make, says):
    make(tmp_path / name)
    capfd.readouterr()
    with pytest.raises(InputError, match=says) as found:
        read_video(tmp_path / name)
    assert str(tmp_path / name) in str(found.value)
    assert "\n" not in str(found.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("size", [0, (10, 0), 100_000])
def test_bad_sizes_are_refused(tmp_path, size):
    encode(tmp_path / "a.mkv", noise(2))
    with pytest.raises(InputError, match="size"):
        read_video(tmp_path / "a.mkv", size)


def test_a_colon_is_a_letter(tmp_path, monkeypatch):
    encode(tmp_path / "a.mkv", values := noise(2))
    (tmp_path / "a.mkv").rename(tmp_path / "12:30.mkv")
    monkeypatch.chdir(tmp_path)
    assert np.array_equal(read_video("12:30.mkv").values, values)
    write(tmp_path / "12:31.mp4", values)
    assert read_video("12:31.mp4").header.shape == (2, 48, 64)


def test_a_title_in_another_alphabet_is_no_crash(tmp_path):
    encode(path := tmp_path / "a.mkv", values := noise(2))
    path.write_bytes(path.read_bytes().replace(b"Lavf", b"L\xe9\xff\xfe"))
    try:
        assert np.array_equal(read_video(path).values, values)
    except InputError as error:
        assert "label that is not UTF-8" in str(error)


@pytest.mark.parametrize("seed", range(24))
def test_random_damage_never_escapes(tmp_path, seed):
    rng = np.random.default_rng(seed)
    suffix = (".mp4", ".webm", ".gif", ".mkv")[seed % 4]
    write(path := tmp_path / f"a{suffix}", moving(6, 24, 32))
    data = bytearray(path.read_bytes())
    for place in rng.integers(0, len(data), 12):
        data[place] = rng.integers(0, 256)
    path.write_bytes(bytes(data))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read_video(path)
    except InputError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("name", "shape", "says"),
    [
        ("a.mp4", (2, 4, 4, 4), "without alpha.* .npy"),
        ("a.webm", (2, 4, 4, 2), "1 or 3 channels"),
        ("a.avi", (2, 4, 4, 3), ".mp4, .mov"),
        ("a", (2, 4, 4, 3), ".mp4, .mov"),
    ],
)
def test_frames_that_a_video_cannot_hold_are_refused(tmp_path, name, shape, says):
    header = header_of(np.zeros(shape, np.uint8))
    with pytest.raises(InputError, match=says):
        check_video(tmp_path / name, header)
    with pytest.raises(InputError, match=says):
        write_video(tmp_path / name, iter([]), shape[:3], 25.0, header)
    assert list(tmp_path.iterdir()) == []


def test_a_picture_is_no_video(tmp_path):
    with pytest.raises(InputError, match="over y, x is no video"):
        check_video(tmp_path / "a.mp4", from_pixels(noise()[0], "RGB").header)


@pytest.mark.parametrize("suffix", VIDEO_SUFFIXES)
def test_a_suffix_is_written_or_refused(tmp_path, suffix):
    header = header_of(np.zeros((2, 4, 4, 3), np.uint8))
    if suffix in WRITABLE:
        check_video(tmp_path / f"a{suffix.upper()}", header)
    else:
        with pytest.raises(InputError, match="is written as"):
            check_video(tmp_path / f"a{suffix}", header)


@pytest.mark.parametrize(("suffix", "rate"), [(".gif", 120.0), (".mkv", 2000.0), (".mp4", 0.0), (".mp4", float("nan"))])
def test_rates_without_an_exact_representation_are_refused(tmp_path, suffix, rate):
    with pytest.raises(InputError, match="frames a second"):
        write(tmp_path / f"a{suffix}", moving(2), rate)
    assert list(tmp_path.iterdir()) == []


def test_frames_too_wide_for_a_codec_are_refused(tmp_path):
    with pytest.raises(InputError, match="20000 x 2 pixels"):
        write(tmp_path / "a.mp4", moving(1, 2, 20_000))
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_survives_an_interruption(tmp_path):
    write(path := tmp_path / "a.mp4", values := moving(3))
    before = path.read_bytes()

    def pieces():
        yield values.reshape(-1, 3)[:5000]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_video(path, pieces(), values.shape[:3], 25.0, header_of(values))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 12), st.sampled_from([(), (3,)]))
def test_regrouped_is_the_same_samples(lengths, count, rest):
    bounds = np.cumsum([0, *lengths])
    samples = np.arange(bounds[-1] * np.prod(rest, dtype=int)).reshape(-1, *rest)
    groups = list(rechunk((samples[a:b] for a, b in pairwise(bounds)), count))
    assert all(len(group) == count for group in groups[:-1])
    assert not groups or 1 <= len(groups[-1]) <= count
    assert np.array_equal(np.concatenate([samples[:0], *groups]), samples)


def test_regroup_reads_no_more_than_it_yields():
    taken = []

    def pieces():
        for k in range(10):
            taken.append(k)
            yield np.full(4, k)

    groups = rechunk(pieces(), 6)
    assert np.array_equal(next(groups), [0, 0, 0, 0, 1, 1])
    assert taken == [0, 1]


def test_rates_are_exact_fractions(tmp_path):
    write(tmp_path / "a.mp4", moving(3), rate=float(Fraction(30000, 1001)))
    with av.open(tmp_path / "a.mp4") as file:
        assert file.streams.video[0].average_rate == Fraction(30000, 1001)
