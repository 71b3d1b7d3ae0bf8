"""Without optional packages, the core works, and each missing package is named in one line."""

import json
import subprocess
import sys
from importlib import import_module

import imagecodecs
import numpy as np
import pytest
import soundfile
import tifffile
import trimesh
from PIL import Image

from sinefield.errors import InputError
from sinefield.extras import PURPOSES, extra

OPTIONAL = (
    *("skimage", "tifffile", "imagecodecs", "av", "soundfile", "trimesh", "igl", "pyarrow", "xarray"),
    *("matplotlib", "tensorboard"),
)

CORE = {
    "jpeg": "abs(read('a.jpg').values.astype(int) - colors).max() < 20",
    "webp": "abs(read('a.webp').values.astype(int) - colors).max() < 20",
    "tiff": "(read('a.tif').values == colors).all()",
    "png": "(read('a.png').values == colors).all()",
    "write jpeg": "abs(rewritten('a.png', 'b.jpg').astype(int) - colors).max() < 20",
    "write webp": "(rewritten('a.png', 'b.webp') == colors).all()",
    "write png": "(rewritten('a.png', 'b.png') == colors).all()",
    "16-bit gray png": "(read('gray16.png').values == colors[..., :1] * np.uint16(257)).all()",
    "write 16-bit gray png": "(rewritten('gray16.png', 'c.png') == colors[..., :1] * np.uint16(257)).all()",
    "point cloud": "read('cloud.npz').header.kind == 'shape'",
}

MISSING = {
    "read('a.wav')": ("audio", "soundfile"),
    "read('a.mp4')": ("video", "av"),
    "read('a.csv')": ("tables", "pyarrow"),
    "read('a.ply')": ("shape", "trimesh"),
    "read('color16.png')": ("image", "imagecodecs"),
    "read('float.tif')": ("image", "imagecodecs"),
    "read('camera')": ("image", "skimage"),
    "sf.from_xarray(None)": ("xarray", "xarray"),
    "sf.from_mesh(np.eye(4, 3), [[0, 1, 2]])": ("shape", "trimesh"),
    "report_folder(Path('out'))": ("plot", "matplotlib"),
    "formats.check(Path('b.wav'), sf.from_waveform(np.zeros(9), 9).header)": ("audio", "soundfile"),
    "formats.check(Path('b.mp4'), sf.from_array(np.zeros((2, 2, 2))).header)": ("video", "av"),
    "formats.check(Path('b.tif'), read('a.png').header)": ("image", "imagecodecs"),
    "formats.check(Path('b.png'), from_pixels(np.zeros((2, 2, 3), np.uint16), 'RGB').header)": ("image", "imagecodecs"),
}

PROGRAM = """
import json, sys

optional, snippets = json.loads(sys.argv[1])

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in optional:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
from pathlib import Path
import numpy as np
import sinefield as sf
from sinefield.signals import formats, read, write_image
from sinefield.signals.image import from_pixels
from sinefield.cli.console import report_folder

colors = np.load("a.npy")

def rewritten(source, target):
    signal = read(source)
    write_image(Path(target), signal.samples, signal.header)
    return read(target).values

results = {}
for snippet in snippets:
    try:
        results[snippet] = repr(eval(snippet))
    except Exception as error:
        results[snippet] = f"{type(error).__name__}: {error}"
print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What each snippet returns or raises in an interpreter without the optional packages."""
    path = tmp_path_factory.mktemp("files")
    y, x = np.mgrid[:16, :24]
    colors = np.stack([10 * x, 10 * y, 100 + 3 * x + 3 * y], axis=-1).astype(np.uint8)
    np.save(path / "a.npy", colors)
    for suffix in ("png", "jpg", "webp", "tif"):
        Image.fromarray(colors).save(path / f"a.{suffix}")
    Image.fromarray(colors[..., 0] * np.uint16(257)).save(path / "gray16.png")
    (path / "color16.png").write_bytes(imagecodecs.png_encode(colors * np.uint16(257)))
    tifffile.imwrite(path / "float.tif", colors[..., 0].astype(np.float32))
    soundfile.write(path / "a.wav", np.zeros(100), 8000)
    (path / "a.mp4").write_bytes(b"no frames")
    (path / "a.csv").write_text("x,v\n0,1\n1,2\n")
    trimesh.creation.icosphere(1).export(path / "a.ply")
    np.savez(path / "cloud.npz", points=np.vstack([np.zeros(3), np.eye(3)]))
    (path / "text.png").write_text("no pixels")
    snippets = [*CORE.values(), *MISSING, "read('text.png')", "sorted(sys.modules.keys() & set(optional))"]
    program = [sys.executable, "-c", PROGRAM, json.dumps([OPTIONAL, snippets])]
    done = subprocess.run(program, capture_output=True, text=True, cwd=path)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("task", CORE)
def test_the_core_suffices_for_common_files(results, task):
    assert results[CORE[task]] in ("True", "np.True_")


def test_the_core_imports_no_optional_package(results):
    assert results["sorted(sys.modules.keys() & set(optional))"] == "[]"


@pytest.mark.parametrize("snippet", MISSING)
def test_a_missing_package_is_one_line(results, snippet):
    name, package = MISSING[snippet]
    message = f"{PURPOSES[name]} needs the package {package}, which is not installed; pip install 'sinefield[{name}]'"
    assert results[snippet] == f"InputError: {message}"


def test_a_file_that_is_no_picture_is_not_reported_as_a_missing_package(results):
    assert results["read('text.png')"].startswith("InputError: text.png is no picture that can be read")


def test_modules_of_the_package_itself_are_not_optional():
    with pytest.raises(ModuleNotFoundError, match="no_such_module"), extra("video"):
        import_module("sinefield.no_such_module")
    with pytest.raises(ImportError, match="no_such_name"), extra("plot"):
        from math import no_such_name  # noqa: F401
    expected = r"drawing figures needs the package no_such_package, .* pip install 'sinefield\[plot\]'"
    with pytest.raises(InputError, match=expected), extra("plot"):
        import_module("no_such_package.part")
