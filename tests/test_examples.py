"""The examples run, and reach what they are about."""

import importlib.util
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
REACHED = {
    "differentiate_a_picture": lambda agreement: agreement > 0.9,
    "your_own_constraint": lambda off: off < 0.01,
    "differentiate_noisy_data": lambda errors: errors[0] < 0.1,
    "poisson": lambda psnr: psnr > 22,
    "shape_from_points": lambda off: off < 0.01,
    "burgers": lambda error: error < 1e-3,
    "heat": lambda error: error < 2e-4,
    "stokes": lambda error: error < 1e-3,
}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_runs_and_is_short(path):
    assert len(path.read_text().splitlines()) <= 60
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert REACHED[path.stem](module.main())
