"""The commands for pictures, run as a user runs them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sinefield.networks import ACTIVATIONS
from tests.command_line import report, run, start

SMALL = ("--size", "24", "--width", "24", "--depth", "1")


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "camera.safetensors"
    report("fit", "camera", *SMALL, "--steps", "60", "-o", path)
    return path


def test_fit_prints_the_quality(tmp_path):
    made = report("fit", "coffee", *SMALL, "--steps", "40", "--holdout", "0.25", cwd=tmp_path)
    assert {"psnr_db", "ssim", "seconds", "steps", "parameters", "file", "psnr_holdout_db"} <= made.keys()
    assert made["steps"] == 40
    assert (tmp_path / made["file"]).exists()
    assert made["file"] == "coffee.safetensors"


def test_json_is_the_only_output_on_stdout(tmp_path):
    done = run("fit", "camera", *SMALL, "--steps", "5", "--json", cwd=tmp_path)
    assert len(done.stdout.splitlines()) == 1
    quiet = run("fit", "camera", *SMALL, "--steps", "5", "--quiet", cwd=tmp_path)
    assert (quiet.stdout, quiet.stderr) == ("", "")


def test_the_report_holds_every_picture(tmp_path):
    made = report("fit", "astronaut", *SMALL, "--steps", "20", "--report", tmp_path / "out" / "deep", cwd=tmp_path)
    assert set(made["report"]) == {"render", "enlarged", "gradient", "laplacian", "error", "training", "sheet"}
    with Image.open(made["report"]["render"]) as small, Image.open(made["report"]["enlarged"]) as large:
        assert (small.size, small.mode) == ((24, 24), "RGB")
        assert large.size == (96, 96)
    with Image.open(made["report"]["sheet"]) as sheet:
        assert min(sheet.size) > 800


def test_render_writes_any_crop_at_any_size(field, tmp_path):
    for options, size in (
        (["--size", "50"], (50, 50)),
        (["--size", "30x20"], (30, 20)),
        (["--scale", "2"], (48, 48)),
        (["--crop", "0:12,6:12"], (6, 12)),
        (["--crop", ":,:", "--quantity", "gradient"], (24, 24)),
        (["--quantity", "laplacian"], (24, 24)),
    ):
        report("render", field, "-o", tmp_path / "a.png", *options)
        with Image.open(tmp_path / "a.png") as picture:
            assert (picture.size, picture.mode) == (size, "L")
    whole, part = tmp_path / "whole.npy", tmp_path / "part.npy"
    report("render", field, "-o", whole)
    report("render", field, "-o", part, "--crop", "3:9,10:20")
    assert np.array_equal(np.load(whole)[3:9, 10:20], np.load(part))
    report("render", field, "-o", part, "--quantity", "gradient")
    assert np.load(part).shape == (24, 24, 2)
    assert np.load(part).dtype == np.float32


def test_info_describes_a_field(field):
    said = report("info", field)
    assert (said["activation"], said["width"], said["depth"], said["omega_first"]) == ("sine", 24, 1, 9.09)
    assert [(axis["name"], axis["unit"], axis["samples"]) for axis in said["axes"]] == [
        ("y", "px", 24),
        ("x", "px", 24),
    ]
    assert said["psnr_db"] > 10
    shown = run("info", field)
    assert "omega_first" in shown.stdout
    assert all(len(line) <= 80 for line in shown.stdout.splitlines())


def test_compare_writes_a_table_and_a_figure(tmp_path):
    said = report("compare", "camera", *SMALL, "--steps", "20", "-o", tmp_path / "out")
    assert {row["activation"] for row in said["results"]} == set(ACTIVATIONS)
    assert [row["psnr_db"] for row in said["results"]] == sorted((r["psnr_db"] for r in said["results"]), reverse=True)
    assert json.loads(Path(said["table"]).read_text())["results"] == said["results"]
    with Image.open(said["figure"]) as figure:
        assert figure.width > figure.height > 1000


def test_help_names_every_activation():
    assert all(name in run("fit", "--help").stdout for name in ACTIVATIONS)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["fit", "nothing.png"], "nothing.png does not exist"),
        (["fit", "empty.png"], "empty"),
        (["fit", "cut.png"], "cut short"),
        (["fit", "text.png"], "no picture"),
        (["fit", "."], "folder"),
        (["fit", "camera", "-o", "nowhere/a.safetensors"], "nowhere does not exist"),
        (["fit", "camera", "-o", "a.png"], "a.safetensors"),
        (["fit", "camera", "-o", "folder.safetensors"], "is a folder"),
        (["fit", "camera", "--report", "text.png/out"], "cannot be made"),
        (["fit", "camera", "--checkpoint", "text.png"], "cannot be made"),
        (["fit", "camera", "--resume"], "checkpoint"),
        (["fit", "camera", "--recipe", "paper", "--width", "8"], "fixes"),
        (["fit", "camera", "--recipe", "mine"], "no recipe"),
        (["fit", "camera", "--activation", "swish"], "unknown activation"),
        (["fit", "camera", "--activation", "relu", "--omega", "3"], "omega"),
        (["fit", "camera", "--steps", "0"], "steps"),
        (["fit", "camera", "--seconds", "-3"], "seconds"),
        (["fit", "camera", "--holdout", "1"], "holdout"),
        (["fit", "camera", "--size", "big"], "--size big"),
        (["fit", "camera", "--size", "0"], "size"),
        (["fit", "camera", "--device", "abacus"], "abacus"),
        (["fit", "camera", "--nonsense"], "--nonsense"),
        (["fit"], "SOURCE"),
        (["render", "text.png", "-o", "a.png"], "no sinefield file"),
        (["render", "gone.safetensors", "-o", "a.png"], "does not exist"),
        (["render", "FIELD", "-o", "a.abc"], "unknown suffix .abc"),
        (["render", "FIELD", "-o", "nowhere/a.png"], "nowhere does not exist"),
        (["render", "FIELD", "-o", "a.png", "--size", "5", "--scale", "2"], "not both"),
        (["render", "FIELD", "-o", "a.png", "--crop", "5:5,0:3"], "crop"),
        (["render", "FIELD", "-o", "a.png", "--crop", "hello"], "crop"),
        (["render", "FIELD", "-o", "a.png", "--quantity", "curl"], "quantity"),
        (["render", "FIELD", "-o", "a.png", "--scale", "0"], "scale"),
        (["info", "text.png"], "no sinefield file"),
        (["compare", "camera", "--activation", "swish"], "swish"),
        (["poisson", "camera", "--from", "curl"], "curl"),
        (["poisson", "camera", "--from", "laplacian", "--activation", "relu"], "zero everywhere"),
        (["poisson", "camera", "--stencil", "magic"], "stencil"),
    ],
)
def test_invalid_input_is_one_line_on_stderr(tmp_path, field, arguments, says):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "folder.safetensors").mkdir()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 40)).astype(np.uint8)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:900])
    before = sorted(tmp_path.rglob("*"))
    done = run(*[field if each == "FIELD" else each for each in arguments], cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("error: ")
    assert says.lower() in done.stderr.lower()
    left = [path for path in sorted(tmp_path.rglob("*")) if path not in before and path.name != "out"]
    assert [path for path in left if path.parts[-2:] != ("out", "compare")] == []


def test_pipes_long_names_and_unusual_names(tmp_path, field):
    os.mkfifo(tmp_path / "pipe")
    for arguments in (["info", "pipe"], ["fit", "pipe"], ["fit", "x" * 300 + ".png"], ["info", "x" * 300]):
        done = run(*arguments, cwd=tmp_path)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    done = run("fit", "camera", *SMALL, "--steps", "1", "-o", "y" * 240 + ".safetensors", cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "[bold]y.png")
    made = run("fit", "[bold]y.png", "--width", "8", "--steps", "2", cwd=tmp_path)
    assert "[bold]y.safetensors" in made.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["render", "FIELD", "-o", "a.png", "--size", "1000000"],
        ["render", "FIELD", "-o", "a.png", "--scale", "1e9"],
        ["render", "FIELD", "-o", "a.png", "--size", "9" * 30],
        ["fit", "camera", "--size", "200000x200000"],
        ["fit", "camera", "--width", "10000000"],
        ["fit", "camera", "--depth", "3000000"],
        ["fit", "camera", "--seed", "9" * 20],
        ["fit", "camera", "--device", "meta"],
        ["fit", "camera", "--omega", "inf"],
    ],
)
def test_sizes_beyond_the_memory_are_refused_before_the_fit(tmp_path, field, arguments):
    done = run(*[field if each == "FIELD" else each for each in arguments], cwd=tmp_path)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path):
    tmp_path.chmod(0o500)
    done = run("fit", "camera", *SMALL, "--steps", "1", "-o", tmp_path / "a.safetensors")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def wait_for(condition, process):
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.slow
def test_a_killed_and_resumed_fit_has_the_same_weights(tmp_path):
    options = ("fit", "camera", "--size", "64", "--width", "64", "--steps", "200", "--quiet")
    assert run(*options, "-o", "whole.safetensors", cwd=tmp_path).returncode == 0
    interrupted = start(*options, "-o", "cut.safetensors", "--checkpoint", "state", cwd=tmp_path)
    state = tmp_path / "state" / "state.safetensors"
    steps = re.compile(rb'\\"step\\": (\d+)')
    wait_for(lambda: state.exists() and int(steps.search(state.read_bytes())[1]) >= 80, interrupted)
    interrupted.kill()
    interrupted.communicate()
    assert not (tmp_path / "cut.safetensors").exists()
    resumed = run(*options, "-o", "cut.safetensors", "--checkpoint", "state", "--resume", cwd=tmp_path)
    assert resumed.returncode == 0, resumed.stderr
    for name in ("whole", "cut"):
        run("render", f"{name}.safetensors", "-o", f"{name}.npy", "--quantity", "laplacian", cwd=tmp_path)
    assert np.array_equal(np.load(tmp_path / "whole.npy"), np.load(tmp_path / "cut.npy"))


def test_an_interruption_during_exec_has_the_exit_code_130(tmp_path):
    """CPython ends by SIGINT after a KeyboardInterrupt that left an exec, as in the definition of a dataclass."""
    program = (
        "import sinefield.cli.main as main\nmain.app = lambda *_, **__: exec('raise KeyboardInterrupt')\nmain.main()"
    )
    (tmp_path / "interrupted.py").write_text(program)
    done = subprocess.run([sys.executable, "-m", "interrupted"], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_ctrl_c_keeps_the_best_weights(tmp_path):
    process = start("fit", "camera", *SMALL, "--steps", "10000000", "--checkpoint", "state", "--json", cwd=tmp_path)
    wait_for((tmp_path / "state" / "state.safetensors").exists, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "is in camera.safetensors" in err
    assert "interrupted" in err
    assert "Traceback" not in err
    assert json.loads(out.splitlines()[-1])["stopped"] == "interrupted"
    assert report("info", tmp_path / "camera.safetensors")["psnr_db"] > 10


def test_poisson_writes_a_field_and_a_report(tmp_path):
    made = report("poisson", "coffee", "--gray", *SMALL, "--steps", "30", "--report", tmp_path / "out", cwd=tmp_path)
    assert {"psnr_db", "gradient_psnr_db", "file", "report"} <= made.keys()
    with Image.open(made["report"]["render"]) as picture:
        assert (picture.size, picture.mode) == ((24, 16), "L")
    assert "laplacian_psnr_db" in report(
        "poisson", "camera", *SMALL, "--steps", "5", "--from", "laplacian", cwd=tmp_path
    )
