"""What the README and the pages say works: every block of Python and every command, with small files and few steps."""

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
from sinefield.problems.helmholtz import finite_differences
from sinefield.signals.video import write_video

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = {
    str(page.relative_to(ROOT)): found
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    if (found := BLOCK.findall(page.read_text()))
}
SMALL = {"--steps": "2", "--seconds": "2", "--refine": "2", "--resolution": "32", "--fps": "4"}
"""What is asked for here, whatever a page asks for."""

SIZES = {"fit": "256", "blend": "64x64", "compare": "48", "poisson": "48", "render": "48"}
"""The --size of each verb; what is fitted may be cropped afterwards."""

FAST = {
    "bench.TABLES": {"steps": lambda: [{"step": "1"}]},  # they take minutes
    "invert.WIDTH": 8,
    "learn.SEARCH": 2,
    "problems.helmholtz.finite_differences": partial(finite_differences, cells=61),
    "problems.inversion.finite_differences": partial(finite_differences, cells=61),
    "reports.solution.FRAMES": 2,
    "shape.CELLS": 16,
    "shape.JUDGED": 500,
    "view.STEPS": 4,
}
"""What costs time and shows nothing of whether a command can be run."""


@pytest.mark.parametrize("page", BLOCKS)
def test_what_a_page_says_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hurry(monkeypatch)
    names = {}
    for language, block in BLOCKS[page]:
        if language == "python":
            exec(compile(short(block), page, "exec"), names)
        else:
            for line in block.splitlines():
                if line.startswith("sinefield "):
                    run(shlex.split(line, comments=True)[1:])


def test_every_file_that_the_readme_names_is_there():
    for target in re.findall(r"\]\((?!http)([^)#]+)", (ROOT / "README.md").read_text()):
        assert (ROOT / target).exists(), target


def test_every_public_name_has_its_place_on_the_site():
    said = "".join(page.read_text() for page in (ROOT / "docs" / "api").glob("*.md"))
    for name in sinefield.__all__:
        if not isinstance(getattr(sinefield, name), ModuleType):
            assert re.search(rf"^::: sinefield\..*\b{name}$", said, re.MULTILINE), name


def hurry(monkeypatch):
    """Leave out what costs time."""
    for name, value in FAST.items():
        module, _, constant = f"sinefield.{name}".rpartition(".")
        monkeypatch.setattr(import_module(module), constant, value)


def short(block):
    """The same code with a few steps, and what is said of a shape asserted."""
    block = re.sub(r"\b(steps|seconds)=\d+", "steps=2", block)
    return re.sub(r"^(\S.*\.shape)  # (\(.*?\)).*", r"assert \1 == \2, \1", block, flags=re.MULTILINE)


def run(words):
    """A command, on files that are made where there are none, with a small budget."""
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
    assert not cli.app([*words, "--quiet"], standalone_mode=False), words


def make(path, folder=False):
    """A small file of the kind that its suffix says; anything else is no file."""
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
    """A bright disc on a slope, which is a mask as well."""
    y, x = np.mgrid[:64, :64] - 31.5
    return Image.fromarray(np.uint8(60 + 0.5 * x + 150 * (x**2 + y**2 < (10 + index) ** 2)))
