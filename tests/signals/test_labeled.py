"""xarray in and out."""

import sys

import numpy as np
import pytest

import sinefield
from sinefield.domain import box
from sinefield.errors import InputError
from sinefield.signals import from_array
from sinefield.signals.labeled import from_xarray, to_data_array

xarray = pytest.importorskip("xarray")

VALUES = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
LAT, LON = np.array([50.0, 47.5, 45.0]), np.array([5.0, 6.0, 7.0, 8.0], np.float32)


def grid(lat=LAT, lon=LON, values=VALUES):
    units = {"units": "degrees"}
    return xarray.DataArray(values, {"lat": ("lat", lat, units), "lon": ("lon", lon, units)}, ["lat", "lon"], "sst")


def agrees(signal, array):
    """Whether a signal has the values of the array at each of its coordinates."""
    x, values = signal.at(np.arange(signal.size))
    there = [array.sel(dict(zip(signal.header.domain.axes, place, strict=True))).values for place in x]
    return np.array_equal(values, np.reshape(there, values.shape))


def test_an_array_with_descending_coordinates_is_a_grid():
    signal = from_xarray(grid())
    header = signal.header
    assert (header.kind, header.shape, header.dtype, header.channels) == ("array", (3, 4), "float32", ())
    assert (header.domain.axes, header.domain.units) == (("lat", "lon"), ("degrees", "degrees"))
    assert (header.domain.lower, header.domain.upper) == ((43.75, 4.5), (51.25, 8.5))
    assert signal.name == "sst"
    assert agrees(signal, grid())
    assert from_xarray(grid()[::-1, ::-1]).header == header


def test_an_uneven_array_is_points():
    array = grid(lat=[50.0, 49.0, 40.0])
    signal = from_xarray(array)
    assert (signal.header.kind, signal.size) == ("points", 12)
    assert signal.header.domain.units == ("degrees", "degrees")
    assert agrees(signal, array)


@pytest.mark.parametrize("lat", [LAT, [50.0, 49.0, 40.0]])
def test_channels_keep_their_names(lat):
    array = xarray.concat([grid(lat), 2 * grid(lat)], xarray.Variable("wind", ["u", "v"]))
    signal = from_xarray(array, channel_dim="wind")
    assert signal.header.channels == ("u", "v")
    assert agrees(signal, array.transpose("lat", "lon", "wind"))
    assert from_xarray(array.drop_vars("wind"), channel_dim="wind").header.channels == ("c0", "c1")


def test_times_are_seconds_and_indices_are_samples():
    hours = np.datetime64("1970-01-02") + np.arange(3) * np.timedelta64(1, "h")
    domain = from_xarray(xarray.DataArray(VALUES, {"time": hours}, ["time", "k"])).header.domain
    assert (domain.axes, domain.units) == (("time", "k"), ("s", "sample"))
    assert domain.centers((3, 4))[0] == pytest.approx(86_400 + 3600 * np.arange(3))
    assert domain.lower[1] == -0.5
    waits = xarray.DataArray(VALUES, {"lead": np.arange(3) * np.timedelta64(1, "m")}, ["lead", "k"])
    assert from_xarray(waits).header.domain.centers((3, 4))[0] == pytest.approx([0, 60, 120])


def test_invalid_arguments_are_refused():
    for array, options, says in (
        (grid().to_dataset(), {}, "choose one variable"),
        (grid(), {"channel_dim": "band"}, "no dimension 'band'; the array has lat, lon"),
        (grid(lat=["a", "b", "c"]), {}, "'lat' is of the type"),
        (grid()[:0], {}, "no samples"),
        (grid()[0, 0], {}, "no samples"),
        (grid(values=np.where(VALUES > 0, np.nan, VALUES)), {}, "NaN"),
    ):
        with pytest.raises(InputError, match=says):
            from_xarray(array, **options)


def test_labels_are_kept():
    signal = from_xarray(grid())
    array = to_data_array(signal.samples, signal.header.domain, signal.header.shape, signal.header)
    assert array.dims == ("lat", "lon")
    assert array.lat.attrs == {"units": "degrees"}
    assert np.array_equal(array.lat, LAT[::-1])
    assert np.array_equal(array.sel(lat=47.5), VALUES[1])
    assert from_xarray(array).header == signal.header


def test_channels_and_gradients_are_dimensions():
    header = from_array(np.zeros((3, 4, 2)), channel_axis=-1, step=(1, 1), axes=("t", "x")).header
    domain = box((0, 0), (1, 1), ("t", "x"))
    colors = to_data_array(np.zeros((5, 6, 2)), domain, (5, 6), header)
    assert colors.dims == ("t", "x", "channel")
    assert colors.channel.values.tolist() == ["c0", "c1"]
    assert colors.t.values == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9])
    assert colors.t.attrs == {}
    slope = to_data_array(np.arange(120.0).reshape(5, 6, 2, 2), domain, (5, 6), header)
    assert slope.dims == ("t", "x", "channel", "along")
    assert slope.sel(along="x", channel="c0")[0, 0] == 1


def test_a_missing_xarray_is_named_with_its_extra(monkeypatch):
    array = grid()
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(InputError, match=r"pip install 'sinefield\[xarray\]'"):
        from_xarray(array)


def test_a_field_of_an_xarray_has_its_coordinates():
    t = np.arange(12) / 4
    array = xarray.DataArray(
        np.outer(np.sin(t), np.arange(5.0)),
        {"time": ("time", t, {"units": "s"}), "x": ("x", 10 + 2 * np.arange(5.0), {"units": "m"})},
    )
    field = sinefield.fit(sinefield.from_xarray(array), width=32, depth=1, steps=300)
    again = field.to_xarray()
    assert again.dims == ("time", "x")
    assert all(np.allclose(again[dim], array[dim]) for dim in again.dims)
    assert all(again[dim].units == array[dim].units for dim in again.dims)
    assert np.abs(again - array).max() < 0.2
    part = field.to_xarray(scale=2, crop=[(1, 2), (None, None)], quantity="gradient")
    assert dict(part.sizes) == {"time": 8, "x": 10, "along": 2}
    assert np.allclose(
        part.values, field.gradient(np.stack(np.meshgrid(part.time, part.x, indexing="ij"), -1))[..., 0, :]
    )
