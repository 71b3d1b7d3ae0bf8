"""The experiments of the paper run, say what is so, and lose nothing."""

import io
import json
from functools import partial

import numpy as np
import pytest
import trimesh
from PIL import Image

from sinefield import InputError, from_array
from sinefield.experiments import EXPERIMENTS
from sinefield.experiments.derivative import LAYERS, ripples
from sinefield.experiments.experiment import Budget, Experiment, Measure, Outcome, Sample, Setting, Trial
from sinefield.experiments.run import RESULT, Row, reproduce, verdicts
from sinefield.experiments.size import encoded, jpeg
from sinefield.signals.audio import from_waveform, write_audio
from sinefield.signals.video import write_video
from tests.commands import report
from tests.commands import run as run_verb
from tests.test_docs import hurry
from tests.test_prior import blobs

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # a few steps are too few for some networks, who say so


def figures(name, network, recipe="default", **stop):
    """What a trial of an experiment comes to after so many steps."""
    (trial,) = (
        each for each in EXPERIMENTS[name].trials(Setting()) if (each.network, each.recipe) == (network, recipe)
    )
    return trial.run({"seed": 0, **stop}).figures


def test_only_with_its_initialisation_nothing_depends_on_the_depth():
    worse = {
        trial.network: trial.run({}).figures["the worse of both"] for trial in EXPERIMENTS["init"].trials(Setting())
    }
    assert worse.pop("SIREN's") < 2
    assert min(worse.values()) > 1000


def test_the_ripples_are_their_derivatives():
    x, y, h = np.linspace(-1, 1, 30), np.linspace(0.9, -0.4, 30), 1e-4
    below, here, above = (ripples(y, x + k * h)[0] for k in (-1, 0, 1))
    assert np.abs((above - below) / (2 * h) - ripples(y, x)[1]).max() < 1e-5
    assert np.abs((above - 2 * here + below) / h**2 - ripples(y, x)[2]).max() < 1e-4


def test_the_derivative_of_a_siren_is_that_of_what_it_was_fitted_to():
    sine, relu = (figures("derivative", network, steps=150) for network in ("sine", "relu"))
    assert sine[LAYERS[0]] < 0.02
    assert sine[LAYERS[1]] < 0.08
    assert sine[LAYERS[2]] < 0.5 < relu[LAYERS[2]]
    assert relu[LAYERS[2]] == pytest.approx(1, abs=1e-6)


def test_a_siren_converges_first():
    assert figures("convergence", "sine", steps=160)["steps"] < 160
    assert figures("convergence", "relu", steps=160)["steps"] == np.inf


def test_a_function_is_fewer_bytes_than_its_samples():
    (trial, samples) = EXPERIMENTS["size"].trials(Setting())
    found = trial.run({"seed": 0, "steps": 60}).figures | samples.run({}).figures
    assert 2 * found["in float16"] == found["in float32"] < found["as PNG"] < found["raw"] == 512**2
    assert found["quality float32"] > 20
    assert abs(found["quality float16"] - found["quality float32"]) < 0.5


def test_a_jpeg_is_the_best_of_its_size():
    pixels = blobs(1, 64)[0, ..., 0]
    file = encoded(pixels, "JPEG", 80)
    best = max(grade for grade in range(1, 96) if len(encoded(pixels, "JPEG", grade)) <= len(file))
    decoded = np.asarray(Image.open(io.BytesIO(encoded(pixels, "JPEG", best))))
    assert np.array_equal(jpeg(pixels, len(file)), decoded)


def test_outside_a_siren_stays_bounded_and_a_shift_changes_nothing():
    found = {network: figures("outside", network, steps=40) for network in ("sine", "relu", "tanh")}
    assert found["sine"]["value far outside"] < 3 < found["relu"]["value far outside"]
    assert found["sine"]["what a shift changes"] < 0.02
    assert min(found[name]["what a shift changes"] for name in ("relu", "tanh")) > 0.08


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Small things of the names that are asked for."""
    folder = tmp_path_factory.mktemp("data")
    tone = np.sin(np.arange(4400)[:, None] / 9)
    for name in ("bach.wav", "counting.wav"):
        sound = from_waveform(tone, 2000)
        write_audio(folder / name, iter([sound.samples]), 2000, sound.header)
    frames = np.repeat(blobs(1, 64, 3), 10, axis=0)
    write_video(
        folder / "bikes.mp4",
        iter(frames.reshape(10, -1, 3)),
        frames.shape[:3],
        25,
        from_array(frames, channel_axis=-1).header,
    )
    Image.fromarray(blobs(1, 64, 3)[0]).save(folder / "12003.jpg")
    trimesh.creation.icosphere(3).export(folder / "bunny.ply")
    (folder / "faces").mkdir()
    for k, pixels in enumerate(blobs(40, 32)):
        Image.fromarray(pixels[..., 0]).save(folder / "faces" / f"{k}.png")
    return folder


@pytest.mark.parametrize(
    "name", ["image", "audio", "video", "poisson", "shape", "helmholtz", "wave", "inversion", "prior"]
)
def test_an_experiment_fills_its_part_of_the_table(name, data, tmp_path, monkeypatch):
    hurry(monkeypatch)
    monkeypatch.setattr("sinefield.reproduction.video.PART", [(0.0, 0.3), (0, 20), (0, 20)])
    (found,) = reproduce([name], tmp_path, Setting(share=1e-4, data=(data,)))
    assert found.trouble == []
    experiment = EXPERIMENTS[name]
    assert {row.what for row in found.rows} == set(experiment.measures)
    assert {row.published for row in found.rows} - {""} == set(experiment.published.values())
    with Image.open(found.figure) as picture:
        assert min(picture.size) > 300


def one(value, seconds=1.0):
    return Outcome({"it": value}, seconds, 1)


def made_up(**trials):
    measures = {"it": Measure("{:.0f}", True)}
    each = [Trial(network, "default", work, Budget((1, 1), 1)) for network, work in trials.items()]
    return Experiment("something is so", measures, lambda setting: each, lambda path, shown: None)


def test_a_failed_trial_is_reported_and_the_others_go_on(tmp_path, monkeypatch):
    runs = []

    def work(name, options):
        runs.append(name)
        if name == "b" and len(runs) < 4:
            raise RuntimeError("it broke")
        return one(ord(name[0]))

    experiment = made_up(**{name: partial(work, name) for name in "abc"})
    monkeypatch.setitem(EXPERIMENTS, "image", experiment)
    (first,) = reproduce(["image"], tmp_path)
    assert [row.network for row in first.rows] == ["a", "c"]
    assert first.trouble == ["b default failed: RuntimeError: it broke"]
    (second,) = reproduce(["image"], tmp_path)
    assert [row.ours for row in second.rows] == [97, 98, 99]
    assert runs == ["a", "b", "c", "b"]
    with pytest.raises(InputError, match="--budget small"):
        reproduce(["image"], tmp_path, Setting(share=0.5))


def test_data_that_cannot_be_read_stop_nothing_else(tmp_path):
    (tmp_path / "12003.jpg").write_text("no picture")
    done = run_verb("reproduce", "outside", "poisson", "-o", tmp_path / "o", "--share", "0.01", "--data", tmp_path)
    assert done.returncode == 1
    assert "what a shift changes" in done.stdout
    assert done.stdout.index("poisson") < done.stdout.index("failed") < done.stdout.index("no picture")


def test_what_was_finished_is_kept_when_it_is_cut_short(tmp_path, monkeypatch):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setitem(EXPERIMENTS, "image", made_up(a=lambda options: one(1), b=interrupted))
    with pytest.raises(KeyboardInterrupt):
        reproduce(["image"], tmp_path)
    assert json.loads((tmp_path / "image" / "a-default" / RESULT).read_text())["figures"] == {"it": 1}


def test_a_fit_that_was_cut_short_goes_on(tmp_path, monkeypatch):
    (trial, *_) = EXPERIMENTS["outside"].trials(Setting())
    options = trial.options(Setting(share=0.01), tmp_path, None)
    assert options["resume"] is False
    trial.run(options)
    assert trial.options(Setting(share=0.01), tmp_path, None)["resume"] is True


@pytest.mark.parametrize(
    ("sine", "relu", "said"),
    [(3.0, 2.0, "ahead"), (2.0, 2.0, "NOT AHEAD"), (None, 2.0, "NOT AHEAD"), (1.0, None, "ahead")],
)
def test_a_verdict_is_frank(sine, relu, said):
    rows = [
        Row("x", "it", name, "default", "", value, str(value), 1, 1.0)
        for name, value in (("sine", sine), ("relu", relu))
    ]
    (line,) = verdicts(made_up(), rows)
    assert f"sine {said}," in line


def test_data_are_found_in_folders_and_those_in_them(tmp_path):
    (tmp_path / "deeper").mkdir()
    sample = Sample(("a.wav", "b.wav"), "somewhere")
    assert sample.found([tmp_path]) is None
    (tmp_path / "deeper" / "b.wav").touch()
    assert sample.found([tmp_path]) == tmp_path / "deeper" / "b.wav"


def test_the_verb_writes_a_page_and_asks_for_what_is_missing(tmp_path):
    found = report("reproduce", "init", "audio", "-o", tmp_path / "out", cwd=tmp_path)
    assert {row["experiment"] for row in found["rows"]} == {"init"}
    assert "https://" in found["trouble"]["audio"][0]
    page = (tmp_path / "out" / "reproduction.md").read_text()
    assert "| init |" in page
    assert "PyTorch" in page
    for name in ("init.png", "init/SIREN-s-default/arrays.npz"):
        assert (tmp_path / "out" / name).exists()
    assert "bach.wav" in page
    again = run_verb("reproduce", "init", "-o", tmp_path / "out", "--share", "0.1", cwd=tmp_path)
    assert again.returncode == 2
    assert "another folder" in again.stderr
    (tmp_path / "file").touch()
    for arguments, message in (
        (("nothing",), "there is no experiment"),
        (("init", "--budget", "big"), "no budget"),
        (("init", "-o", "file"), "file"),
    ):
        done = run_verb("reproduce", *arguments, cwd=tmp_path)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert message in done.stderr
