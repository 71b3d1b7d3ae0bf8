"""Any signal as one small continuous function, with exact derivatives.

>>> import numpy as np
>>> import sinefield as sf
>>> y, x = np.mgrid[:32, :32] / 32
>>> signal = sf.from_array(np.sin(6 * x) * y, step=(1 / 32, 1 / 32), axes=("y", "x"), units=("m", "m"))
>>> field = sf.fit(signal, width=64, depth=1, steps=300)
>>> field.info.quality["psnr_db"] > 30
True
>>> field([0.5, 0.25]).shape, field.gradient([0.5, 0.25]).shape, field.laplacian([0.5, 0.25]).shape
((1,), (1, 2), (1,))
>>> field.render(scale=4).shape
(128, 128)
"""

__version__ = "0.1.0"


def _public_names() -> dict[str, tuple[str, str]]:
    """The module and the attribute of each public name, as the stub beside this file lists them."""
    import ast
    from pathlib import Path

    tree = ast.parse(Path(__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module]
    return {alias.asname or alias.name: (str(node.module), alias.name) for node in imports for alias in node.names}


_PUBLIC = _public_names()
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> object:
    """Import a public name on first use, so that `import sinefield` and `sinefield --help` load no PyTorch."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'sinefield' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _PUBLIC[name]
    found = (
        import_module(f"{module}.{attribute}") if module == "sinefield" else getattr(import_module(module), attribute)
    )
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
