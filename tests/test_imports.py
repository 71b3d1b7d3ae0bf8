"""The order of the packages, public names, and what an import loads."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import sinefield

PACKAGE = Path(sinefield.__file__).parent

# In the direction of the data; a module imports only from its own line or from lines above it.
FLOW = (
    ("errors",),
    ("progress", "registry", "extras"),
    ("files", "domain", "parallel"),
    ("serialization", "metrics"),
    ("signals",),
    ("networks",),
    ("jets",),
    ("sampling",),
    ("constraints",),
    ("problems",),
    ("field",),
    ("training",),
    ("tasks",),
    ("priors",),
    ("reports",),
    ("experiments",),
    ("cli",),
    ("__main__",),
)
LEVEL = {name: level for level, names in enumerate(FLOW) for name in names}


def modules():
    return sorted(path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py")


def room(path):
    """The package, or the module beside the packages, that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    """The modules of the project that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "sinefield":
            yield from [node.module] if "." in node.module else [f"sinefield.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("sinefield."))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_to_lower_layers_only(path):
    own = room(path)
    for other in (name.split(".")[1] for name in imported(path)):
        if other != "__version__":
            assert other == own or LEVEL[other] < LEVEL[own], f"{own} imports {other}, which comes after it"


def test_modules_do_not_import_each_other_in_a_circle():
    graph = {}
    for path in modules():
        name = "sinefield." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        if path.stem != "__init__":
            tree = ast.parse(path.read_text(encoding="utf-8"))
            top = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module]
            graph[name] = {node.module for node in top if node.module.startswith("sinefield.")}
    done = set()

    def visit(name, trail):
        assert name not in trail, " -> ".join([*trail, name])
        if name not in done:
            for other in graph.get(name, ()):
                visit(other, [*trail, name])
            done.add(name)

    for name in graph:
        visit(name, [])


def test_every_package_is_in_the_flow_and_none_is_a_drawer():
    assert {room(path) for path in modules()} == LEVEL.keys()
    assert not {path.stem for path in modules()} & {"utils", "util", "helpers", "common", "core", "misc"}


def packages():
    found = pkgutil.walk_packages(sinefield.__path__, "sinefield.")
    return ["sinefield", *(each.name for each in found if each.ispkg)]


@pytest.mark.parametrize("name", packages())
def test_a_name_is_a_module_or_something_else_and_not_both(name):
    package = importlib.import_module(name)
    for each in pkgutil.iter_modules(package.__path__):
        if each.name != "__main__":
            module = importlib.import_module(f"{name}.{each.name}")
            assert getattr(package, each.name) is module


def loaded(code):
    """The top-level modules that are loaded after some code, in a fresh interpreter."""
    code += "\nimport sys; print(' '.join({name.split('.')[0] for name in sys.modules}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(run.stdout.split("\n")[-2].split())


OPTIONAL = {
    "matplotlib",
    "skimage",
    "tifffile",
    "imagecodecs",
    "av",
    "soundfile",
    "pyarrow",
    "xarray",
    "trimesh",
    "igl",
    "tensorboard",
}


def test_import_loads_nothing_heavy():
    assert not loaded("import sinefield") & (OPTIONAL | {"torch", "numpy", "scipy"})
    assert not loaded("import sinefield as sf; sf.fit, sf.load, sf.Siren, sf.Signal") & (OPTIONAL | {"scipy"})


@pytest.mark.parametrize("arguments", [["--help"], ["fit", "--help"], ["--version"], ["prior", "fit", "--help"]])
def test_help_loads_no_torch(arguments):
    code = f"from sinefield.cli.main import run; run({arguments!r})"
    assert not loaded(code) & (OPTIONAL | {"torch", "numpy", "scipy"})


def test_info_loads_no_torch(tmp_path):
    sinefield.fit([0.0, 1.0, 4.0], width=8, depth=0, steps=2).save(path := tmp_path / "a.safetensors")
    assert not loaded(f"from sinefield.cli.main import run; assert run(['info', {str(path)!r}]) == 0") & {"torch"}


def test_every_public_name_exists_and_is_documented():
    for name in sinefield.__all__:
        assert getattr(sinefield, name).__doc__, name
    assert {"fit", "Field", "__version__"} <= set(dir(sinefield))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        sinefield.nothing  # noqa: B018


def test_a_warning_is_an_error_while_it_is_imported():
    """`python -W error` finds nothing in the modules of the package."""
    found = pkgutil.walk_packages(sinefield.__path__, "sinefield.")
    names = [each.name for each in found if each.name != "sinefield.__main__"]
    code = f"import importlib\nfor name in {names!r}: importlib.import_module(name)"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1000:]
