"""Every kind of signal on the command line: fit, info and render; one line for input that cannot be read."""

import av
import numpy as np
import pytest
import soundfile
from PIL import Image

import sinefield as sf
from tests.command_line import report, run

TINY = ("--width", "24", "--depth", "1", "--steps", "40")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A sound, a video, arrays and a table."""
    path = tmp_path_factory.mktemp("kinds")
    t = np.arange(4000) / 8000
    soundfile.write(path / "tone.wav", 0.5 * np.sin(2 * np.pi * 300 * t), 8000)
    with av.open(path / "film.mkv", "w") as file:
        stream = file.add_stream("ffv1", 10)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "bgr0"
        for k in range(8):
            picture = np.broadcast_to(np.arange(32, dtype=np.uint8)[None, :, None] * 7 + 4 * k, (24, 32, 3))
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")))
        file.mux(stream.encode())
    z, y, x = np.mgrid[:6, :8, :10]
    np.save(path / "volume.npy", np.sin(x / 3) * y + z)
    np.savez(path / "two.npz", a=np.zeros((4, 5)), b=np.arange(20.0).reshape(4, 5))
    coords = np.random.default_rng(0).random((300, 2))
    rows = [f"{lon:.6f},{lat:.6f},{lon * lat:.6f}" for lon, lat in coords]
    (path / "stations.csv").write_text("\n".join(["lon,lat,temperature", *rows]) + "\n")
    return path


def test_a_sound_is_fitted_and_rendered(folder):
    made = report("fit", "tone.wav", *TINY, "--report", "heard", cwd=folder)
    assert {"mse", "psnr_db", "seconds", "file"} <= made.keys()
    assert set(made["report"]) == {"render", "error", "sheet"}
    assert report("info", "tone.safetensors", cwd=folder)["kind"] == "audio"
    report("render", "tone.safetensors", "-o", "twice.wav", "--rate", "16000", "--crop", "0.1s:0.3s", cwd=folder)
    assert (soundfile.info(folder / "twice.wav").samplerate, soundfile.info(folder / "twice.wav").frames) == (
        16000,
        3200,
    )
    report("render", "tone.safetensors", "-o", "slow.flac", "--slow", "2", cwd=folder)
    assert (soundfile.info(folder / "slow.flac").samplerate, soundfile.info(folder / "slow.flac").frames) == (
        4000,
        4000,
    )
    heard, error = (soundfile.read(folder / "heard" / f"{name}.wav")[0] for name in ("render", "error"))
    assert np.allclose(heard - error, soundfile.read(folder / "tone.wav")[0], atol=2e-4)


def test_a_video_is_fitted_and_rendered(folder):
    made = report("fit", "film.mkv", *TINY, "--report", "seen", cwd=folder)
    assert len(made["psnr_frames_db"]) == 8
    assert made["psnr_mean_db"] == pytest.approx(np.mean(made["psnr_frames_db"]))
    assert made["psnr_std_db"] == pytest.approx(np.std(made["psnr_frames_db"]))
    assert set(made["report"]) == {"render", "dt", "sheet"}
    report("render", "film.safetensors", "-o", "slow.mp4", "--fps", "40", "--slow", "4", cwd=folder)
    slow = sf.read(folder / "slow.mp4")
    assert (slow.header.shape, slow.header.step[0]) == ((32, 24, 32), pytest.approx(0.1))
    report("render", "film.safetensors", "-o", "frames", "--crop", "0.2:0.5,:,:", cwd=folder)
    assert sorted(path.name for path in (folder / "frames").iterdir()) == [f"frame-{k:05}.png" for k in range(3)]
    with Image.open(folder / "frames" / "frame-00000.png") as picture:
        assert (picture.size, picture.mode) == ((32, 24), "RGB")
    report("render", "film.safetensors", "-o", "dt.npy", "--quantity", "dt", cwd=folder)
    assert np.load(folder / "dt.npy").shape == (8, 24, 32, 3)
    report("render", "film.safetensors", "-o", "dt.mp4", "--quantity", "dt", cwd=folder)


def test_an_array_is_fitted_and_rendered(folder):
    made = report("fit", "volume.npy", *TINY, "--holdout", "0.2", "--report", "array", cwd=folder)
    assert made["psnr_holdout_db"] > 5
    report("render", "volume.safetensors", "-o", "finer.npy", "--scale", "2", cwd=folder)
    assert np.load(folder / "finer.npy").shape == (12, 16, 20)
    assert report("fit", "two.npz", "--key", "b", *TINY, "-o", "b.safetensors", cwd=folder)["file"] == "b.safetensors"


def test_a_table_is_fitted_and_rendered(folder):
    report("fit", "stations.csv", *TINY, "--steps", "200", "--report", "table", cwd=folder)
    said = report("info", "stations.safetensors", cwd=folder)
    assert [axis["name"] for axis in said["axes"]] == ["lon", "lat"]
    assert said["channels"] == ["temperature"]
    (folder / "asked.csv").write_text("lat,lon\n0.5,0.4\n0.2,0.9\n")
    for quantity, names in (("value", "temperature"), ("gradient", "dtemperature/dlon")):
        report(
            "render", "stations.safetensors", "-o", "found.csv", "--at", "asked.csv", "--quantity", quantity, cwd=folder
        )
        head, *rows = (folder / "found.csv").read_text().replace('"', "").split()
        assert head.split(",")[:3] == ["lon", "lat", names]
        assert float(rows[0].split(",")[2]) == pytest.approx({"value": 0.2, "gradient": 0.5}[quantity], abs=0.05)


def test_a_warm_start_has_a_smaller_error(folder):
    signal = sf.read(folder / "tone.wav")
    first = sf.fit(signal, width=32, depth=1, steps=300)
    again = sf.fit(signal, like=first, steps=20)
    cold = sf.fit(signal, width=32, depth=1, steps=20)
    assert again.info.quality["psnr_db"] > cold.info.quality["psnr_db"] + 10
    assert (again.network.width, again.info.settings["like"]) == (32, "tone")
    with pytest.raises(sf.InputError, match="width = 32, not 64"):
        sf.fit(signal, like=first, width=64)
    with pytest.raises(sf.InputError, match="does not go with"):
        sf.fit(np.zeros((8, 8)), like=first)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["fit", "tone.wav", "--size", "64"], "size applies to image, video"),
        (["fit", "tone.wav", "--crop", "2s:3s"], "outside axis 't'"),
        (["fit", "tone.wav", "--values", "a"], "values applies to table"),
        (["fit", "silent.mp4"], "silent.mp4 is empty"),
        (["fit", "text.csv"], "'hot' in row 3"),
        (["fit", "two.npz"], "a, b"),
        (["fit", "nan.npy"], "1 NaN or infinite of 3"),
        (["fit", "cut.mkv"], "cut.mkv"),
        (["render", "tone.safetensors", "-o", "a.png"], "is no picture"),
        (["render", "tone.safetensors", "-o", "a.mp4"], "is no video"),
        (["render", "film.safetensors", "-o", "a.wav"], "is no sound"),
        (["render", "tone.safetensors", "-o", "a.wav", "--quantity", "dt"], "a derivative cannot be written as sound"),
        (["render", "tone.safetensors", "-o", "a.wav", "--quantity", "dx"], "no quantity 'dx'"),
        (["render", "volume.safetensors", "-o", "a.npy", "--rate", "5"], "a rate applies to signals over time"),
        (["render", "tone.safetensors", "-o", "a.wav", "--slow", "0"], "slow must be positive"),
        (["render", "stations.safetensors", "-o", "a.csv"], "--at"),
        (["render", "stations.safetensors", "-o", "a.csv", "--at", "text.csv"], "no column 'lon'"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value[:2]),
)
def test_invalid_input_is_one_line_on_stderr(folder, arguments, says):
    (folder / "silent.mp4").touch()
    (folder / "cut.mkv").write_bytes((folder / "film.mkv").read_bytes()[:300])
    (folder / "text.csv").write_text("a,b\n1,2\nhot,3\n")
    np.save(folder / "nan.npy", np.array([1.0, np.nan, 2.0]))
    for name in ("tone.wav", "film.mkv", "volume.npy", "stations.csv"):
        target = folder / name.replace(name.split(".")[1], "safetensors")
        if not target.exists():
            sf.fit(sf.read(folder / name), width=8, depth=1, steps=1).save(target)
    done = run(*arguments, cwd=folder)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert says in done.stderr
