"""Scattered samples: arrays, tables, characteristic frequencies, and fits."""

import os
import warnings
from itertools import chain

import numpy as np
import pytest
import torch

import sinefield as sf
from sinefield.errors import InputError
from sinefield.signals import characteristic_frequency, from_array
from sinefield.signals.points import from_points
from sinefield.signals.table import read_coordinates, read_points, write_points

RANDOM = np.random.default_rng(0)
PLACES = RANDOM.random((50, 3)) * (1, 10, 100)


def table(folder, text, name="t.csv"):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder / name


# arrays


def test_coordinates_and_values_are_kept():
    values = RANDOM.standard_normal((50, 2)).astype(np.float32)
    signal = from_points(PLACES, values, axes=("t", "y", "x"), units=("s", "m", "m"), name="rain")
    x, found = signal.at(np.array([3, 7]))
    assert np.array_equal(x, PLACES[[3, 7]])
    assert np.array_equal(found, values[[3, 7]])
    header = signal.header
    assert (header.kind, header.dtype, header.channels, signal.size) == ("points", "float32", ("c0", "c1"), 50)
    assert header.domain.lower == tuple(PLACES.min(axis=0))
    assert header.domain.half_extent[1] == header.domain.half_extent[2] != header.domain.half_extent[0]
    assert header.low == tuple(values.min(axis=0).tolist())
    assert np.prod(header.shape) == pytest.approx(50, rel=0.3)


def test_one_coordinate_one_channel_integers_and_tensors():
    signal = from_points([3, 1, 2, 2], [1, 2, 3, 4])
    assert signal.coords.dtype == signal.values.dtype == np.float64
    assert (signal.coords.shape, signal.values.shape, signal.header.channels) == ((4, 1), (4, 1), ())
    assert from_points([3, 1], [[1], [2]]).header.channels == ("c0",)
    assert from_points([3, 1], [1, 2], channels=["T"]).header.channels == ("T",)
    tensor = from_points(torch.tensor([3.0, 1.0]), np.float16([1, 2]))
    assert tensor.header.dtype == "float16"


@pytest.mark.parametrize(
    ("coords", "values", "options", "says"),
    [
        ([1, 2], [1, 2, 3], {}, "2 points and 3 values"),
        ([1], [1], {}, "1 of the two"),
        ([[1, 5], [2, 5]], [1, 2], {"axes": ("x", "depth")}, "depth = 5; leave that coordinate out"),
        ([1, np.nan, np.inf], [1, 2, 3], {}, r"coordinates of points: 2 NaN.*\(1, 0\)"),
        ([1, 2, 3], [1, 2, np.nan], {}, r"values of points: 1 NaN.*\(2, 0\)"),
        ([1, 2], np.ma.masked_equal([1, 2], 2), {}, "masked"),
        ([1, 2], [1j, 2], {}, "complex128"),
        (["a", "b"], [1, 2], {}, "coordinates of points: <U1 values"),
        ([[1], [2, 3]], [1, 2], {}, "regular"),
        (np.zeros((2, 2, 2)), [1, 2], {}, r"shape \(2, 2, 2\)"),
        ([1, 2], [1, 2], {"axes": ("x", "y")}, "axes has 2 entries"),
        ([1, 2], [1, 2], {"units": ()}, "units has 0 entries"),
        ([1, 2], [[1, 2], [3, 4]], {"channels": ("a",)}, "channels has 1 entries"),
    ],
)
def test_points_that_cannot_be_used_are_refused(coords, values, options, says):
    with pytest.raises(InputError, match=says):
        from_points(coords, values, **options)


# tables


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.parquet"])
def test_a_table_that_was_written_is_read_back(tmp_path, name):
    values = RANDOM.standard_normal((50, 2)).astype(np.float32)
    path = tmp_path / name
    write_points(path, PLACES, ["t", "y", "x"], iter([values[:20], values[20:]]), ["u", "v"])
    assert os.listdir(tmp_path) == [name]
    assert np.array_equal(read_coordinates(path, ["x", "t"]), PLACES[:, [2, 0]])
    signal = read_points(path, values=["v", "u"])
    assert np.array_equal(signal.coords, PLACES)
    assert np.array_equal(signal.values.astype(np.float32), values[:, ::-1])
    assert signal.header.domain.axes == ("t", "y", "x")
    assert signal.header.channels == ("v", "u")
    assert signal.name == "t"
    assert read_points(path, ["t", "x"]).header.channels == ("y", "u", "v")
    signal = read_points(path)
    assert (signal.header.domain.axes, signal.header.channels) == (("t", "y", "x", "u"), ("v",))


def test_an_interrupted_table_leaves_no_file(tmp_path):
    path, coords = table(tmp_path, "before"), np.zeros((3, 1))
    for pieces in ([np.zeros(2)], [np.zeros(2), np.zeros(2)], [np.zeros((3, 2))]):
        with pytest.raises(InputError, match="points"):
            write_points(path, coords, ["x"], iter(pieces), ["v"])
    with pytest.raises(InputError, match="'x'"):
        write_points(path, coords, ["x"], iter([]), ["x"])
    with pytest.raises(RuntimeError, match="cut off"):
        write_points(path, coords, ["x"], chain([np.zeros(1)], (failing() for _ in "x")), ["v"])
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["t.csv"]


def failing():
    raise RuntimeError("cut off")


@pytest.mark.parametrize(
    "text",
    [
        "x,y,v\n1,2.5,3\n2,4,-1e-3\n",
        "\ufeffx;y;v\r\n1;2.5;3\r\n2;4;-1e-3\r\n",
        "\nx\ty\tv\n1\t2.5\t3\n\n2\t4\t-1e-3",
        '"x", "y", "v"\n1, 2.5, 3\n2, 4, -1e-3\n',
        ",x,y,v\n0,1,2.5,3\n1,2,4,-1e-3\n",
    ],
)
def test_the_dialects_of_csv(tmp_path, text):
    signal = read_points(table(tmp_path, text))
    assert signal.header.domain.axes == ("x", "y")
    assert signal.header.channels == ("v",)
    assert signal.coords.tolist() == [[1, 2.5], [2, 4]]
    assert signal.values.tolist() == [[3], [-1e-3]]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_csv_without_a_header(tmp_path, mark):
    path = table(tmp_path, mark + "1,2.5,3\n2,4,-1e-3\n")
    signal = read_points(path)
    assert (signal.header.domain.axes, signal.header.channels, signal.size) == (("x0", "x1"), ("value",), 2)
    assert read_coordinates(path, ["lat", "lon"]).tolist() == [[1, 2.5], [2, 4]]


@pytest.mark.parametrize(
    ("cells", "seconds"),
    [
        (("1970-01-02", "1970-01-03"), (86_400, 172_800)),
        (("1970-01-01 00:01:00", "1970-01-01T00:01:00.25"), (60, 60.25)),
        (("2023-11-14T22:13:20Z", "2023-11-15T00:13:21+02:00"), (1_700_000_000, 1_700_000_001)),
    ],
)
def test_times_are_seconds(tmp_path, cells, seconds):
    signal = read_points(table(tmp_path, "t,x,v\n{},0,1\n{},1,2\n".format(*cells)), values=["v"])
    assert signal.coords[:, 0].tolist() == list(seconds)
    assert signal.header.domain.units == ("s", "")


def test_parquet_keeps_types_and_times(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    columns = {
        "t": pa.array([10**9, 3 * 10**9], pa.timestamp("ns", "Europe/Berlin")),
        "x": pa.array([1, 2], pa.int8()),
        "v": pa.array([1.5, 2.5], pa.float32()),
        "station": ["a", "b"],
        "gap": pa.array([None, 2.0]),
    }
    parquet.write_table(pa.table(columns), path := tmp_path / "t.parquet")
    signal = read_points(path, ["t", "x"], ["v"])
    assert signal.coords.tolist() == [[1, 1], [3, 2]]
    assert signal.header.dtype == "float32"
    with pytest.raises(InputError, match=r"'station' .* holds 'a' in row 1"):
        read_points(path, ["x", "station"], ["v"])
    with pytest.raises(InputError, match=r"'gap' .* 1 missing .* row 1"):
        read_points(path, ["x"])


@pytest.mark.parametrize(
    ("text", "options", "says"),
    [
        (b"", {}, r"empty \(0 bytes\)"),
        (" \n\n", {}, "blank"),
        ("x,y,v\n", {}, r"\(x, y, v\) and no rows"),
        ("x,y,v\n1,2,3\n", {}, "1 of the two"),
        ("x,y,v\n1,2,3\n4,5\n", {}, "no table"),
        ("x\n1\n2\n", {}, "a column of coordinates and one of values; it has 'x'"),
        ("x,y,v\n1,2,3\n4,5,6\n", {"values": ["z"]}, "no column 'z'; it has 'x', 'y', 'v'"),
        ("x,y,v\n1,2,3\n4,5,6\n", {"coordinates": ["v"], "values": ["v"]}, "'v' is named twice"),
        ("x,x,v\n1,2,3\n4,5,6\n", {}, "two columns 'x'"),
        ("x,y,v\n1,,3\n4,n.d.,6\n4,5,6\n", {}, "'y' of .*t.csv holds 'n.d.' in row 3; numbers"),
        ("t,v\n2020-01-01,3\nyesterday,6\n", {}, "'t' .* holds 'yesterday' in row 3"),
        ("x,v\n1,12:30\n4,12:40\n", {}, "'v' .* holds '12:30.*' in row 2"),
        ("x,v\n1,3\n4,\n5,NaN\n", {}, "'v' .* 2 missing or infinite of 3 cells, the first in row 3"),
        ("x,v\n1,3\n4,5\n-inf,4\n", {}, "'x' .* 1 missing or infinite of 3 cells, the first in row 4"),
        ("x,v\n1,\n4,\n", {}, "'v' .* 2 missing"),
        ("x,v\n1,3\n2,4\n".encode("utf-16"), {}, "UTF-8"),
    ],
)
def test_tables_that_cannot_be_used_are_refused(tmp_path, text, options, says):
    with pytest.raises(InputError, match=says) as error:
        read_points(table(tmp_path, text), **options)
    assert "\n" not in str(error.value)


def test_files_that_are_no_tables_are_refused(tmp_path):
    write_points(whole := tmp_path / "w.parquet", PLACES, ["t", "y", "x"], iter([PLACES[:, 0]]), ["v"])
    for path, says in (
        (tmp_path / "none.csv", "does not exist"),
        (tmp_path, "csv"),
        (table(tmp_path, "x,v", "t.xlsx"), "known"),
        (table(tmp_path, "x,v\n1,2\n", "t.parquet"), "no table"),
        (table(tmp_path, b"", "empty.parquet"), "0 bytes"),
        (table(tmp_path, whole.read_bytes()[:-100], "cut.parquet"), "no table"),
    ):
        for read in (read_points, lambda path: read_coordinates(path, ["t"])):
            with pytest.raises(InputError, match=says):
                read(path)
    with pytest.raises(InputError, match="no column 'z'"):
        read_coordinates(whole, ["t", "z"])
    with pytest.raises(InputError, match="does not exist"):
        write_points(tmp_path / "no" / "t.csv", PLACES, ["t", "y", "x"], iter([PLACES[:, 0]]), ["v"])


# how fast they vary


@pytest.mark.parametrize(("waves", "count"), [((7,), 1000), ((2, 1), 4000), ((1, 0.5, 1), 20_000)])
def test_the_characteristic_frequency_of_a_sinusoid_is_its_frequency(waves, count):
    wave = 2 * np.pi * np.array(waves)
    x = np.random.default_rng(1).random((count, len(wave)))
    stretch, origin = np.arange(1, len(wave) + 1) * 10.0, 1e9
    signal = from_points(origin + x * stretch, 5 + 3 * np.sin(x @ wave))
    assert characteristic_frequency(signal) * stretch == pytest.approx(wave, rel=0.1)


def test_scattered_and_regular_samples_have_equal_characteristic_frequencies():
    x = np.arange(2000) * 0.01
    wave = np.stack([np.sin(8 * x), np.cos(8 * x)], -1)
    regular = characteristic_frequency(from_array(wave, channel_axis=-1, step=(0.01,)))
    mixed = np.random.default_rng(0).permutation(len(x))
    assert characteristic_frequency(from_points(x[mixed], wave[mixed])) == pytest.approx(regular, rel=0.05)


def test_the_characteristic_frequency_of_degenerate_samples():
    x = np.random.default_rng(2).random((300, 2))
    wave = np.sin(x @ (9, 4))
    once, often = from_points(x, wave), from_points(np.tile(x, (40, 1)), np.tile(wave, 40))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert characteristic_frequency(often) == pytest.approx(characteristic_frequency(once))
        assert characteristic_frequency(from_points(x, np.ones(300))).tolist() == [0, 0]
        assert np.isfinite(characteristic_frequency(from_points([[0, 0], [1, 1]], [1, 2]))).all()
        t = np.linspace(0, 1, 500)  # a track says little of the slope across it, which must not come out large
        track = characteristic_frequency(from_points(np.stack([t, t + 1e-9 * np.cos(900 * t)], -1), np.sin(6 * t)))
    assert (track < 7).all()


# from points to a field


@pytest.mark.slow
def test_a_field_through_points_is_close_between_them(tmp_path):
    def reference(x):
        return np.sin(3 * x[:, 0]) * np.exp(-x[:, 1])

    x, fresh = np.random.default_rng(3).random((2, 1500, 2)) * (2, 1)
    signal = from_points(x, reference(x), axes=("y", "x"), units=("m", "m"))
    field = sf.fit(signal, steps=200, width=64, depth=1)
    error = np.asarray(field(fresh))[:, 0] - reference(fresh)
    assert np.sqrt(np.square(error).mean()) < 0.02 * reference(fresh).std()
    slope = np.asarray(field.gradient(fresh))[:, 0, 0] - 3 * np.cos(3 * fresh[:, 0]) * np.exp(-fresh[:, 1])
    assert np.sqrt(np.square(slope).mean()) < 0.15
    field.save(tmp_path / "f.field")
    again = sf.load(tmp_path / "f.field")
    assert again.header == signal.header
    assert np.array_equal(again(fresh), field(fresh))


def test_noise_does_not_raise_the_characteristic_frequency():
    random = np.random.default_rng(0)
    coords, waves = random.random((20_000, 2)), 2 * np.pi * np.array([3, 1])
    for noise in (0.0, 0.05, 0.2):
        found = characteristic_frequency(
            from_points(coords, np.sin(coords @ waves) + noise * random.standard_normal(20_000))
        )
        assert (0.5 * waves < found).all()
        assert (found < 1.2 * waves).all()
