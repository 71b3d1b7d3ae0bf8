"""Build the sdist and the wheel, and use the wheel in a fresh environment with the core dependencies alone.

    python -m benchmarks.release [--constraint constraints.txt]

Prints the number of packages and the seconds of the installation. Exits with an error if a file of the package is
missing in the wheel, if a command fails, or if a missing extra is not one line that names it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent

TORCH_PACKAGES = 10
"""PyTorch and what it requires itself: filelock, fsspec, jinja2, markupsafe, mpmath, networkx, setuptools, sympy and
typing-extensions."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--constraint", type=Path, default=ROOT / "constraints.txt")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sinefield-release-") as name:
        folder = Path(name)
        run(sys.executable, "-m", "build", "--outdir", folder / "dist", ROOT)
        [wheel], [sdist] = folder.glob("dist/*.whl"), folder.glob("dist/*.tar.gz")
        check_contents(wheel)
        print(f"built {sdist.name} and {wheel.name}, {wheel.stat().st_size / 1e3:.0f} kB")
        program = install(wheel, folder / "environment", options.constraint)
        use(program, folder)
    print("the wheel works with the core dependencies alone")


def check_contents(wheel: Path) -> None:
    """Exit unless the wheel holds every file of the package."""
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    files = [path for path in (ROOT / "sinefield").rglob("*") if path.suffix in (".py", ".pyi", ".typed")]
    if missing := [str(path) for path in files if str(path.relative_to(ROOT).as_posix()) not in packed]:
        sys.exit(f"error: the wheel lacks {', '.join(missing)}")


def install(wheel: Path, environment: Path, constraint: Path) -> Path:
    """Install the wheel in a fresh environment; return the path of its Python."""
    run(sys.executable, "-m", "venv", environment)
    python = environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--constraint", constraint]
    start = time.perf_counter()
    run(*pip, "torch")
    torch, between = time.perf_counter() - start, time.perf_counter()
    run(*pip, wheel)
    seconds = time.perf_counter() - between
    listed = json.loads(run(python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"))
    names = sorted(each["name"] for each in listed if each["name"] not in ("pip", "sinefield"))
    more = len(names) - TORCH_PACKAGES
    print(f"torch took {torch:.0f} s; sinefield and {more} packages more than those of torch took {seconds:.0f} s")
    print(", ".join(names))
    return python


def use(python: Path, folder: Path) -> None:
    """Fit, render and describe a picture, and ask for a sound without the package that reads it."""
    make = (
        "import numpy as np; from PIL import Image; y, x = np.mgrid[:64, :96]; "
        "Image.fromarray(np.uint8(127 + 100 * np.sin(x / 9) * np.cos(y / 7))).save('photo.jpg')"
    )
    run(python, "-c", make, cwd=folder)
    command = [str(python), "-m", "sinefield"]
    print(run(*command, "--version", cwd=folder).strip())
    run(*command, "fit", "photo.jpg", "--size", "64", "--steps", "50", "--width", "32", "--quiet", cwd=folder)
    run(*command, "render", "photo.safetensors", "-o", "big.png", "--scale", "2", "--quiet", cwd=folder)
    reached = json.loads(run(*command, "info", "photo.safetensors", "--json", cwd=folder))
    if not reached["psnr_db"] > 15:
        sys.exit(f"error: the fit reached {reached['psnr_db']:.1f} dB; more than 15 dB were expected")
    (folder / "sound.wav").write_bytes(b"RIFF")
    done = subprocess.run([*command, "fit", "sound.wav"], cwd=folder, capture_output=True, text=True)
    lines = done.stderr.strip().splitlines()
    if done.returncode != 2 or len(lines) != 1 or "pip install 'sinefield[audio]'" not in lines[0]:
        sys.exit(f"error: a missing extra must be one line that names it; found {done.stderr!r}")


def run(*command: object, cwd: Path | None = None) -> str:
    """Run a command and return what it prints; exit with its output if it fails."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"error: {' '.join(map(str, command))} failed\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
