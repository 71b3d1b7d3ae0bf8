"""Fits of signals: quality, derivatives in the user's units, stopping criteria, invalid input."""

import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

import sinefield as sf
from sinefield.errors import InputError
from sinefield.networks import ACTIVATIONS
from sinefield.parallel import WorkerPool
from sinefield.signals.image import from_pixels
from sinefield.training import loop, quality
from sinefield.training.optimizers.choices import OptimizerChoice, adam
from sinefield.training.optimizers.soap import Soap
from sinefield.training.recipes import RECIPES, find_recipe, natural_omega


def waves(height=48, width=80):
    y, x = np.mgrid[:height, :width]
    return np.sin(x / 7) * np.cos(y / 11)


def colors(height=24, width=40):
    return np.stack(
        [np.tile(np.arange(width), (height, 1)) * 6, np.tile(np.arange(height)[:, None], (1, width)) * 10], -1
    )


def test_value_gradient_and_laplacian_are_those_of_the_signal_in_the_users_units():
    hy, hx = 0.25, 3.0
    signal = sf.from_array(waves(24, 40), origin=(2, 50), step=(hy, hx), axes=("y", "x"), units=("m", "s"))
    field = sf.fit(signal, width=64, depth=1, omega=6, steps=1000)
    assert field.info.quality["psnr_db"] > 50
    i, j = np.meshgrid(np.arange(4, 20, 3), np.arange(4, 36, 3), indexing="ij")
    x = np.stack([2 + i * hy, 50 + j * hx], -1)
    slope = np.stack([-np.sin(j / 7) * np.sin(i / 11) / 11 / hy, np.cos(j / 7) * np.cos(i / 11) / 7 / hx], -1)
    curvature = -np.sin(j / 7) * np.cos(i / 11) * (1 / 121 / hy**2 + 1 / 49 / hx**2)
    value, gradient, laplacian = field(x)[..., 0], field.gradient(x)[..., 0, :], field.laplacian(x)[..., 0]
    assert np.abs(value - np.sin(j / 7) * np.cos(i / 11)).max() < 0.02
    for k in (0, 1):
        assert np.linalg.norm(gradient[..., k] - slope[..., k]) < 0.05 * np.linalg.norm(slope[..., k])
    assert np.linalg.norm(laplacian - curvature) < 0.25 * np.linalg.norm(curvature)
    assert np.allclose(field.render(quantity="gradient")[i, j], gradient, atol=1e-4)
    assert np.allclose(field.render(quantity="laplacian")[i, j], laplacian, atol=1e-3)


def test_an_asymmetric_picture_tells_x_from_y():
    ramp = from_pixels(np.tile(1.5 * np.arange(160), (96, 1)).astype(np.uint8)[..., None], "L")
    field = sf.fit(ramp, width=32, depth=1, omega=5, steps=400)
    across = field.gradient([[48.0, 80.0], [20.0, 30.0]])[:, 0]
    assert np.allclose(across, [[0.0, 1.5], [0.0, 1.5]], atol=0.25)
    assert field.render().shape == (96, 160)
    assert field.render(scale=0.5).shape == (48, 80)
    assert np.abs(field.render().astype(int) - ramp.samples).max() < 12


@pytest.mark.parametrize(
    ("values", "channel_axis"),
    [
        (np.sin(np.arange(200) / 9), None),
        (np.random.default_rng(0).integers(0, 256, (20, 30, 3)).astype(np.uint8), -1),
        (np.random.default_rng(0).random((4, 5, 6)), None),
        (np.random.default_rng(0).random((2, 4, 5, 3, 3)), 0),
        (np.arange(24, dtype=np.int32).reshape(4, 6) * 1000 - 5, None),
        (np.random.default_rng(0).random((7, 8)) > 0.5, None),
        (np.full((5, 6), 3.0), None),
    ],
)
def test_arrays_of_any_dimension_and_type_are_rendered_in_their_type(values, channel_axis):
    field = sf.fit(values, channel_axis=channel_axis, width=32, depth=1, steps=20)
    expected = values if channel_axis is None else np.moveaxis(values, channel_axis, -1)
    back = field.render()
    assert back.shape == expected.shape
    assert back.dtype == expected.dtype
    if values.dtype.kind != "f":
        assert back.min() >= values.min()
        assert back.max() <= values.max()


def test_a_large_offset_loses_no_digits():
    values = 101_325 + 0.5 * np.sin(np.arange(300) / 20)
    field = sf.fit(values, width=64, depth=1, omega=10, steps=600)
    assert np.abs(field.render() - values).max() < 0.02
    late = sf.from_array(values - 101_325, origin=(1.6e9,), step=(1.0,), units=("s",))
    field = sf.fit(late, width=64, depth=1, omega=10, steps=600)
    assert np.abs(field(1.6e9 + np.arange(300.0)[:, None])[:, 0] - values + 101_325).max() < 0.02


@pytest.mark.parametrize(
    "values",
    [
        np.full((6, 6), 65535, np.uint16),
        np.full((6, 6), -32768, np.int16),
        np.full((6, 6), 2**64 - 1, np.uint64),
        np.full((6, 6), -(2**63), np.int64),
        np.full((6, 6), True),
    ],
)
def test_integers_at_their_limits_do_not_wrap_around(values):
    back = sf.fit(values, width=8, depth=1, steps=30).render().astype(float)
    assert np.abs(back - values.astype(float)).max() <= max(abs(float(values.flat[0])) * 0.01, 1.0)


def test_coordinates_keep_their_digits_in_every_form():
    start = 1.7e9
    wave = np.sin(np.arange(100) / 9)
    field = sf.fit(sf.from_array(wave, origin=(start,), step=(1.0,)), width=48, depth=1, omega=10, steps=300)
    expected = field(np.array([[start + 10.0]]))
    assert abs(expected.item() - wave[10]) < 0.05
    x = np.array([[start + 10.0]])
    forms = ([[start + 10.0]], x[::-1], x.astype(">f8"), [[int(start) + 10]])
    assert all(np.array_equal(field(form), expected) for form in forms)
    assert torch.allclose(field(torch.tensor(x)), torch.from_numpy(expected), rtol=1e-6)
    assert np.array_equal(field.float()(x), expected)
    assert np.allclose(field.double()(x), expected, atol=1e-5)


def test_values_far_from_zero_keep_their_digits():
    field = sf.fit(1e9 + np.sin(np.arange(100) / 9), width=48, depth=1, omega=10, steps=300)
    assert abs(field([10.0]).item() - 1e9 - np.sin(10 / 9)) < 0.05


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (np.ma.array([1.0, 2.0, 1e6], mask=[False, False, True]), "masked"),
        (np.array([-1e308, 1e308]), "finite"),
        (torch.zeros(3, dtype=torch.bfloat16), "numbers"),
    ],
)
def test_ambiguous_arrays_are_refused(values, says):
    with pytest.raises(InputError, match=says):
        sf.fit(values, steps=1)
    assert sf.fit(torch.ones(4, requires_grad=True), width=8, steps=1).render().shape == (4,)


def test_the_signature_is_the_published_one():
    siren = sf.Siren(2, 3, 64, 2, 20.0, 10.0)
    assert (siren.width, siren.depth, siren.omega_first, siren.omega_hidden) == (64, 2, 20.0, 10.0)
    with pytest.raises(InputError, match="omega"):
        sf.Wire(2, 1, omega_first=float("nan"))


def test_an_infinite_quality_can_be_saved(tmp_path):
    field = sf.fit(np.zeros((8, 8)), width=8, depth=0, steps=2)
    field.info = replace(field.info, quality={"psnr_db": float("inf")}, history=((1, 0.1, float("nan")),))
    field.save(tmp_path / "a.safetensors")
    assert sf.load(tmp_path / "a.safetensors").info.quality["psnr_db"] is None


def test_an_interruption_during_an_evaluation_loses_nothing(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["sinefield.tasks.fit"], "quality", interrupt)
    field = sf.fit(waves(12, 12), width=16, depth=1, steps=20)
    assert field.info.stopped == "interrupted"
    assert field.info.quality["psnr_db"] > 5


def test_a_fit_at_the_precision_of_floats_continues():
    ramp = np.arange(24.0)[:, None] + np.arange(24.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sf.fit(ramp, width=64, depth=1, omega=3, steps=600).info.stopped == "steps"


def test_coordinates_of_the_wrong_shape_are_refused():
    field = sf.fit(waves(8, 9), width=8, depth=0, steps=1)
    assert field([1, 2]).shape == (1,)
    assert field(np.zeros((4, 5, 2))).shape == (4, 5, 1)
    assert field.gradient(np.zeros((4, 5, 2))).shape == (4, 5, 1, 2)
    with pytest.raises(InputError, match=r"\(x0, x1\)"):
        field(np.zeros((4, 3)))
    with pytest.raises(InputError, match="quantity"):
        field.render(quantity="hessian")


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_lowers_the_error(activation):
    field = sf.fit(waves(16, 20), activation=activation, width=48, depth=2, steps=200)
    assert field.info.quality["psnr_db"] > 15
    assert field.info.parameters == sum(p.numel() for p in field.network.parameters())


def test_the_paper_recipe_is_the_official_one():
    signal = from_pixels(np.zeros((9, 9, 1), np.uint8), "L")
    field = sf.fit(signal, recipe="paper", steps=1)
    siren = field.network
    assert (siren.width, siren.depth, siren.omega_first, siren.omega_hidden) == (256, 3, 30.0, 30.0)
    assert field.info.parameters == 2 * 256 + 256 + 3 * (256 * 256 + 256) + 256 + 1
    corners = torch.tensor([[0.0, 0.0], [8.0, 8.0], [4.0, 8.0]])
    assert torch.equal(field.function.layers()[0](corners), torch.tensor([[-1.0, -1.0], [1.0, 1.0], [0.0, 1.0]]))


def test_the_paper_recipe_takes_the_steps_of_plain_adam_on_all_samples():
    """Three steps against a loop written out in plain PyTorch."""
    values = waves(10, 10)
    ours = sf.fit(values, recipe="paper", steps=3, dtype=torch.float64)
    grid = torch.linspace(-1, 1, 10, dtype=torch.float64)
    x = torch.stack(torch.meshgrid(grid, grid, indexing="ij"), -1).reshape(-1, 2)
    low, high = values.min(), values.max()
    target = torch.from_numpy((values - low) / (high - low) * 2 - 1).reshape(-1, 1)
    siren = sf.Siren(2, 1, generator=torch.Generator().manual_seed(0)).double()
    adam = torch.optim.Adam(siren.parameters(), lr=1e-4)
    for _ in range(3):
        adam.zero_grad()
        (siren(x) - target).square().mean().backward()
        adam.step()
    for a, b in zip(ours.network.parameters(), siren.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-12)


def test_a_batch_in_parts_has_the_gradient_of_the_whole(monkeypatch):
    whole = sf.fit(waves(), recipe="paper", steps=2, dtype=torch.float64)
    monkeypatch.setattr(WorkerPool, "chunk_size", lambda pool, count: 1000)
    parts = sf.fit(waves(), recipe="paper", steps=2, dtype=torch.float64)
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=0, atol=1e-12)


def test_a_fit_ends_at_the_first_criterion():
    assert sf.fit(waves(8, 9), width=8, depth=0, steps=7).info.stopped == "steps"
    assert sf.fit(waves(8, 9), width=8, depth=0, steps=10**6, seconds=0.2).info.stopped == "seconds"
    reached = sf.fit(waves(), width=64, depth=1, psnr=25)
    assert reached.info.stopped == "psnr"
    assert reached.info.quality["psnr_db"] >= 25


def test_held_out_samples_are_evaluated_separately():
    signal = from_pixels((waves() * 100 + 128).astype(np.uint8)[..., None], "L")
    reached = sf.fit(signal, width=64, depth=1, omega=10, steps=500, holdout=0.25).info.quality
    assert reached["psnr_holdout_db"] > 25
    noise = np.random.default_rng(0).random((40, 40))
    reached = sf.fit(noise, width=64, depth=1, omega=90, steps=800, holdout=0.25).info.quality
    assert reached["psnr_holdout_db"] < reached["psnr_db"] - 3


def test_the_same_seed_gives_the_same_field_and_another_seed_another():
    one, two, other = (sf.fit(waves(20, 20), width=32, depth=1, steps=30, seed=s).render() for s in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_a_resumed_fit_has_the_same_weights(tmp_path):
    options = {"width": 32, "depth": 1, "holdout": 0.1}
    whole = sf.fit(waves(), steps=200, **options)
    sf.fit(waves(), steps=100, checkpoint=tmp_path, **options)
    rest = sf.fit(waves(), steps=200, checkpoint=tmp_path, resume=True, **options)
    for a, b in zip(whole.parameters(), rest.parameters(), strict=True):
        assert torch.equal(a, b)
    assert rest.info.steps == 200
    assert [h[2] for h in whole.info.history] == [h[2] for h in rest.info.history]


def test_checkpoints_do_not_change_the_weights(tmp_path, monkeypatch):
    plain = sf.fit(waves(), steps=60, width=16)
    monkeypatch.setattr(loop, "SAVE_INTERVAL", 0.0)
    saved = sf.fit(waves(), steps=60, width=16, checkpoint=tmp_path)
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), saved.parameters(), strict=True))


def test_a_checkpoint_is_neither_overwritten_nor_used_for_another_fit(tmp_path):
    sf.fit(waves(), steps=20, width=16, checkpoint=tmp_path)
    with pytest.raises(InputError, match="resume it, or use another"):
        sf.fit(waves(), steps=20, width=16, checkpoint=tmp_path)
    with pytest.raises(InputError, match="width = 16, not 17"):
        sf.fit(waves(), steps=20, width=17, checkpoint=tmp_path, resume=True)
    with pytest.raises(InputError, match="checksum"):
        sf.fit(waves()[:, ::-1], steps=20, width=16, checkpoint=tmp_path, resume=True)
    (tmp_path / "state.safetensors").write_bytes(b"broken")
    with pytest.raises(InputError, match="damaged"):
        sf.fit(waves(), steps=20, width=16, checkpoint=tmp_path, resume=True)


def test_the_best_weights_are_kept_not_the_last(monkeypatch):
    """With a learning rate that is far too high, the quality varies, and the best weights are returned."""
    monkeypatch.setitem(RECIPES, "wild", replace(RECIPES["default"], optimizer=OptimizerChoice(adam, 3e-3, 400)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        info = sf.fit(waves(), recipe="wild", steps=400, width=64).info
    errors = [entry[2] for entry in info.history]
    assert info.quality["mse"] == pytest.approx(min(errors), rel=1e-6)
    assert info.best_step == info.history[int(np.argmin(errors))][0]


def test_a_diverging_fit_returns_to_the_best_weights_with_smaller_steps():
    from sinefield.constraints.constraint import Constraint
    from sinefield.sampling.batch import Batch
    from sinefield.training.minimize import minimize

    siren = sf.Siren(1, 1, width=16, depth=1, generator=torch.Generator().manual_seed(0))
    x = torch.linspace(-1, 1, 64)[:, None]
    target = torch.sin(3 * x)

    def sampler(step):
        return Batch(x, target if step != 250 else target * float("nan"))

    def residual(jet, batch):
        return jet.value - batch.target

    def evaluate():
        with torch.no_grad():
            return float((siren(x) - target).square().mean())

    adam = torch.optim.Adam(siren.parameters(), lr=1e-3)
    with pytest.warns(UserWarning, match="returning to step 200"):
        state = minimize(siren, [Constraint("value", sampler, residual)], adam, steps=500, evaluate=evaluate)
    assert (state.stopped, state.halvings) == ("steps", 1)
    assert adam.param_groups[0]["lr"] == 5e-4
    assert all(torch.isfinite(p).all() for p in siren.parameters())
    assert evaluate() == pytest.approx(state.best_error)


def test_a_loss_that_is_never_finite_ends_the_fit():
    from sinefield.constraints.constraint import Constraint
    from sinefield.sampling.batch import Batch
    from sinefield.training.minimize import minimize

    siren = sf.Siren(1, 1, width=4, depth=0)
    sampler = lambda step: Batch(torch.zeros(3, 1), torch.full((3, 1), float("nan")))  # noqa: E731
    constraint = Constraint("value", sampler, lambda jet, batch: jet.value - batch.target)
    optimizer = torch.optim.Adam(siren.parameters())
    with pytest.warns(UserWarning, match="returning to step 0"):
        state = minimize(siren, [constraint], optimizer, steps=100, evaluate=lambda: 1.0)
    assert state.stopped == "diverged"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"recipe": "other"}, "recipe"),
        ({"activation": "other"}, "activation"),
        ({"recipe": "paper", "width": 64}, "fixes"),
        ({"activation": "relu", "omega": 10.0}, "omega applies to"),
        ({"omega": -1.0}, "omega"),
        ({"steps": 0}, "steps"),
        ({"seconds": -1.0}, "seconds"),
        ({"psnr": float("nan")}, "psnr"),
        ({"width": 0}, "width"),
        ({"holdout": 1.5}, "holdout"),
        ({"resume": True}, "checkpoint"),
        ({"device": "cuda:99"}, "device"),
        ({"device": "nonsense"}, "device"),
    ],
)
def test_invalid_options_are_refused(options, says):
    with pytest.raises(InputError, match=says):
        sf.fit(waves(8, 8), **{"steps": 1, **options})


def test_progress_is_called_at_every_step():
    seen = []
    sf.fit(waves(8, 8), width=8, depth=0, steps=5, progress=seen.append)
    assert [each.step for each in seen] == [1, 2, 3, 4, 5]
    assert [each.done for each in seen] == [0.2, 0.4, 0.6, 0.8, 1.0]
    assert seen[-1].message.startswith("step 5  value ")


def test_omega_is_chosen_by_the_spectrum_of_the_signal():
    wave = np.sin(np.arange(3000) * 0.02)
    slow, fast = (natural_omega(sf.from_array(np.sin(np.arange(3000) * frequency)), 10**5) for frequency in (0.02, 0.1))
    assert slow == pytest.approx(0.02 * 1500, rel=0.15)  # radians on half the domain
    assert fast == pytest.approx(5 * slow, rel=0.1)
    assert natural_omega(sf.from_array(wave, step=(0.001,), units=("s",)), 10**5) == slow
    noise = np.random.default_rng(0).random((64, 64))
    assert natural_omega(sf.from_array(noise), 10**5) == pytest.approx(2 * 0.47 * 32, rel=0.01)  # by the sampling rate
    # of sixteen samples for each that a network can follow, it sees a quarter along each of two axes
    assert natural_omega(sf.from_array(noise), 64) == pytest.approx(2 * 0.47 * 32 / 4, rel=0.01)
    assert natural_omega(sf.from_array(np.full((5, 6), 2.0)), 10**5) == 2  # nothing to go by


def test_the_learning_rate_of_the_first_layer_falls_with_omega():
    for omega, share in ((30.0, 1.0), (600.0, 0.1)):
        optimizer = RECIPES["default"].make_optimizer(sf.Siren(1, 1, omega_first=omega))
        rest, first = (group["lr"] for group in optimizer.param_groups)
        assert (rest, first) == (1e-3, pytest.approx(share * 1e-3))
    assert sum(p.numel() for group in optimizer.param_groups for p in group["params"]) == 198_145


@pytest.mark.slow
def test_a_sound_sampled_far_above_its_pitch_is_fitted():
    """At an ω in the thousands, steps of the usual size would randomize the phases, and the fit would fail."""
    random, t = np.random.default_rng(0), np.arange(100_000)
    tones, swells = random.uniform(0.02, 0.15, 6), random.uniform(0.0002, 0.002, 6)
    parts = [np.sin(tones[k] * t + k) * np.sin(swells[k] * t + k) for k in range(6)]
    assert sf.fit(sum(parts), width=64, depth=2, steps=300).info.quality["psnr_db"] > 30


def test_a_fit_without_improvement_restarts_with_smaller_steps(monkeypatch):
    monkeypatch.setitem(RECIPES, "rash", replace(RECIPES["default"], optimizer=OptimizerChoice(Soap, 3e-2, 400)))
    noise = np.random.default_rng(0).random((24, 24))
    with pytest.warns(UserWarning, match="restarting"):
        field = sf.fit(noise, recipe="rash", width=64, depth=2, omega=60, steps=400)
    assert field.info.quality["psnr_db"] > 20


def test_the_papers_recipe_for_sound_and_for_video():
    sound = sf.from_waveform(np.sin(np.arange(300.0))[:, None].astype(np.float32), 8000)
    field = sf.fit(sound, recipe="paper", steps=1)
    ends = torch.from_numpy(sound.at(np.array([0, 299]))[0])
    affine = field.function.layers()[0]
    assert torch.allclose(affine(ends).double(), torch.tensor([[-100.0], [100.0]], dtype=torch.float64), atol=1e-4)
    assert (field.network.width, field.network.omega_first) == (256, 30)
    clip = sf.signals.Header("video", sf.domain.from_samples((2, 3, 4)), (2, 3, 4), (), "uint8", (0.0,), (255.0,))
    plan = find_recipe("paper", sf.Signal(np.zeros((2, 3, 4, 1), np.uint8), clip))
    assert (plan.width, plan.batch_size(350_000), plan.steps) == (1024, 1330, 100_000)  # 38e-4 of them


def test_large_signals_are_evaluated_at_a_subset(monkeypatch):
    signal = sf.from_array(waves())
    field = sf.fit(signal, width=16, depth=1, steps=30)
    exact = quality.quality(field, signal)
    assert "evaluated_samples" not in exact
    monkeypatch.setattr(quality, "MAX_FULL_SAMPLES", 500)
    monkeypatch.setattr(quality, "FINAL_SAMPLES", 500)
    some = quality.quality(field, signal)
    assert some["evaluated_samples"] == 500
    assert some["mse"] == pytest.approx(exact["mse"], rel=0.2)
    assert some["mse"] != exact["mse"]


def test_a_single_derivative_is_a_component_of_the_gradient():
    field = sf.fit(waves(), width=16, depth=1, steps=10)
    gradient = field.render(quantity="gradient")
    for k, axis in enumerate(field.header.domain.axes):
        assert np.allclose(field.render(quantity=f"d{axis}"), gradient[..., k])
    with pytest.raises(sf.InputError, match="no quantity 'dq'"):
        field.render(quantity="dq")
