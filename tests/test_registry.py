"""Registration, lookup and listing of named objects."""

import subprocess
import sys

import pytest

from sinefield.errors import InputError
from sinefield.registry import Registry

DECORATOR = """
from sinefield.registry import Registry

COLORS = Registry("color", "{package}")


def register_color(name, **options):
    return lambda item: COLORS.add(name, item)
"""

RED = """
from {package} import register_color


@register_color("red")
class Red: ...


@register_color(
    "dark-red",
    brightness=0.5,
)
class DarkRed: ...
"""

BLUE = """
from {package} import register_color

# @register_color("no color")


@register_color("blue")
class Blue: ...
"""


@pytest.fixture
def package(tmp_path, monkeypatch, request):
    """Name of a package whose modules register colors."""
    name = f"colors_of_{request.node.name}"
    (tmp_path / name).mkdir()
    for module, source in {"__init__": DECORATOR, "a_red": RED, "b_blue": BLUE}.items():
        (tmp_path / name / f"{module}.py").write_text(source.format(package=name))
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        del sys.modules[module]


def colors_of(package):
    return __import__(package).COLORS


def test_modules_are_imported_on_first_use(package):
    colors = colors_of(package)
    assert f"{package}.a_red" not in sys.modules
    assert colors["red"].__name__ == "Red"
    assert list(colors) == ["red", "dark-red", "blue"]
    assert len(colors) == 3
    assert "blue" in colors
    assert "green" not in colors
    with pytest.raises(KeyError, match="green"):
        colors["green"]


def test_names_are_in_order_of_registration(package):
    __import__(f"{package}.b_blue")
    assert list(colors_of(package)) == ["blue", "red", "dark-red"]


def test_find_lists_the_names(package):
    colors = colors_of(package)
    assert colors.find("dark-red") is colors["dark-red"]
    with pytest.raises(InputError, match=r"^unknown color 'green'; choose from red, dark-red, blue$"):
        colors.find("green")


def test_find_in_an_empty_registry():
    with pytest.raises(InputError, match=r"^unknown codec 'yaml'; no codec is registered$"):
        Registry("codec", "json").find("yaml")


def test_a_name_belongs_to_one_module(package):
    colors = colors_of(package)
    red = colors["red"]
    assert colors.add("red", red) is red

    class Red: ...

    with pytest.raises(ValueError, match=rf"^the color 'red' of {__name__} is already registered by {package}.a_red$"):
        colors.add("red", Red)
    assert colors["red"] is red
    Red.__module__ = red.__module__  # as when the module is reloaded
    assert colors.add("red", Red) is colors["red"] is Red


def test_remove(package):
    colors = colors_of(package)
    colors.add("green", object())
    colors.remove("green")
    assert "green" not in colors
    with pytest.raises(KeyError, match="green"):
        colors.remove("green")


def test_an_import_that_fails_is_repeated(package, tmp_path):
    (tmp_path / package / "c_green.py").write_text("raise RuntimeError('incomplete')")
    colors = colors_of(package)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="incomplete"):
            list(colors)


def test_declared_names_are_read_from_the_sources(package):
    colors = Registry("color", package)
    assert colors.declared("register_color") == ["red", "dark-red", "blue"]
    assert colors.declared("register_shape") == []
    assert package not in sys.modules
    with pytest.raises(ModuleNotFoundError, match="colors_of_nobody"):
        Registry("color", "colors_of_nobody.primary").declared("register_color")


def test_declared_names_load_no_torch():
    code = (
        "import sys\n"
        "from sinefield.registry import Registry\n"
        "print(*Registry('equation', 'sinefield.problems').declared('register_equation'))\n"
        "assert not {'torch', 'numpy', 'sinefield.problems'} & set(sys.modules), 'loaded too much'\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["eikonal", "helmholtz", "poisson", "wave"]
