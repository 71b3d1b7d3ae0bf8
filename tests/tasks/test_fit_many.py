"""Fits of many pictures at once: stacked networks, groups of signals, and the command `fit-many`."""

import json
import signal as system_signals
import time

import numpy as np
import pytest
import torch
from PIL import Image

import sinefield as sf
from sinefield import InputError, fit_many
from sinefield.networks import Siren, StackedNetworks
from sinefield.priors.meta_learning import fit_from_start
from sinefield.signals import from_array
from sinefield.signals.image import from_pixels
from sinefield.tasks.fit_many import _groups
from tests.command_line import report, run, start
from tests.priors.test_prior import blobs


def pictures(count, size=12, channels=1):
    mode = "L" if channels == 1 else "RGB"
    return [from_pixels(pixels, mode, f"blob {k}") for k, pixels in enumerate(blobs(count, size, channels))]


def test_stacked_networks_have_the_values_of_each_network():
    networks = [Siren(2, 3, 16, 1, generator=torch.Generator().manual_seed(k)) for k in range(4)]
    stacked, x = StackedNetworks(networks), torch.rand(7, 2)
    for index, network in enumerate(networks):
        assert torch.allclose(stacked(x)[index], network(x), atol=1e-6)
        assert torch.equal(stacked.network(index)(x), network(x))


def test_fields_fitted_together_equal_separate_fits():
    """Weights, batches and steps are the same, so the fields differ only by rounding."""
    signals = pictures(5, 20)
    for signal, field in zip(signals, fit_many(signals, steps=40, width=16), strict=True):
        separate = sf.fit(signal, recipe="small", steps=40, width=16)
        assert field.info.quality["psnr_db"] == pytest.approx(separate.info.quality["psnr_db"], abs=0.3)
        assert np.abs(field([[3.0, 4.5]]) - separate([[3.0, 4.5]])).max() < 1


def test_each_field_has_the_header_and_values_of_its_signal():
    signals = [*pictures(3, 12), *pictures(2, 10, 3), from_array(np.linspace(5, 9, 50))]
    fields = list(fit_many(signals, steps=300))
    assert [field.header for field in fields] == [signal.header for signal in signals]
    assert [field.info.settings["together"] for field in fields] == [3, 3, 3, 2, 2, 1]
    for signal, field in zip(signals, fields, strict=True):
        assert field.info.quality["psnr_db"] > 30
        rendered = field.render().reshape(signal.values.shape).astype(float)
        half = signal.header.half_range
        assert np.square((rendered - signal.values) / half).mean() < 4e-3


def test_psnr_is_reached_by_the_worst_signal_of_a_group():
    fields = list(fit_many(pictures(4), psnr=32.0))
    assert min(field.info.quality["psnr_db"] for field in fields) >= 32
    assert {field.info.stopped for field in fields} == {"psnr"}


def test_scattered_samples_are_an_error():
    scattered = sf.from_points(np.random.default_rng(0).random((30, 2)), np.zeros(30))
    with pytest.raises(InputError, match="not on a grid"):
        list(fit_many([scattered]))
    assert list(fit_many([])) == []


def test_fit_from_start_fits_each_picture():
    torch.manual_seed(0)
    values = torch.rand(3, 1, 1).expand(3, 20, 1) - 0.5
    networks = fit_from_start(Siren(2, 1, 16, 1, 5.0), torch.rand(3, 20, 2), values)
    assert (networks(torch.rand(10, 2)).mean(dim=(1, 2)) - values[:, 0, 0]).abs().max() < 0.2


def test_the_command_writes_one_field_per_picture_and_resumes(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    (folder / "deeper").mkdir(parents=True)
    for k, pixels in enumerate(blobs(5, 12)):
        Image.fromarray(pixels[..., 0]).save(folder / ("deeper" if k == 4 else ".") / f"{k}.png")
    Image.fromarray(blobs(1, 12)[0, ..., 0]).save(folder / "0.bmp")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no more")
    made = report("fit-many", folder, "-o", out, "--steps", 20)
    assert (made["fields"], made["skipped"]) == (6, 1)
    names = sorted(str(path.relative_to(out)) for path in out.rglob("*.safetensors"))
    assert names == sorted(
        ["0.bmp.safetensors", "0.png.safetensors", *(f"{k}.safetensors" for k in "123"), "deeper/4.safetensors"]
    )
    assert sf.load(out / "2.safetensors").header.shape == (12, 12)
    done = run("fit-many", folder, "-o", out, "--steps", 20)
    assert done.returncode == 2
    assert "--resume" in done.stderr
    (out / "3.safetensors").unlink()
    again = report("fit-many", folder, "-o", out, "--steps", 20, "--resume")
    assert (again["fields"], again["existing"]) == (1, 5)


def test_fields_of_pictures_with_one_stem_keep_the_suffixes(tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for name, pixels in zip(("a.bmp", "a.png", "a.png.png"), blobs(3, 8), strict=True):
        Image.fromarray(pixels[..., 0]).save(folder / name)
    assert report("fit-many", folder, "-o", out, "--steps", 2)["fields"] == 3
    assert {path.name for path in out.iterdir()} == {f"{path.name}.safetensors" for path in folder.iterdir()}


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interruption_leaves_no_unfinished_field(threads, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for k, pixels in enumerate(blobs(70, 8)):
        Image.fromarray(pixels[..., 0]).save(folder / f"{k}.png")
    options = ("-o", out, "--steps", "100000", "--json")
    running = start("fit-many", folder, *options, env={"OMP_NUM_THREADS": str(threads)})
    deadline = time.monotonic() + 60
    while not out.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    running.send_signal(system_signals.SIGINT)
    stdout, _ = running.communicate(timeout=60)
    assert running.returncode == 130
    assert json.loads(stdout.splitlines()[-1])["fields"] == len(list(out.iterdir())) == 0


def test_groups_are_limited_in_samples_and_networks():
    large = [from_array(np.zeros((256, 256, 1), dtype=np.float32), channel_axis=-1)] * 5
    assert [len(group) for group in _groups(large)] == [2, 2, 1]
    assert [len(group) for group in _groups(pictures(70))] == [32, 32, 6]
