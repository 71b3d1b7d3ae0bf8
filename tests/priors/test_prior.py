"""Priors over pictures, learned from random discs: codes, completion of pictures, files and commands."""

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sinefield import (
    InputError,
    Prior,
    PriorConfig,
    fit,
    fit_prior,
    inpaint,
    load_prior,
    read_image_dataset,
    serialization,
)
from sinefield.networks import ENCODERS, HEADS
from sinefield.priors.data import ImageDataset, random_mask, squared
from sinefield.priors.evaluate import inpainting_errors, interpolation_errors
from sinefield.priors.fit_prior import default_config, held_out, split_pictures
from sinefield.priors.inpaint import initial_field
from sinefield.priors.prior import observe, pixel_grid
from sinefield.signals import from_array
from sinefield.signals.image import from_pixels
from tests.command_line import report, run

SIZE = 16
SMALL = {"width": 24, "depth": 1, "latent": 16, "features": 16, "halvings": 2, "hidden": 32, "omega": 10.0}


def blobs(count, size=SIZE, channels=1, seed=0):
    """Return pictures (count, size, size, channels) of one Gaussian each, at a random position and brightness."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    center, brightness = random.uniform(0.25, 0.75, (count, 2, 1, 1)), random.uniform(100, 250, (count, 1, 1))
    values = brightness * np.exp(-20 * ((y - center[:, 0]) ** 2 + (x - center[:, 1]) ** 2))
    return np.repeat(np.rint(values).astype(np.uint8)[..., None], channels, axis=-1)


def discs(count, size=SIZE):
    """Return pictures of one disc each, at a random position and brightness; interpolation blurs their edges."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / size
    center, brightness = random.uniform(0.25, 0.75, (count, 2, 1, 1)), random.uniform(100, 250, (count, 1, 1))
    inside = (y - center[:, 0]) ** 2 + (x - center[:, 1]) ** 2 < 0.06
    return np.where(inside, brightness, 0).astype(np.uint8)[..., None]


@pytest.fixture(scope="module")
def dataset():
    return ImageDataset(discs(400), tuple(f"{k}.png" for k in range(400)))


@pytest.fixture(scope="module")
def prior(dataset):
    return fit_prior(dataset, PriorConfig(SIZE, **SMALL), steps=250, learning_rate=2e-3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("blobs")
    for k, pixels in enumerate(blobs(40)):
        Image.fromarray(pixels[..., 0]).resize((24, 30)).save(path / f"{k:02}.png")
    (path / "broken.png").write_bytes((path / "00.png").read_bytes()[:100])
    (path / "notes.txt").write_text("no picture")
    return path


def test_a_data_set_is_read_from_a_folder_and_lists_unreadable_files(folder):
    dataset = read_image_dataset(folder, SIZE)
    assert dataset.pixels.shape == (40, SIZE, SIZE, 1)
    assert [name for name, _ in dataset.skipped] == ["broken.png"]
    with Image.open(folder / "03.png") as picture:
        middle = picture.crop((0, 3, 24, 27)).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    assert np.abs(dataset.pixels[3, ..., 0].astype(int) - np.asarray(middle, dtype=int)).max() <= 1


def test_a_data_set_is_rgb_if_one_picture_is(tmp_path):
    Image.fromarray(blobs(1)[0, ..., 0]).save(tmp_path / "grey.png")
    Image.new("RGBA", (40, 30), (10, 200, 30, 128)).save(tmp_path / "green.png")
    (tmp_path / "deeper").mkdir()
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(tmp_path / "deeper" / "deep.png")
    dataset = read_image_dataset(tmp_path, 8)
    assert dataset.names == ("deeper/deep.png", "green.png", "grey.png")
    assert dataset.pixels[:, 0, 0].tolist()[:2] == [[156] * 3, [10, 200, 30]]
    assert read_image_dataset(tmp_path, 8, grays=True).channels == 1


def test_a_folder_without_pictures_is_an_error(tmp_path):
    with pytest.raises(InputError, match="no pictures"):
        read_image_dataset(tmp_path, 8)
    with pytest.raises(InputError, match="no folder"):
        read_image_dataset(tmp_path / "nowhere", 8)
    (tmp_path / "empty.png").touch()
    with pytest.raises(InputError, match="none of the 1 pictures"):
        read_image_dataset(tmp_path, 8)


@pytest.mark.parametrize("name", ENCODERS)
def test_codes_do_not_depend_on_the_order_of_the_pixels(name):
    torch.manual_seed(0)
    encoder = ENCODERS[name](1, SIZE, 16, 16, 2)
    x = pixel_grid(SIZE)[torch.randperm(SIZE**2)[:60]].expand(2, -1, -1)
    values, order = torch.rand(2, 60, 1), torch.randperm(60)
    codes = encoder(x, values)
    assert torch.allclose(codes, encoder(x[:, order], values[:, order]), atol=1e-6)
    assert not torch.allclose(codes, encoder(x[:, order], values), atol=1e-3)


@pytest.mark.parametrize("head", HEADS)
def test_the_field_of_a_code_has_the_generated_weights(head):
    prior = Prior(PriorConfig(SIZE, channels=3, head=head, **SMALL), seed=3)
    codes = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    made = prior(codes, pixel_grid(SIZE)).detach()
    assert (made[0] - made[1]).abs().max() > 1e-3  # codes affect an untrained prior
    field = prior.field(codes[1])
    rendered = field.render().reshape(-1, 3) / 127.5 - 1
    assert np.abs(rendered - made[1].clamp(-1, 1).numpy()).max() < 0.6 / 127.5
    assert field.gradient([[3.0, 4.0]]).shape == (1, 3, 2)


@pytest.mark.parametrize("head", HEADS)
def test_generated_networks_are_initialized_like_sirens(head):
    """The pre-activations have a standard deviation near 1 for codes as small as those of the encoders."""
    prior = Prior(PriorConfig(32, head=head, width=256, depth=3, latent=64), seed=1)
    layers = prior.layers(0.1 * torch.randn(4, 64, generator=torch.Generator().manual_seed(0)))
    x = pixel_grid(32).expand(4, -1, -1)
    for k, layer in enumerate(layers):
        x = layer(x)
        if k in (2, 4, 6):
            assert 0.8 < float((30 * x).detach().std()) < 1.5


def test_the_loss_is_that_of_the_paper_at_the_size_of_the_paper():
    from sinefield.priors.fit_prior import _add_loss_gradient, _Batch

    dataset = ImageDataset(blobs(8, 32), tuple("abcdefgh"))
    config = default_config(dataset.size, dataset.channels, "paper", features=4, halvings=1)
    prior = Prior(config)
    x, reference = pixel_grid(32), torch.rand(2, 50, 1)
    batch = _Batch(torch.arange(2), x[:40].expand(2, -1, -1), torch.rand(2, 40, 1), x[:50], reference)
    terms = _add_loss_gradient(prior, batch)
    code = prior.infer(batch.context, batch.context_values)
    weights = torch.cat([p.flatten() for k in range(2) for p in prior.field(code[k]).network.parameters()])
    assert terms["picture"] == pytest.approx(float((prior(code, x[:50]) - reference).square().mean()), rel=1e-4)
    assert terms["code"] == pytest.approx(0.1 * float(code.square().mean()), rel=1e-4)
    assert terms["network"] == pytest.approx(100 * float(weights.square().mean()), rel=1e-4)


@pytest.mark.slow
def test_a_prior_of_the_size_of_the_paper_can_be_trained():
    dataset = ImageDataset(blobs(6, 32), tuple("abcdef"))
    prior = fit_prior(dataset, default_config(dataset.size, dataset.channels, "paper"), steps=2, batch=1, holdout=0.2)
    assert prior.info.steps == 2
    assert prior.encoder.readout.in_features == 32**2
    assert sum(p.numel() for p in prior.encoder.parameters()) > 13e6


def test_a_prior_has_smaller_inpainting_errors_than_interpolation(prior, dataset):
    indices = held_out(prior, dataset)
    assert len(indices) == 40
    for count in (5, 10):
        error = inpainting_errors(prior, dataset, indices, count).mean()
        for method in ("nearest", "rbf"):
            assert error < 0.7 * interpolation_errors(method, dataset, indices, count).mean()


def test_sampled_codes_have_the_moments_of_the_training_codes(prior, dataset):
    train, _ = split_pictures(len(dataset), 0.1, 0)
    values = torch.from_numpy(dataset.pixels[train].reshape(len(train), -1, 1) / 127.5 - 1).float()
    codes = prior.infer(pixel_grid(SIZE).expand(len(train), -1, -1), values)
    samples = prior.sample(20_000)
    assert torch.allclose(samples.mean(0), codes.mean(0), atol=0.03 * float(codes.std()))
    difference = torch.cov(samples.T) - torch.cov(codes.T)
    assert difference.norm() < 0.05 * torch.cov(codes.T).norm()


def test_refinement_reduces_the_error_at_the_observed_pixels(prior, dataset):
    picture = dataset.signal(int(held_out(prior, dataset)[0]))
    seen = random_mask(SIZE, 100, 0)
    x, values = observe(picture, seen, SIZE)

    def error(code):
        return float((prior(code, x) - values).square().mean())

    assert error(prior.infer(x, values, 100)) < 0.9 * error(prior.infer(x, values))


@pytest.mark.parametrize("size", [1, 2, 5, 9, 33])
def test_the_default_configuration_supports_any_size(size):
    prior = Prior(default_config(size, features=8, hidden=8))
    assert prior.infer(pixel_grid(size)[None], torch.zeros(1, size**2, 1)).shape == (1, 128)


def test_training_without_an_encoder_at_the_default_code_size(dataset):
    """In the first steps the gradients of the codes are tiny, and many are zero."""
    prior = fit_prior(dataset, PriorConfig(SIZE, encoder="none", width=16, depth=1), steps=25)
    assert prior.info.stopped == "steps"
    assert float(prior.spread.abs().max()) > 0


def test_a_prior_can_be_learned_from_two_pictures():
    prior = fit_prior(ImageDataset(blobs(2), ("a", "b")), PriorConfig(SIZE, **SMALL), holdout=0.5, steps=2)
    assert torch.isfinite(prior.sample(3)).all()


def test_held_out_pictures_are_identified_by_the_checksum(prior, dataset):
    assert len(held_out(prior, ImageDataset(dataset.pixels, dataset.names))) == 40
    assert len(held_out(prior, ImageDataset(dataset.pixels[::-1], dataset.names))) == len(dataset)


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["set", "none"])
def test_other_code_sources_have_a_smaller_error_than_a_constant(encoder, dataset):
    prior = fit_prior(dataset, PriorConfig(SIZE, encoder=encoder, **SMALL), steps=400, learning_rate=2e-3, batch=64)
    indices = held_out(prior, dataset)[:20]
    assert inpainting_errors(prior, dataset, indices, 60).mean() < 0.6 * dataset.pixels.std() ** 2 / 127.5**2
    assert prior.codes is None


def test_a_meta_learned_initialization_speeds_up_a_fit(dataset):
    prior = fit_prior(dataset, PriorConfig(SIZE, encoder="meta", **SMALL), steps=60, learning_rate=2e-3)
    picture = dataset.signal(int(held_out(prior, dataset)[0]))
    like = initial_field(prior, picture)
    plain = fit(picture, width=24, depth=1, omega=10.0, steps=10)
    assert fit(picture, like=like, steps=10).info.quality["psnr_db"] > plain.info.quality["psnr_db"] + 3
    with pytest.raises(InputError, match="no codes"):
        prior(torch.zeros(1, 16), pixel_grid(SIZE))


def test_a_resumed_training_gives_the_same_weights(dataset, tmp_path):
    config = PriorConfig(SIZE, **SMALL)
    whole = fit_prior(dataset, config, steps=12)
    fit_prior(dataset, config, steps=6, checkpoint=tmp_path)
    resumed = fit_prior(dataset, config, steps=12, checkpoint=tmp_path, resume=True)
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name
    with pytest.raises(InputError, match="resume"):
        fit_prior(dataset, config, steps=12, checkpoint=tmp_path)
    with pytest.raises(InputError, match="latent"):
        fit_prior(dataset, PriorConfig(SIZE, **{**SMALL, "latent": 17}), steps=12, checkpoint=tmp_path, resume=True)


def test_a_saved_prior_is_read_with_the_same_results(prior, dataset, tmp_path):
    path = tmp_path / "blobs.safetensors"
    prior.save(path)
    again = load_prior(path)
    assert again.config == prior.config
    assert again.info == prior.info
    indices = held_out(again, dataset)[:5]
    before, after = (inpainting_errors(each, dataset, indices, 20) for each in (prior, again))
    assert np.array_equal(before, after)
    initial_field(prior, dataset.signal(0)).save(tmp_path / "field.safetensors")
    with pytest.raises(InputError, match="holds a field; a prior is needed"):
        load_prior(tmp_path / "field.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError):
        load_prior(path)


def test_a_prior_of_format_1_is_read_under_standard_names():
    made = {"pictures": 40, "checksum": 7, "holdout": 0.1, "seed": 2, "rate": 5e-4, "mse_held_out": 0.25, "steps": 4}
    config = {"size": 8, "encoder": "set"}
    upgraded = serialization.upgrade({"format": 1, "kind": "prior", "space": config, "made": made})
    assert upgraded["config"] == config
    assert upgraded["info"]["settings"] == {
        "pictures": 40,
        "checksum": 7,
        "holdout": 0.1,
        "seed": 2,
        "learning_rate": 5e-4,
    }
    assert upgraded["info"]["quality"] == {"mse_holdout": 0.25}


def test_observed_pixels_are_averaged_over_the_cells_of_the_grid():
    picture = from_pixels(np.arange(64, dtype=np.uint8).reshape(8, 8, 1), "L")
    seen = np.zeros((8, 8), dtype=bool)
    seen[0, :2] = seen[7, 0] = True
    x, values = observe(picture, seen, 4)
    assert x.tolist() == [[[-0.75, -0.75], [0.75, -0.75]]]
    assert ((values[0, :, 0] + 1) * 127.5).tolist() == pytest.approx([0.5, 56])


def test_invalid_arguments_are_errors(prior, dataset):
    picture = dataset.signal(0)
    everything = np.ones((SIZE, SIZE), dtype=bool)
    for bad, mask, message in (
        (picture, everything[:5], "the mask has the shape"),
        (picture, ~everything, "leaves no pixel"),
        (squared(picture, SIZE, 3), everything, "3 channels, the prior 1"),
        (from_pixels(np.zeros((4, 6, 1), np.uint8), "L"), np.ones((4, 6), dtype=bool), "completes square ones"),
    ):
        with pytest.raises(InputError, match=message):
            inpaint(prior, bad, mask)
    with pytest.raises(InputError, match="is not a picture"):
        initial_field(prior, from_array(np.zeros(5)))
    with pytest.raises(InputError, match="from 1 to 256 pixels"):
        random_mask(SIZE, 300, 0)
    for share in (0.0, 1.0, 1e-9):
        with pytest.raises(InputError, match="held out"):
            split_pictures(100, share, 0)
    with pytest.raises(InputError, match="unknown encoder"):
        PriorConfig(encoder="lstm")


def test_the_prior_commands(folder, tmp_path):
    model, options = tmp_path / "m.safetensors", ("--size", SIZE, "--width", 16, "--depth", 1, "--features", 16)
    made = report("prior", "fit", folder, "-o", model, *options, "--steps", 12, "--log-dir", tmp_path / "log")
    assert made["pictures"] == 40
    events = EventAccumulator(str(tmp_path / "log")).Reload()
    assert {scalar.step for scalar in events.Scalars("held_out")} == {12}
    assert events.Tags()["images"] == ["held_out"]
    assert report("prior", "evaluate", model, folder)["context"] == [10, 100]
    table = report("prior", "evaluate", model, folder, "--context", "10,50", "-o", tmp_path / "sheet.png")
    assert (table["pictures"], table["held_out"]) == (4, True)
    assert set(table["mse"]) == {"prior", "nearest neighbor", "radial basis functions"}
    picture = folder / "07.png"
    for name, extra in (("a.png", ("--keep", 30)), ("b.png", ("--size", 50)), ("sheet.png", ("--seeds", 2))):
        done = report("prior", "inpaint", model, picture, "-o", tmp_path / name, *extra)
        assert done["mse"] > 0
    with Image.open(tmp_path / "b.png") as large:
        assert large.size == (50, 50)
    report("prior", "inpaint", model, picture, "-o", tmp_path / "f.safetensors", "--refine", 5)
    report("render", tmp_path / "f.safetensors", "-o", tmp_path / "c.png", "--size", 20)
    Image.new("L", (24, 30), 0).save(tmp_path / "mask.png")
    assert report("prior", "inpaint", model, picture, "--mask", tmp_path / "mask.png", "-o", tmp_path / "d.png")["seen"]
    report("prior", "sample", model, "-o", tmp_path / "s.png", "--count", 9)
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.size == (8 * 34 - 2, 2 * 34 - 2)
    report("prior", "interpolate", model, picture, folder / "08.png", "-o", tmp_path / "i.png", "--refine", 3)
    started = report("fit", picture, "--prior", model, "--steps", 5, "-o", tmp_path / "g.safetensors")
    assert started["like"] == "a prior"


def test_errors_of_the_prior_commands_are_one_line(folder, tmp_path):
    Image.new("L", (9, 9)).save(tmp_path / "mask.png")
    Prior(PriorConfig(SIZE, **SMALL)).save(tmp_path / "m.safetensors")
    complete = ("prior", "inpaint", tmp_path / "m.safetensors", folder / "01.png", "-o", tmp_path / "o.png")
    for arguments, message in (
        (("prior", "fit", tmp_path / "nowhere"), "no folder"),
        (("prior", "fit", folder, "--encoder", "rnn", "-o", tmp_path / "x.safetensors"), "unknown encoder"),
        (("prior", "fit", folder, "--head", "big", "-o", tmp_path / "x.safetensors"), "unknown head"),
        ((*complete, "--mask", tmp_path / "mask.png"), "the mask"),
        ((*complete, "--mask", tmp_path / "mask.png", "--keep", "5"), "--keep applies only to"),
        ((*complete, "--keep", "5000"), "from 1 to 256 pixels"),
        (("prior", "evaluate", tmp_path / "m.safetensors", folder, "--context", "ten"), "no list of numbers"),
        ((*complete, "--seeds", "2", "-o", tmp_path / "o.safetensors"), "a figure is a"),
        (("prior", "evaluate", tmp_path / "m.safetensors", folder, "--context", "1000"), "have 256 pixels"),
        (("prior", "fit", folder, "--learning-rate", "nan", "-o", tmp_path / "x.safetensors"), "a positive number"),
        (("prior", "sample", tmp_path / "m.safetensors", "-o", "s.png", "--seed", 2**64), "--seed"),
        (("fit", folder / "01.png", "--prior", tmp_path / "m.safetensors", "--activation", "relu"), "activation sine"),
        (("fit-many", folder, "-o", tmp_path / "many", "--size", "big"), "no size"),
        (("prior", "sample", folder / "01.png", "-o", tmp_path / "o.png"), "no sinefield file"),
    ):
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert message in done.stderr.splitlines()[-1]
        assert not (tmp_path / "o.png").exists()
