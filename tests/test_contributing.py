"""The examples in CONTRIBUTING.md are complete: each is imported as a module and used through the command line."""

import gzip
import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import sinefield as sf
from sinefield.cli.main import run
from sinefield.errors import InputError
from sinefield.jets.jet import Jet
from sinefield.networks import ACTIVATIONS
from sinefield.problems import EQUATIONS
from sinefield.sampling import Batch
from sinefield.signals.formats import FORMATS, format_of

GUIDE = Path(__file__).parent.parent / "CONTRIBUTING.md"


@pytest.fixture
def example(tmp_path, monkeypatch):
    """Function that imports the block of a section as a module; its registrations are removed at the end."""
    monkeypatch.chdir(tmp_path)
    before = [(registry, set(registry)) for registry in (ACTIVATIONS, FORMATS, EQUATIONS)]

    def load(section):
        [block] = re.findall(
            rf"^## {section}\n[^#]*?^```python\n(.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL
        )
        path = tmp_path / "example_of_contributing.py"
        path.write_text(block)
        spec = importlib.util.spec_from_file_location(path.stem, path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, path.stem, module)  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module

    yield load
    for registry, names in before:
        for name in set(registry) - names:
            registry.remove(name)


def test_an_activation(example):
    swish = example("An activation").Swish()
    v = torch.linspace(-8, 8, 101, dtype=torch.float64, requires_grad=True)
    expected = v * torch.sigmoid(v)
    for found in swish.derivatives(v, 5):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
        (expected,) = torch.autograd.grad(expected.sum(), v, create_graph=True)

    Image.fromarray(np.uint8(np.add.outer(*2 * [np.arange(0, 128, 8)]))).save("ramp.png")
    command = ["fit", "ramp.png", "--activation", "swish", "--width", "16", "--depth", "1", "--steps", "200", "--quiet"]
    assert run(command) == 0
    field = sf.load("ramp.safetensors")
    assert field.network.name == "swish"
    assert field.info.quality["psnr_db"] > 30
    x = torch.tensor([[3.2, 7.9]], dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(field(x).sum(), x)
    torch.testing.assert_close(field.gradient(x)[:, 0].double(), gradient.double(), rtol=1e-4, atol=1e-4)


def test_a_file_format(example):
    volume = example("A file format")
    voxels = np.random.default_rng(0).random((4, 5, 6)).astype("<f4")
    header = volume.HEADER.pack(b"VOL1", 4, 5, 6, 3.0, 0.5, 0.25)
    Path("head.vol.gz").write_bytes(gzip.compress(header + voxels.tobytes()))
    assert format_of("HEAD.VOL.GZ").name == "volume"

    signal = sf.read("head.vol.gz")
    np.testing.assert_array_equal(signal.samples, voxels)
    assert signal.header.step == (3.0, 0.5, 0.25)
    assert (signal.header.domain.axes, signal.header.domain.units) == (("z", "y", "x"), ("mm", "mm", "mm"))
    np.testing.assert_allclose(signal.at(np.array([119]))[0], [[9.0, 2.0, 1.25]])

    assert run(["fit", "head.vol.gz", "--width", "16", "--depth", "1", "--steps", "2", "--quiet"]) == 0
    assert sf.load("head.safetensors").render().shape == (4, 5, 6)

    damaged = {
        "truncated": gzip.compress(header + voxels.tobytes())[:-20],
        "short": gzip.compress(header + voxels.tobytes()[:-4]),
        "half": gzip.compress(header + voxels.tobytes()[:-2]),
        "other": gzip.compress(b"JUNK" + header[4:]),
        "header": gzip.compress(header[:9]),
        "bytes": b"not a compressed file",
        "empty": b"",
    }
    for name, content in damaged.items():
        Path(f"{name}.vol.gz").write_bytes(content)
        with pytest.raises(InputError, match=name):
            sf.read(f"{name}.vol.gz")


@pytest.mark.parametrize(("front_width", "duration"), [(0.2, 1.0), (0.35, 0.4)])
def test_the_front_satisfies_the_equation(example, front_width, duration):
    problem = example("An equation").allen_cahn(front_width, duration, size=64)
    equation, values = problem.constraints
    x = equation.sampler(0).x
    assert residual(equation, x, problem.reference).abs().max() < 1e-10
    assert residual(values, values.sampler(0).x, problem.reference).abs().max() < 1e-12
    too_fast = residual(equation, x, lambda points: problem.reference(points * np.array([1.1, 1.0])))
    assert too_fast.abs().max() > 1e-2
    # a front from 1 to 0 whose middle moves by c t = 3 ε t / √2
    middle = 3 * front_width * duration / np.sqrt(2)
    at = np.array([[duration, middle], [0.0, -20 * front_width], [0.0, 20 * front_width]])
    np.testing.assert_allclose(problem.reference(at)[:, 0], [0.5, 1.0, 0.0], atol=1e-5)


def test_an_equation(example, capsys):
    module = example("An equation")
    options = ["--front-width", "0.3", "--width", "16", "--depth", "1", "--quiet"]
    assert run(["solve", "allen-cahn", "--steps", "2", *options]) == 0
    assert sf.load("allen-cahn.safetensors").info.source == "allen-cahn"
    assert run(["solve", "allen-cahn", "--front-width", "0", "--quiet"]) == 2
    assert "must be positive" in capsys.readouterr().err
    field = sf.solve(module.allen_cahn(0.3, size=128), width=16, depth=1, steps=60)
    assert field.info.quality["relative_l2"] < 1e-2


def residual(constraint, x, function):
    """The residual of a function, with derivatives by finite differences of fourth order in float64."""
    h = 1e-3
    points = x.numpy()

    def derivative(axis, order):
        offset = h * np.eye(points.shape[1])[axis]
        weights = {1: [1, -8, 0, 8, -1], 2: [-1, 16, -30, 16, -1]}[order]
        values = [weight * function(points + k * offset) for k, weight in zip(range(-2, 3), weights, strict=True)]
        return torch.from_numpy(sum(values)) / (12 * h**order)

    gradient = torch.stack([derivative(axis, 1) for axis in range(points.shape[1])], dim=-1)
    hessian = torch.diag_embed(torch.stack([derivative(axis, 2) for axis in range(points.shape[1])], dim=-1))
    jet = Jet(torch.from_numpy(function(points)), gradient, hessian.diagonal(dim1=-2, dim2=-1).sum(-1), hessian)
    return constraint.residual(jet, Batch(x))
