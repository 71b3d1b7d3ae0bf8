"""The house: imports run one way, and nothing heavy is loaded before it is used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import sinefield

PACKAGE = Path(sinefield.__file__).parent

# Along the flow of the data; a module imports only from its own line or from those above it.
FLOW = (
    ("errors",),
    ("files", "domain"),
    ("regions",),
    ("signals",),
    ("samplers", "init"),
    ("fields",),
    ("jets",),
    ("operators",),
    ("constraints", "crew", "walks"),
    ("loss", "refinement"),
    ("problems",),
    ("metrics", "checkpoint", "render"),
    ("field",),
    ("prior",),
    ("jacobian",),
    ("soap", "natural"),
    ("recipes", "state"),
    ("contour", "loop"),
    ("fit",),
    ("population",),
    ("inpaint",),
    ("learn",),
    ("invert", "poisson", "shape", "solve", "view"),
    ("compare", "bench", "shades"),
    ("plot", "export"),
    ("reports",),
    ("reproduction",),
    ("terminal",),
    ("verbs",),
    ("cli",),
    ("__main__",),
)
LEVEL = {name: level for level, names in enumerate(FLOW) for name in names}


def modules():
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room(path):
    """The part of the house that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    """The parts of the house that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "sinefield":
            parts = node.module.split(".")
            yield from [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("sinefield."))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    own = room(path)
    for other in imported(path):
        assert other == own or LEVEL[other] < LEVEL[own], f"{own} imports {other}, which comes after it"


def test_no_drawer_for_leftovers():
    assert not {path.stem for path in modules()} & {"utils", "util", "helpers", "common", "core", "misc"}


def loaded(code):
    """The top-level modules that are loaded after some code, in a fresh interpreter."""
    code += "\nimport sys; print(' '.join({name.split('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split("\n")[-2].split())


HEAVY = {
    "matplotlib",
    "skimage",
    "tifffile",
    "imagecodecs",
    "scipy",
    "av",
    "soundfile",
    "pyarrow",
    "xarray",
    "trimesh",
    "igl",
}


def test_import_loads_nothing_heavy():
    assert not loaded("import sinefield") & (HEAVY | {"torch", "numpy"})
    assert not loaded("import sinefield as sf; sf.fit, sf.load, sf.Siren, sf.Signal") & HEAVY


def test_help_loads_no_torch():
    code = "import sys; sys.argv = ['sinefield', 'fit', '--help']\nfrom sinefield.cli import main\n"
    found = loaded(code + "try: main()\nexcept SystemExit: pass")
    assert not found & (HEAVY | {"torch", "numpy"})


def test_every_public_name_is_there_and_documented():
    for name in sinefield.__all__:
        assert getattr(sinefield, name).__doc__, name
