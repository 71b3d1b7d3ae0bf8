"""Files of the previous format: what they hold is used as before.

The files in tests/data/format_1 were written by the last version with format 1, by the calls that the tests repeat.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import sinefield as sf
from sinefield import serialization
from sinefield.networks.hard_constraint import ZeroOnBox
from tests.command_line import report

FILES = Path(__file__).parent / "data" / "format_1"
POINTS = torch.tensor([[0.1, 0.2], [0.5, 0.7]], dtype=torch.float64)


@pytest.fixture(scope="module")
def expected():
    return dict(np.load(FILES / "expected.npz"))


def ramp():
    y, x = np.mgrid[:16, :16] / 16
    return sf.from_array(np.sin(6 * x) * y, step=(1 / 16, 1 / 16), axes=("y", "x"), units=("m", "m"), name="ramp")


@pytest.mark.parametrize("name", ["field", "solution", "wire"])
def test_a_field_gives_the_same_values(name, expected):
    assert np.allclose(sf.load(FILES / f"{name}.safetensors")(POINTS).numpy(), expected[name], atol=1e-6)


def test_a_field_keeps_the_settings_of_its_fit():
    info = sf.load(FILES / "field.safetensors").info
    assert (info.source, info.steps, info.best_step, info.stopped, info.parameters) == ("ramp", 30, 30, "steps", 337)
    assert info.settings == {"recipe": "default", "activation": "sine", "seed": 0, "holdout": 0.1, "omega": 2.0}
    assert info.quality.keys() == {"mse", "psnr_db", "psnr_holdout_db"}
    assert info.history[0] == (10, 0.08, 0.15608064524005494)


def test_a_solution_keeps_its_hard_constraint():
    field = sf.load(FILES / "solution.safetensors")
    assert field.hard_constraint == ZeroOnBox((0.0, 0.0), (1.0, 1.0))
    assert field.info.settings["optimizer"] == "natural"
    assert field.info.quality["relative_l2"] == pytest.approx(0.0813, rel=1e-2)


def test_a_prior_gives_the_same_pictures(expected):
    prior = sf.load_prior(FILES / "prior.safetensors")
    pictures = prior(prior.sample(2), torch.zeros(1, 2)).detach().numpy()
    assert np.allclose(pictures, expected["prior"], atol=1e-5)
    assert prior.info.settings["pictures"] == 40


def test_a_training_continues_bit_for_bit(tmp_path, expected):
    """The state was saved after 20 steps; 30 steps were taken at once for the expected values."""
    shutil.copy(FILES / "state.safetensors", tmp_path)
    field = sf.fit(ramp(), width=16, depth=1, steps=30, holdout=0.1, checkpoint=tmp_path, resume=True)
    assert field.info.steps == 30
    # the last bits depend on the processor, as the values come from another one
    assert np.allclose(field(POINTS).numpy(), expected["field"], atol=1e-4)


def test_a_field_that_is_saved_again_has_the_new_format(tmp_path):
    sf.load(FILES / "solution.safetensors").save(path := tmp_path / "new.safetensors")
    header = serialization.read_header(path, "field")
    assert header["format"] == serialization.FORMAT == 2
    assert header["hard_constraint"] == {"name": "zero_on_box", "lower": [0.0, 0.0], "upper": [1.0, 1.0]}
    assert header["signal"]["domain"]["half_extent"] == [0.5, 0.5]
    assert not {"made", "place", "condition"} & header.keys()


def test_info_reads_an_old_header():
    printed = report("info", FILES / "field.safetensors")
    assert (printed["activation"], printed["source"], printed["psnr_db"]) == (
        "sine",
        "ramp",
        pytest.approx(23.3, abs=0.1),
    )


def test_the_digest_is_that_of_the_tensors(tmp_path):
    """The digest that is computed from the file equals the one that was computed from the tensors."""
    tensors = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.float64), "c": torch.zeros(0)}
    serialization.write(path := tmp_path / "a.safetensors", "thing", tensors, {"x": float("inf")})
    back, header = serialization.read(path, "thing")
    assert header["x"] is None
    assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())
    assert json.dumps(header)
