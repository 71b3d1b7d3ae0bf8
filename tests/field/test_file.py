"""A field on disk: it comes back as it was, or is refused in one line, whatever was done to the file."""

import json
import struct

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

import sinefield as sf
from sinefield import serialization
from sinefield.errors import InputError
from sinefield.networks import ACTIVATIONS


@pytest.fixture(scope="module")
def field():
    y, x = np.mgrid[:12, :20]
    values = np.stack([np.sin(x / 5), y / 12], -1)
    signal = sf.from_array(values, channel_axis=-1, origin=(5, -3), step=(0.5, 2), axes=("t", "x"), units=("s", "m"))
    return sf.fit(signal, width=16, depth=1, steps=30)


@pytest.fixture(scope="module")
def data(field, tmp_path_factory):
    field.save(path := tmp_path_factory.mktemp("field") / "field.safetensors")
    return path.read_bytes()


def test_a_saved_field_is_read_unchanged(field, tmp_path):
    field.save(path := tmp_path / "a.safetensors")
    back = sf.load(path)
    x = torch.rand(50, 2) * 10
    assert torch.equal(back(x), field(x))
    assert torch.equal(back.laplacian(x), field.laplacian(x))
    assert back.header == field.header
    assert back.network_domain == field.network_domain
    assert back.info.quality["psnr_db"] == field.info.quality["psnr_db"]
    assert np.array_equal(back.render(scale=2), field.render(scale=2))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_network_is_saved_and_read(name, tmp_path):
    field = sf.fit(np.random.default_rng(0).random((8, 9)), activation=name, width=10, depth=1, steps=2)
    field.save(path := tmp_path / "a.safetensors")
    assert np.array_equal(sf.load(path).render(), field.render())


def test_float32_and_float64_load_as_each_other(field, tmp_path):
    field.save(path := tmp_path / "a.safetensors")
    double = sf.load(path, dtype=torch.float64)
    x = torch.rand(50, 2, dtype=torch.float64) * 10
    assert double(x).dtype == torch.float64
    assert torch.allclose(double(x), field(x).double(), atol=1e-5)
    double.save(path := tmp_path / "b.safetensors")
    assert sf.load(path)(x).dtype == torch.float64
    assert torch.equal(sf.load(path, dtype=torch.float32)(x), field(x))


def test_the_file_is_plain_safetensors_with_a_json_header(data):
    (length,) = struct.unpack("<Q", data[:8])
    metadata = json.loads(data[8 : 8 + length])["__metadata__"]
    header = json.loads(metadata["sinefield"])
    assert header["format"] == serialization.FORMAT
    assert header["signal"]["domain"]["units"] == ["s", "m"]


def refused(tmp_path, data, says):
    (path := tmp_path / "bad.safetensors").write_bytes(data)
    with pytest.raises(InputError, match=says) as found:
        sf.load(path)
    assert "\n" not in str(found.value)
    assert "bad.safetensors" in str(found.value)


def with_header(data, change):
    """The file with its safetensors header changed, and its length set right."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def test_cut_and_altered_files_are_refused(tmp_path, data):
    refused(tmp_path, b"", "cut short or damaged")
    refused(tmp_path, data[:4], "cut short or damaged")
    refused(tmp_path, data[:100], "cut short or damaged")
    refused(tmp_path, data[:-10], "cut short or damaged")
    refused(tmp_path, data[:-1] + bytes([data[-1] ^ 1]), "altered")
    refused(tmp_path, b"\x89PNG" + data[4:], "cut short or damaged")


def test_a_header_that_claims_a_terabyte_is_refused(tmp_path, data):
    refused(tmp_path, struct.pack("<Q", 2**40) + data[8:], "cut short or damaged")

    def claim(header):
        header["weights.0"]["shape"] = [2**19, 2**19]
        header["weights.0"]["data_offsets"] = [0, 2**40]

    refused(tmp_path, with_header(data, claim), "cut short or damaged")


def signed(tmp_path, field, change):
    """A file whose digest is right and whose header says something else."""
    field.save(path := tmp_path / "made.safetensors")
    tensors, header = serialization.read(path, "field")
    change(header)
    serialization.write(path, "field", tensors, header)
    return path.read_bytes()


@pytest.mark.parametrize(
    "change",
    [
        lambda h: h["network"].update(width=2**40),
        lambda h: h["network"].update(depth=10**9),
        lambda h: h["network"].update(depth=-1),
        lambda h: h["network"].update(in_dim=3),
        lambda h: h["network"].update(nonsense=1),
        lambda h: h["network"].update(omega_first="x"),
        lambda h: h["network"].update(omega_first=-1.0),
        lambda h: h.update(activation="other"),
        lambda h: h.update(activation=["sine"]),
        lambda h: h.pop("signal"),
        lambda h: h["signal"].update(shape=[-3, 4]),
        lambda h: h["signal"].update(low=[1.0]),
        lambda h: h["signal"].update(dtype="object"),
        lambda h: h["signal"]["domain"].update(lower=["a", "b"]),
        lambda h: h["signal"].update(domain=None),
        lambda h: h.update(info=None),
    ],
)
def test_a_header_that_describes_no_field_is_refused(tmp_path, field, change):
    refused(tmp_path, signed(tmp_path, field, change), "header")


def test_another_version_is_refused(tmp_path, field, monkeypatch):
    monkeypatch.setattr(serialization, "FORMAT", 99)
    field.save(path := tmp_path / "a.safetensors")
    monkeypatch.undo()
    with pytest.raises(InputError, match=r"format 99.*upgrade"):
        sf.load(path)


def test_tensors_of_other_networks_are_refused(tmp_path):
    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="not written by sinefield"):
        sf.load(tmp_path / "other.safetensors")


def test_missing_files_and_folders_are_refused(tmp_path, field):
    with pytest.raises(InputError, match="does not exist"):
        sf.load(tmp_path / "nothing.safetensors")
    with pytest.raises(InputError, match="folder"):
        sf.load(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        field.save(tmp_path / "nowhere" / "a.safetensors")
    with pytest.raises(InputError, match="is a folder"):
        field.save(tmp_path)
    assert list(tmp_path.iterdir()) == []


ANY = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@ANY
@given(noise=st.binary(max_size=400))
def test_random_bytes_are_refused(tmp_path, noise):
    (path := tmp_path / "noise.safetensors").write_bytes(noise)
    with pytest.raises(InputError):
        sf.load(path)


@ANY
@given(
    edits=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1, max_size=5),
    cut=st.none() | st.integers(0, 10**6),
)
def test_random_edits_are_refused_or_harmless(tmp_path, data, field, edits, cut):
    changed = bytearray(data)
    for place, value in edits:
        changed[place % len(changed)] = value
    if cut is not None:
        changed = changed[: cut % len(changed)]
    (path := tmp_path / "edited.safetensors").write_bytes(bytes(changed))
    try:
        back = sf.load(path)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert np.array_equal(back.render(), field.render())
