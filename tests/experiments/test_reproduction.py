"""The experiments of the paper: their results hold, and a run reports failures and continues."""

import io
import json
from functools import partial

import numpy as np
import pytest
import trimesh
from PIL import Image

from sinefield import InputError, from_array
from sinefield.experiments import EXPERIMENTS, Experiment, Setting
from sinefield.experiments.derivative import QUANTITIES, ripples
from sinefield.experiments.experiment import Budget, DataFile, Measure, Outcome, Trial
from sinefield.experiments.page import cells, write
from sinefield.experiments.run import RESULT, Row, reproduce, verdicts
from sinefield.experiments.size import best_jpeg, encode
from sinefield.signals.audio import from_waveform, write_audio
from sinefield.signals.video import write_video

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # some networks do not learn anything in a few steps

NAMES = (
    "audio",
    "convergence",
    "derivative",
    "helmholtz",
    "image",
    "init",
    "inversion",
    "outside",
    "poisson",
    "prior",
    "shape",
    "size",
    "video",
    "wave",
)

SLOW = ("helmholtz", "image", "inversion", "poisson", "prior", "shape", "wave")


def measured(name, network, recipe="default", **limit):
    """Return the values of a trial of an experiment."""
    trials = EXPERIMENTS[name].trials(Setting())
    (trial,) = (trial for trial in trials if (trial.network, trial.recipe) == (network, recipe))
    return trial.run({"seed": 0, **limit}).values


def random_pictures(count, size, channels=1):
    """Return smooth 8-bit pictures (count, size, size, channels)."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / size
    phase = random.uniform(0, 6, (4, count, 1, 1, channels))
    waves = [np.sin((k + 1) * (y * np.cos(k) + x * np.sin(k))[None, ..., None] * 4 + phase[k]) for k in range(4)]
    return np.rint(127.5 + 31 * sum(waves)).astype(np.uint8)


def test_only_the_initialization_of_siren_is_independent_of_depth(monkeypatch):
    monkeypatch.setattr("sinefield.experiments.initialization.POINTS", 256)
    trials = EXPERIMENTS["init"].trials(Setting())
    ratios = {trial.network: trial.run({}).values["larger ratio"] for trial in trials}
    assert ratios.pop("SIREN") < 2
    assert min(ratios.values()) > 1000


def test_derivatives_of_the_ripples():
    x, y, h = np.linspace(-1, 1, 30), np.linspace(0.9, -0.4, 30), 1e-4
    below, center, above = (ripples(y, x + k * h)[0] for k in (-1, 0, 1))
    assert np.abs((above - below) / (2 * h) - ripples(y, x)[1]).max() < 1e-5
    assert np.abs((above - 2 * center + below) / h**2 - ripples(y, x)[2]).max() < 1e-4


def test_derivatives_of_siren_are_those_of_the_function():
    sine, relu = (measured("derivative", network, width=128, depth=2, steps=150) for network in ("sine", "relu"))
    assert sine[QUANTITIES[0]] < 0.02
    assert sine[QUANTITIES[1]] < 0.08
    assert sine[QUANTITIES[2]] < 0.5 < relu[QUANTITIES[2]]
    assert relu[QUANTITIES[2]] == pytest.approx(1, abs=1e-6)


def test_siren_converges_first():
    assert measured("convergence", "sine", width=128, depth=2, steps=160)["steps"] < 160
    assert measured("convergence", "relu", width=128, depth=2, steps=160)["steps"] == np.inf


def test_weights_are_smaller_than_the_samples():
    (field, samples) = EXPERIMENTS["size"].trials(Setting())
    values = field.run({"seed": 0, "steps": 60}).values | samples.run({}).values
    assert 2 * values["float16"] == values["float32"] < values["PNG"] < values["samples"] == 512**2
    assert values["PSNR of float32"] > 20
    assert abs(values["PSNR of float16"] - values["PSNR of float32"]) < 0.5


def test_best_jpeg():
    pixels = random_pictures(1, 64)[0, ..., 0]
    file = encode(pixels, "JPEG", 80)
    best = max(quality for quality in range(1, 96) if len(encode(pixels, "JPEG", quality)) <= len(file))
    decoded = np.asarray(Image.open(io.BytesIO(encode(pixels, "JPEG", best))))
    assert np.array_equal(best_jpeg(pixels, len(file)), decoded)


def test_siren_is_bounded_outside_and_invariant_under_shifts():
    values = {network: measured("outside", network, steps=40) for network in ("sine", "relu", "tanh")}
    assert values["sine"]["extrapolated value"] < 3 < values["relu"]["extrapolated value"]
    assert values["sine"]["change by a shift"] < 0.02
    assert min(values[name]["change by a shift"] for name in ("relu", "tanh")) > 0.08


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A folder with small data for each experiment."""
    folder = tmp_path_factory.mktemp("data")
    tone = np.sin(np.arange(4400)[:, None] / 9)
    for name in ("bach.wav", "counting.wav"):
        sound = from_waveform(tone, 2000)
        write_audio(folder / name, iter([sound.samples]), 2000, sound.header)
    frames = np.repeat(random_pictures(1, 64, 3), 10, axis=0)
    header = from_array(frames, channel_axis=-1).header
    write_video(folder / "bikes.mp4", iter(frames.reshape(10, -1, 3)), frames.shape[:3], 25, header)
    Image.fromarray(random_pictures(1, 64, 3)[0]).save(folder / "12003.jpg")
    trimesh.creation.icosphere(3).export(folder / "bunny.ply")
    (folder / "faces").mkdir()
    for k, pixels in enumerate(random_pictures(40, 32)):
        Image.fromarray(pixels[..., 0]).save(folder / "faces" / f"{k}.png")
    return folder


@pytest.fixture
def fast(monkeypatch):
    """Replace constants by smaller ones, which change the duration of an experiment and not its structure."""
    monkeypatch.setattr("sinefield.experiments.initialization.POINTS", 64)
    monkeypatch.setattr("sinefield.experiments.video.PART", [(0.0, 0.3), (0, 20), (0, 20)])
    monkeypatch.setattr("sinefield.experiments.shape.POINTS", 2000)
    monkeypatch.setattr("sinefield.experiments.shape.VIEW_SIZE", 16)
    monkeypatch.setattr("sinefield.experiments.prior.EVAL_PICTURES", 4)
    monkeypatch.setattr("sinefield.experiments.prior.DRAWN_PICTURES", 2)
    monkeypatch.setattr("sinefield.experiments.prior.REFINE_STEPS", 2)
    monkeypatch.setattr("sinefield.tasks.shape.CELLS", 32)
    monkeypatch.setattr("sinefield.tasks.shape.EVAL_POINTS", 1000)
    monkeypatch.setattr("sinefield.tasks.shape.GUESS_STEPS", 5)


def test_names():
    assert sorted(EXPERIMENTS) == list(NAMES)
    assert sorted(EXPERIMENTS.declared("register_experiment")) == list(NAMES)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in NAMES]
)
def test_experiment_has_all_measures_and_a_figure(name, data, tmp_path, fast):
    reports = []
    (result,) = reproduce([name], tmp_path, Setting(share=1e-4, data=(data,)), progress=reports.append)
    assert result.trouble == []
    experiment = EXPERIMENTS[name]
    assert {row.measure for row in result.rows} == set(experiment.measures)
    assert {row.published for row in result.rows} - {""} == set(experiment.published.values())
    with Image.open(result.figure) as picture:
        assert min(picture.size) > 300
    done = [report.done for report in reports]
    assert done == sorted(done)
    assert 0 <= min(done) <= max(done) <= 1
    assert all(report.message.startswith(f"{name}, ") for report in reports)


def outcome(value):
    return Outcome({"it": value}, 1.0, 1)


def experiment_of(**trials):
    """Return an experiment with one measure, from functions that run the trials of the networks."""
    measures = {"it": Measure("{:.0f}", True)}
    trials = [Trial(network, "default", run, Budget((1, 1), 1)) for network, run in trials.items()]
    return Experiment("A claim", measures, lambda setting: trials, lambda path, arrays: None)


@pytest.fixture
def replace_experiment():
    """A function that replaces an experiment during a test."""
    before = EXPERIMENTS["image"]
    yield partial(EXPERIMENTS.add, "image")
    EXPERIMENTS.add("image", before)


def test_a_failed_trial_is_reported_and_repeated(tmp_path, replace_experiment):
    runs = []

    def run(name, options):
        runs.append(name)
        if name == "b" and len(runs) < 4:
            raise RuntimeError("an error")
        return outcome(ord(name[0]))

    replace_experiment(experiment_of(**{name: partial(run, name) for name in "abc"}))
    (first,) = reproduce(["image"], tmp_path)
    assert [row.network for row in first.rows] == ["a", "c"]
    assert first.trouble == ["b default failed: RuntimeError: an error"]
    (second,) = reproduce(["image"], tmp_path)
    assert [row.value for row in second.rows] == [97, 98, 99]
    assert runs == ["a", "b", "c", "b"]
    with pytest.raises(InputError, match="--budget small"):
        reproduce(["image"], tmp_path, Setting(share=0.5))


def test_unreadable_data_stop_one_experiment(tmp_path):
    (tmp_path / "12003.jpg").write_text("not a picture")
    setting = Setting(share=1e-3, data=(tmp_path,))
    outside, poisson = reproduce(["poisson", "outside"], tmp_path / "out", setting)
    assert poisson.rows == []
    assert "failed: " in poisson.trouble[0]
    assert "12003.jpg" in poisson.trouble[0]
    assert {row.measure for row in outside.rows} == set(EXPERIMENTS["outside"].measures)
    assert outside.trouble == []


def test_completed_trials_are_kept_on_ctrl_c(tmp_path, replace_experiment):
    def interrupted(options):
        raise KeyboardInterrupt

    replace_experiment(experiment_of(a=lambda options: outcome(1), b=interrupted))
    with pytest.raises(KeyboardInterrupt):
        reproduce(["image"], tmp_path)
    assert json.loads((tmp_path / "image" / "a-default" / RESULT).read_text())["values"] == {"it": 1}


def test_an_interrupted_fit_continues(tmp_path):
    (trial, *_) = EXPERIMENTS["outside"].trials(Setting())
    options = trial.options(Setting(share=0.01), tmp_path, None)
    assert options["resume"] is False
    trial.run(options)
    assert trial.options(Setting(share=0.01), tmp_path, None)["resume"] is True


@pytest.mark.parametrize(
    ("sine", "relu", "rank"),
    [
        (3.0, 2.0, "is the best"),
        (2.0, 2.0, "is NOT the best"),
        (None, 2.0, "is NOT the best"),
        (1.0, None, "is the best"),
    ],
)
def test_verdict(sine, relu, rank):
    rows = [
        Row("x", "it", name, "default", "", value, str(value), 1, 1.0)
        for name, value in (("sine", sine), ("relu", relu))
    ]
    (line,) = verdicts(experiment_of(), rows)
    assert line == f"it, default recipe: sine {rank} ({sine}); the best of the others is relu ({relu})"


def test_data_are_found_in_folders_and_subfolders(tmp_path):
    (tmp_path / "subfolder").mkdir()
    file = DataFile(("a.wav", "b.wav"), "https://example.org")
    assert file.find([tmp_path]) is None
    (tmp_path / "subfolder" / "b.wav").touch()
    assert file.find([tmp_path]) == tmp_path / "subfolder" / "b.wav"


def test_page(tmp_path):
    setting = Setting(share=1e-3)
    audio, outside = reproduce(["outside", "audio"], tmp_path, setting)
    assert "https://" in audio.trouble[0]
    page = write(tmp_path, [audio, outside], setting, "sinefield reproduce outside audio").read_text()
    for text in ("`sinefield reproduce outside audio`", "| outside |", "PyTorch", "![", "(outside.png)", "bach.wav"):
        assert text in page
    assert (tmp_path / "outside" / "sine-default" / "arrays.npz").exists()
    assert cells(outside.rows[0])["network"] == "sine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget": "big"}, "there is no budget 'big'; choose from small, paper"),
        ({"share": 0.0}, "above 0 and at most 1; it is 0"),
    ],
)
def test_errors_of_settings(arguments, message):
    with pytest.raises(InputError, match=message):
        Setting(**arguments)


def test_errors_of_a_run(tmp_path):
    with pytest.raises(InputError, match="unknown experiment 'nothing'"):
        reproduce(["nothing"], tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file"):
        reproduce(["init"], tmp_path / "file")
