"""The README and the pages of the documentation: every command and every block of Python runs, with small settings."""

import inspect
import re
import shlex
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import soundfile
import trimesh
from PIL import Image
from scipy.io import savemat

import sinefield
from sinefield import from_array
from sinefield.cli.main import app
from sinefield.problems import EQUATIONS
from sinefield.problems.helmholtz import finite_differences
from sinefield.signals.video import write_video

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = {str(page.relative_to(ROOT)): found for page in PAGES if (found := BLOCK.findall(page.read_text()))}
SLOW = ("README.md", "docs/signals/shape.md")
"""Pages that take more than about ten seconds."""

SMALL = {"--steps": "2", "--seconds": "2", "--refine": "2", "--resolution": "32", "--fps": "4"}
"""Values of options, instead of those on a page."""

SIZES = {"fit": "256", "blend": "64x64", "compare": "48", "poisson": "48", "render": "48"}
"""The --size of each command; what is fitted may be cropped afterwards."""

FAST = {
    "experiments.bench.TABLES": {"steps": lambda: [{"step": "1"}]},
    "field.sphere_trace.MAX_STEPS": 4,
    "priors.fit_prior.REFINE_STEPS": 2,
    "problems.helmholtz.finite_differences": partial(finite_differences, cells=61),
    "problems.inversion.finite_differences": partial(finite_differences, cells=61),
    "reports.picture.SCALE": 1,
    "reports.solution.FRAMES": 2,
    "tasks.invert.WIDTH": 8,
    "tasks.shape.CELLS": 16,
    "tasks.shape.EVAL_POINTS": 500,
}
"""Constants and functions that take time and do not affect whether a command works."""


@pytest.mark.parametrize("page", [pytest.param(page, marks=[pytest.mark.slow] * (page in SLOW)) for page in BLOCKS])
def test_the_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, value in FAST.items():
        module, _, constant = f"sinefield.{name}".rpartition(".")
        assert hasattr(import_module(module), constant), name
        monkeypatch.setattr(import_module(module), constant, value)
    names = {}
    for language, block in BLOCKS[page]:
        if language == "python":
            exec(compile(shorten(block), page, "exec"), names)
        else:
            for line in block.splitlines():
                if line.startswith("sinefield "):
                    run(shlex.split(line, comments=True)[1:])


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_every_file_that_a_page_outside_the_site_links_to_exists(name):
    for target in re.findall(r"\]\((?!http)([^)#]+)", (ROOT / name).read_text()):
        assert (ROOT / target).exists(), target


def test_the_formatter_left_the_includes_alone():
    for page in [*PAGES, ROOT / "CONTRIBUTING.md"]:
        assert not re.search(r"--\s*8\s*<\s*--", page.read_text().replace("--8<--", "")), page


def test_every_public_name_is_in_the_reference():
    found = documented()
    for name in sinefield.__all__:
        if not isinstance(getattr(sinefield, name), ModuleType):
            assert any(each.endswith(f".{name}") for each in found), name


@pytest.mark.parametrize("module", ["sampling", "jets.operators", "networks.init", "domain", "metrics", "progress"])
def test_every_function_of_a_documented_module_is_in_the_reference(module):
    found, module = documented(), import_module(f"sinefield.{module}")
    for name, each in vars(module).items():
        ours = getattr(each, "__module__", "").startswith(module.__name__) and not name.startswith("_")
        if ours and (inspect.isfunction(each) or inspect.isclass(each)) and name != "ignore":
            assert f"{each.__module__}.{name}" in found, name


def test_every_equation_is_in_the_reference():
    for equation in EQUATIONS.values():
        assert f"{equation.__module__}.{equation.__name__}" in documented(), equation


def documented():
    """The objects that the reference describes."""
    text = "".join(page.read_text() for page in (ROOT / "docs" / "api").glob("*.md"))
    return set(re.findall(r"^::: (\S+)$", text, re.MULTILINE))


def shorten(block):
    """Return the same code with two steps, in which a shape in a comment is asserted."""
    block = re.sub(r"\b(steps|seconds)=\d+", "steps=2", block)
    return re.sub(r"^(\S.*\.shape)  # (\(.*?\)).*", r"assert \1 == \2, \1", block, flags=re.MULTILINE)


def run(words):
    """Run a command with a small budget, on generated files where none exist."""
    for before, word in zip(["", *words], words, strict=False):
        if before not in ("-o", "--report", "--checkpoint", "--log-dir") and not Path(word).exists():
            make(Path(word), folder=word.endswith("/"))
    small = SMALL | ({"--size": SIZES[words[0]]} if words[0] in SIZES else {})
    words = [small.get(before, word) for before, word in zip(["", *words], words, strict=False)]
    words = ["--steps" if word == "--seconds" else word for word in words]
    fits = words[0] in ("fit", "poisson", "blend", "compare", "solve")
    if fits and not {"--like", "--prior", "--width"} & set(words):
        words += ["--width", "16", "--depth", "1"]
    if words[0] == "reproduce":
        words += ["--share", "0.001"]
    if (fits or words[0] in ("invert", "fit-many") or words[:2] == ["prior", "fit"]) and "--steps" not in words:
        words += ["--steps", "2"]
    assert not app([*words, "--quiet"], standalone_mode=False), words


def make(path, folder=False):
    """Create a small file of the kind that its suffix names; do nothing for other words."""
    if folder:
        path.mkdir()
        for index in range(12):
            picture(index).save(path / f"{index}.jpg")
        picture(12).save(path / "home.jpg")
    t = np.arange(32_000) / 8000
    match path.suffix:
        case ".jpg" | ".png":
            picture(0).save(path)
        case ".wav":
            soundfile.write(path, np.sin(440 * 2 * np.pi * t), 8000)
        case ".mp4":
            frames = np.random.default_rng(0).integers(0, 256, (4, 304, 512, 3), np.uint8)
            header = from_array(frames, channel_axis=-1).header
            write_video(path, iter(frames.reshape(4, -1, 3)), frames.shape[:3], 2.0, header)
        case ".csv":
            rows = np.random.default_rng(0).random((60, 3))
            np.savetxt(path, rows, delimiter=",", header="lon,lat,temperature", comments="")
        case ".npy":
            np.save(path, np.random.default_rng(0).random((12, 12, 12)))
        case ".ply":
            trimesh.PointCloud(trimesh.creation.icosphere(3).vertices).export(path)
        case ".mat":
            coords = np.random.default_rng(0).uniform(-0.4, 0.4, (2, 20, 2))
            savemat(path, {"source": coords[0, :2], "receivers": coords[1], "rec_val": np.ones((20, 2)) * (1 + 1j)})


def picture(index):
    """Return a bright disc on a slope, which also serves as a mask."""
    y, x = np.mgrid[:64, :64] - 31.5
    return Image.fromarray(np.uint8(60 + 0.5 * x + 150 * (x**2 + y**2 < (10 + index) ** 2)))
