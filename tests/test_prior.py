"""Spaces of pictures: an album of discs, what is learned of it, and what is made of a few pixels."""

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from sinefield import InputError, Prior, PriorConfig, load_prior, read_image_dataset
from sinefield.networks import ENCODERS, HEADS
from sinefield.priors import fit_prior, inpaint
from sinefield.priors.data import ImageDataset, random_mask, squared
from sinefield.priors.evaluate import errors, interpolation_errors
from sinefield.priors.fit_prior import default_config, parted, unseen
from sinefield.priors.inpaint import beginning
from sinefield.priors.prior import grid, observed
from sinefield.signals import from_array
from sinefield.signals.image import from_pixels
from tests.commands import report, run

SIZE = 16
SMALL = {"width": 24, "depth": 1, "latent": 16, "features": 16, "halvings": 2, "hidden": 32, "omega": 10.0}


def blobs(count, size=SIZE, channels=1, seed=0):
    """Pictures of one Gaussian each, of random place and brightness."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size] / size
    place, bright = random.uniform(0.25, 0.75, (count, 2, 1, 1)), random.uniform(100, 250, (count, 1, 1))
    values = bright * np.exp(-20 * ((y - place[:, 0]) ** 2 + (x - place[:, 1]) ** 2))
    return np.repeat(np.rint(values).astype(np.uint8)[..., None], channels, axis=-1)


def discs(count, size=SIZE):
    """Pictures of one disc each, of random place and brightness: their edges are not to be interpolated."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size] / size
    place, bright = random.uniform(0.25, 0.75, (count, 2, 1, 1)), random.uniform(100, 250, (count, 1, 1))
    inside = (y - place[:, 0]) ** 2 + (x - place[:, 1]) ** 2 < 0.06
    return np.where(inside, bright, 0).astype(np.uint8)[..., None]


@pytest.fixture(scope="module")
def dataset():
    return ImageDataset(discs(400), tuple(f"{k}.png" for k in range(400)))


@pytest.fixture(scope="module")
def prior(dataset):
    return fit_prior(dataset, PriorConfig(SIZE, **SMALL), steps=250, rate=2e-3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("blobs")
    for k, pixels in enumerate(blobs(40)):
        Image.fromarray(pixels[..., 0]).resize((24, 30)).save(path / f"{k:02}.png")
    (path / "broken.png").write_bytes((path / "00.png").read_bytes()[:100])
    (path / "notes.txt").write_text("no picture")
    return path


def test_a_folder_becomes_an_album_and_names_what_it_cannot_read(folder):
    dataset = read_image_dataset(folder, SIZE)
    assert dataset.pixels.shape == (40, SIZE, SIZE, 1)
    assert [name for name, _ in dataset.skipped] == ["broken.png"]
    with Image.open(folder / "03.png") as picture:
        middle = picture.crop((0, 3, 24, 27)).resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    assert np.abs(dataset.pixels[3, ..., 0].astype(int) - np.asarray(middle, dtype=int)).max() <= 1


def test_an_album_is_of_colours_if_one_picture_is(tmp_path):
    Image.fromarray(blobs(1)[0, ..., 0]).save(tmp_path / "grey.png")
    Image.new("RGBA", (40, 30), (10, 200, 30, 128)).save(tmp_path / "green.png")
    (tmp_path / "deeper").mkdir()
    Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(tmp_path / "deeper" / "deep.png")
    dataset = read_image_dataset(tmp_path, 8)
    assert dataset.names == ("deeper/deep.png", "green.png", "grey.png")
    assert dataset.pixels[:, 0, 0].tolist()[:2] == [[156] * 3, [10, 200, 30]]
    assert read_image_dataset(tmp_path, 8, grays=True).channels == 1


def test_folders_without_pictures_are_refused(tmp_path):
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
    x = grid(SIZE)[torch.randperm(SIZE**2)[:60]].expand(2, -1, -1)
    values, order = torch.rand(2, 60, 1), torch.randperm(60)
    codes = encoder(x, values)
    assert torch.allclose(codes, encoder(x[:, order], values[:, order]), atol=1e-6)
    assert not torch.allclose(codes, encoder(x[:, order], values), atol=1e-3)


@pytest.mark.parametrize("head", HEADS)
def test_the_field_of_a_code_is_what_the_head_makes_of_it(head):
    prior = Prior(PriorConfig(SIZE, channels=3, head=head, **SMALL), seed=3)
    codes = torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    made = prior(codes, grid(SIZE)).detach()
    assert (made[0] - made[1]).abs().max() > 1e-3  # codes make a difference from the beginning
    field = prior.field(codes[1])
    rendered = field.render().reshape(-1, 3) / 127.5 - 1
    assert np.abs(rendered - made[1].clamp(-1, 1).numpy()).max() < 0.6 / 127.5
    assert field.gradient([[3.0, 4.0]]).shape == (1, 3, 2)


@pytest.mark.parametrize("head", HEADS)
def test_all_networks_of_a_head_begin_as_sirens_do(head):
    """Pre-activations of a standard deviation near 1, for codes as small as encoders give."""
    prior = Prior(PriorConfig(32, head=head, width=256, depth=3, latent=64), seed=1)
    layers = prior.layers(0.1 * torch.randn(4, 64, generator=torch.Generator().manual_seed(0)))
    x = grid(32).expand(4, -1, -1)
    for k, layer in enumerate(layers):
        x = layer(x)
        if k in (2, 4, 6):
            assert 0.8 < float((30 * x).detach().std()) < 1.5


def test_the_loss_is_the_papers_at_the_papers_size():
    from sinefield.priors.fit_prior import _descend, _Seen

    dataset = ImageDataset(blobs(8, 32), tuple("abcdefgh"))
    config = default_config(dataset.size, dataset.channels, "paper", features=4, halvings=1)
    prior = Prior(config)
    reference = torch.rand(2, 50, 1)
    seen = _Seen(torch.arange(2), grid(32)[:40].expand(2, -1, -1), torch.rand(2, 40, 1), grid(32)[:50], reference)
    terms = _descend(prior, seen)
    code = prior.infer(seen.x, seen.values)
    weights = torch.cat([p.flatten() for k in range(2) for p in prior.field(code[k]).network.parameters()])
    assert terms["picture"] == pytest.approx(float((prior(code, grid(32)[:50]) - reference).square().mean()), rel=1e-4)
    assert terms["code"] == pytest.approx(0.1 * float(code.square().mean()), rel=1e-4)
    assert terms["network"] == pytest.approx(100 * float(weights.square().mean()), rel=1e-4)


def test_a_prior_of_the_papers_size_takes_a_step():
    dataset = ImageDataset(blobs(6, 32), tuple("abcdef"))
    prior = fit_prior(dataset, default_config(dataset.size, dataset.channels, "paper"), steps=2, batch=1, holdout=0.2)
    assert prior.made["steps"] == 2
    assert prior.encoder.readout.in_features == 32**2
    assert sum(p.numel() for p in prior.encoder.parameters()) > 13e6


def test_a_prior_completes_pictures_better_than_interpolation(prior, dataset):
    held = unseen(prior, dataset)
    assert len(held) == 40
    for count in (5, 10):
        error = errors(prior, dataset, held, count).mean()
        assert error < 0.7 * interpolation_errors("nearest", dataset, held, count).mean()
        assert error < 0.7 * interpolation_errors("rbf", dataset, held, count).mean()


def test_codes_at_random_are_like_those_that_were_learned_from(prior, dataset):
    train, _ = parted(len(dataset), 0.1, 0)
    values = torch.from_numpy(dataset.pixels[train].reshape(len(train), -1, 1) / 127.5 - 1).float()
    codes = prior.infer(grid(SIZE).expand(len(train), -1, -1), values)
    drawn = prior.sample(20_000)
    assert torch.allclose(drawn.mean(0), codes.mean(0), atol=0.03 * float(codes.std()))
    off = torch.cov(drawn.T) - torch.cov(codes.T)
    assert off.norm() < 0.05 * torch.cov(codes.T).norm()


def test_refining_a_code_comes_closer_to_what_is_seen(prior, dataset):
    picture = dataset.signal(int(unseen(prior, dataset)[0]))
    seen = random_mask(SIZE, 100, 0)
    x, values = observed(picture, seen, SIZE)

    def off(code):
        return float((prior(code, x) - values).square().mean())

    assert off(prior.infer(x, values, 100)) < 0.9 * off(prior.infer(x, values))


@pytest.mark.parametrize("size", [1, 2, 5, 9, 33])
def test_pictures_of_any_size_have_a_space(size):
    prior = Prior(default_config(size, features=8, hidden=8))
    assert prior.infer(grid(size)[None], torch.zeros(1, size**2, 1)).shape == (1, 128)


def test_codes_without_an_encoder_at_the_usual_size(dataset):
    """Many of the gradients of the codes are zero in the first steps, and all are tiny."""
    prior = fit_prior(dataset, PriorConfig(SIZE, encoder="none", width=16, depth=1), steps=25)
    assert prior.made["stopped"] == "steps"
    assert float(prior.spread.abs().max()) > 0


def test_two_pictures_are_enough_to_learn_from():
    prior = fit_prior(ImageDataset(blobs(2), ("a", "b")), PriorConfig(SIZE, **SMALL), holdout=0.5, steps=2)
    assert torch.isfinite(prior.sample(3)).all()


def test_what_was_held_out_is_known_by_the_pixels(prior, dataset):
    assert len(unseen(prior, ImageDataset(dataset.pixels, dataset.names))) == 40
    assert len(unseen(prior, ImageDataset(dataset.pixels[::-1], dataset.names))) == len(dataset)


@pytest.mark.parametrize("encoder", ["set", "none"])
def test_other_ways_to_a_code(encoder, dataset):
    prior = fit_prior(dataset, PriorConfig(SIZE, encoder=encoder, **SMALL), steps=400, rate=2e-3, batch=64)
    held = unseen(prior, dataset)[:20]
    assert errors(prior, dataset, held, 60).mean() < 0.6 * dataset.pixels.std() ** 2 / 127.5**2
    assert prior.codes is None


def test_a_meta_learned_start_fits_in_a_handful_of_steps(dataset):
    from sinefield.tasks import fit

    prior = fit_prior(dataset, PriorConfig(SIZE, encoder="meta", **SMALL), steps=60, rate=2e-3)
    picture = dataset.signal(int(unseen(prior, dataset)[0]))
    like = beginning(prior, picture)
    plain = fit(picture, width=24, depth=1, omega=10.0, steps=10)
    assert fit(picture, like=like, steps=10).made["psnr_db"] > plain.made["psnr_db"] + 3
    with pytest.raises(InputError, match="no codes"):
        prior(torch.zeros(1, 16), grid(SIZE))


def test_learning_resumes_to_the_last_bit(dataset, tmp_path):
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


def test_a_prior_is_saved_and_read(prior, dataset, tmp_path):
    path = tmp_path / "blobs.safetensors"
    prior.save(path)
    again = load_prior(path)
    assert again.config == prior.config
    assert again.made["pictures"] == 400
    held = unseen(again, dataset)[:5]
    assert np.array_equal(errors(again, dataset, held, 20), errors(prior, dataset, held, 20))
    beginning(prior, dataset.signal(0)).save(tmp_path / "field.safetensors")
    with pytest.raises(InputError, match="holds a field; a prior is needed"):
        load_prior(tmp_path / "field.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError):
        load_prior(path)


def test_what_is_seen_of_a_large_picture_is_averaged_over_cells():
    picture = from_pixels(np.arange(64, dtype=np.uint8).reshape(8, 8, 1), "L")
    seen = np.zeros((8, 8), dtype=bool)
    seen[0, :2] = seen[7, 0] = True
    x, values = observed(picture, seen, 4)
    assert x.tolist() == [[[-0.75, -0.75], [0.75, -0.75]]]
    assert ((values[0, :, 0] + 1) * 127.5).tolist() == pytest.approx([0.5, 56])


def test_what_cannot_be_completed_is_refused(prior, dataset):
    picture = dataset.signal(0)
    everything = np.ones((SIZE, SIZE), dtype=bool)
    for bad, mask, message in (
        (picture, everything[:5], "the mask has the shape"),
        (picture, ~everything, "none of the picture is seen"),
        (squared(picture, SIZE, 3), everything, "1 channels, the picture of 3"),
        (from_pixels(np.zeros((4, 6, 1), np.uint8), "L"), np.ones((4, 6), dtype=bool), "completes squares"),
    ):
        with pytest.raises(InputError, match=message):
            inpaint(prior, bad, mask)
    with pytest.raises(InputError, match="no picture"):
        beginning(prior, from_array(np.zeros(5)))
    with pytest.raises(InputError, match="from 1 to 256 pixels"):
        random_mask(SIZE, 300, 0)
    for share in (0.0, 1.0, 1e-9):
        with pytest.raises(InputError, match="held out"):
            parted(100, share, 0)
    with pytest.raises(InputError, match="no encoder"):
        PriorConfig(encoder="lstm")


def test_the_verbs_of_a_prior(folder, tmp_path):
    model, options = tmp_path / "m.safetensors", ("--size", SIZE, "--width", 16, "--depth", 1, "--features", 16)
    made = report("prior", "fit", folder, "-o", model, *options, "--steps", 12, "--log-dir", tmp_path / "log")
    assert made["pictures"] == 40
    events = EventAccumulator(str(tmp_path / "log")).Reload()
    assert {scalar.step for scalar in events.Scalars("held_out")} == {12}
    assert events.Tags()["images"] == ["held_out"]
    assert report("prior", "evaluate", model, folder)["context"] == [10, 100]
    table = report("prior", "evaluate", model, folder, "--context", "10,50", "-o", tmp_path / "sheet.png")
    assert (table["pictures"], table["held_out"]) == (4, True)
    assert set(table["mse"]) == {"prior", "nearest neighbour", "radial basis functions"}
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


def test_the_verbs_of_a_prior_answer_in_one_line(folder, tmp_path):
    Image.new("L", (9, 9)).save(tmp_path / "mask.png")
    Prior(PriorConfig(SIZE, **SMALL)).save(tmp_path / "m.safetensors")
    complete = ("prior", "inpaint", tmp_path / "m.safetensors", folder / "01.png", "-o", tmp_path / "o.png")
    for arguments, message in (
        (("prior", "fit", tmp_path / "nowhere"), "no folder"),
        (("prior", "fit", folder, "--encoder", "rnn", "-o", tmp_path / "x.safetensors"), "no encoder"),
        (("prior", "fit", folder, "--head", "big", "-o", tmp_path / "x.safetensors"), "no head"),
        ((*complete, "--mask", tmp_path / "mask.png"), "the mask"),
        ((*complete, "--mask", tmp_path / "mask.png", "--keep", "5"), "--keep is not for"),
        ((*complete, "--keep", "5000"), "from 1 to 256 pixels"),
        (("prior", "evaluate", tmp_path / "m.safetensors", folder, "--context", "ten"), "no list of numbers"),
        ((*complete, "--seeds", "2", "-o", tmp_path / "o.safetensors"), "a sheet of pictures"),
        (("prior", "evaluate", tmp_path / "m.safetensors", folder, "--context", "1000"), "have 256 pixels"),
        (("prior", "fit", folder, "--rate", "nan", "-o", tmp_path / "x.safetensors"), "a positive number"),
        (("prior", "sample", tmp_path / "m.safetensors", "-o", "s.png", "--seed", 2**64), "--seed"),
        (("fit", folder / "01.png", "--prior", tmp_path / "m.safetensors", "--activation", "relu"), "of sine"),
        (("fit-many", folder, "-o", tmp_path / "many", "--size", "big"), "no size"),
        (("prior", "sample", folder / "01.png", "-o", tmp_path / "o.png"), "no sinefield file"),
    ):
        done = run(*arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert message in done.stderr.splitlines()[-1]
        assert not (tmp_path / "o.png").exists()
