"""Arrays and their coordinates."""

import numpy as np
import pytest
from scipy.stats import chisquare

import sinefield as sf
from sinefield.domain import box, from_samples, stretched
from sinefield.errors import InputError
from sinefield.field.evaluate import window
from sinefield.sampling.data import gather, ordered_batches, random_batches, split_holdout
from sinefield.sampling.permutation import Permutation


def test_samples_sit_where_the_user_says():
    values = np.arange(12.0).reshape(3, 4)
    signal = sf.from_array(values, origin=(10, -1), step=(2, 0.5), axes=("t", "x"), units=("s", "m"))
    batch = gather(signal, np.array([0, 5, 11]))
    assert batch.x.tolist() == [[10, -1], [12, -0.5], [14, 0.5]]
    assert np.allclose(batch.target[:, 0] * 5.5 + 5.5, [0, 5, 11])
    centers = signal.header.domain.centers((3, 4))
    assert np.allclose(centers[0], [10, 12, 14])


def test_axes_of_one_unit_share_a_scale():
    assert from_samples((10, 40), units=("px", "px")).half_extent == (20, 20)
    assert from_samples((10, 40), units=("s", "px")).half_extent == (5, 20)
    assert from_samples((10, 40), units=("", "")).half_extent == (5, 20)
    assert sf.from_array(np.zeros((10, 40))).header.domain.half_extent == (20, 20)
    assert sf.from_array(np.zeros((10, 40)), step=(1, 1)).header.domain.half_extent == (5, 20)


def test_the_official_grid_puts_the_first_and_last_sample_at_one():
    domain = from_samples((5, 9), units=("px", "px"))
    placed = stretched(domain, (5, 9))
    for axis, center, half in zip(domain.centers((5, 9)), placed.center, placed.half_extent, strict=True):
        assert np.allclose((axis - center) / half, np.linspace(-1, 1, len(axis)))


@pytest.mark.parametrize(
    ("values", "options", "says"),
    [
        (np.array(["a"]), {}, "real numbers"),
        (np.zeros(3, complex), {}, "real numbers"),
        (np.zeros((0, 3)), {}, "no samples"),
        (np.float64(3.0), {}, "no samples"),
        (np.array([1.0, np.nan, np.inf]), {}, "2 NaN or infinite"),
        (np.zeros((2, 3)), {"channel_axis": 2}, "no channel axis"),
        (np.zeros((2, 3)), {"step": (1.0,)}, "step has 1 entries"),
        (np.zeros((2, 3)), {"step": (1.0, -1.0)}, "positive"),
        (np.zeros((2, 3)), {"units": ("m",)}, "units has 1 entries"),
        (np.zeros((2, 3)), {"origin": (0.0, np.nan)}, "finite"),
        ([[1.0], [1.0, 2.0]], {}, "regular"),
    ],
)
def test_arrays_that_cannot_be_used_are_refused(values, options, says):
    with pytest.raises(InputError, match=says):
        sf.from_array(values, **options)


def test_a_box_must_be_a_box():
    with pytest.raises(InputError, match="smaller"):
        box((0, 1), (1, 1))
    with pytest.raises(InputError, match="same length"):
        box((0, 1), (1,))


def test_a_pass_takes_every_sample_once_and_depends_on_the_step_alone():
    signal = sf.from_array(np.arange(100.0))
    sampler, again = random_batches(signal, 10, seed=3), random_batches(signal, 10, seed=3)
    passes = [np.sort(np.concatenate([sampler(step).x[:, 0] for step in range(k, k + 10)])) for k in (0, 10)]
    assert all(np.array_equal(each, np.arange(100)) for each in passes)
    assert not np.array_equal(sampler(0).x, sampler(10).x)
    assert all(np.array_equal(again(step).x, sampler(step).x) for step in (17, 3, 12))
    assert not np.array_equal(random_batches(signal, 10, seed=4)(0).x, sampler(0).x)


def test_a_batch_of_the_size_of_the_signal_is_the_signal_in_order():
    signal = sf.from_array(np.arange(7.0))
    for size in (None, 7, 100):
        assert random_batches(signal, size)(5).x[:, 0].tolist() == list(range(7))


def test_held_out_samples_are_never_drawn():
    signal = sf.from_array(np.arange(60.0))
    seen, unseen = split_holdout(signal, 0.25, seed=1)
    assert sorted([*seen[:], *unseen[:]]) == list(range(60))
    assert len(unseen) == 15
    drawn = {int(x) for step in range(9) for x in random_batches(signal, 5, indices=seen)(step).x[:, 0]}
    assert drawn == set(seen[:].tolist())
    assert [len(batch.x) for batch in ordered_batches(signal, 4, indices=unseen)] == [4, 4, 4, 3]
    assert not np.array_equal(split_holdout(signal, 0.25, seed=2)[1][:], unseen[:])
    for share in (-0.1, 1.0, 0.001):
        with pytest.raises(InputError, match="holdout"):
            split_holdout(signal, share, seed=0)


def test_a_crop_is_a_slice():
    signal = sf.from_array(np.zeros((20, 30)), origin=(100, 0), step=(10, 1))
    domain, shape = window(signal.header, crop=[(120, 160), (None, 7)])
    assert shape == (4, 7)
    assert np.allclose(domain.centers(shape)[0], [120, 130, 140, 150])
    assert np.allclose(domain.centers(shape)[1], np.arange(7))
    assert window(signal.header, crop=[(None, None), (0, 10)], scale=2)[1] == (40, 20)
    for crop in ([(120, 120), (None, None)], [(0, 150), (None, None)], [(None, None)], [(None, 301), (None, None)]):
        with pytest.raises(InputError, match="crop"):
            window(signal.header, crop=crop)


def test_a_crop_between_samples_takes_the_samples_in_it():
    header = sf.from_array(np.zeros(10)).header
    for crop, taken in (((0.5, 3.2), [1, 2, 3]), ((0, 0.5), [0]), ((0, 2.5), [0, 1, 2])):
        domain, shape = window(header, crop=[crop])
        assert np.allclose(domain.centers(shape)[0], taken)
        assert window(header, crop=[crop], scale=4)[1] == (4 * len(taken),)


def test_a_size_is_the_longest_side_or_every_side():
    header = sf.signals.image.from_pixels(np.zeros((96, 160, 1), np.uint8), "L").header
    assert window(header, size=80)[1] == (48, 80)
    assert window(header, size=(10, 20))[1] == (10, 20)
    assert window(header, scale=0.5)[1] == (48, 80)
    assert window(header)[1] == (96, 160)
    for wrong in (
        {"size": 0},
        {"size": (1, 2, 3)},
        {"scale": -1.0},
        {"size": 5, "scale": 2.0},
        {"scale": float("nan")},
    ):
        with pytest.raises(InputError):
            window(header, **wrong)


def test_an_order_holds_every_number_once():
    for count in (*range(1, 40), 255, 256, 257, 1000):
        assert sorted(Permutation(count, (3,))[:].tolist()) == list(range(count))
    few = Permutation(2**40, (1, 2))[:1000]  # of more numbers than fit the memory
    assert len(set(few.tolist())) == 1000
    assert few.min() >= 0
    assert few.max() < 2**40
    assert not np.array_equal(few, Permutation(2**40, (1, 3))[:1000])


def test_an_order_is_uniform():
    # where number 0 … 15 of 16 comes to lie over many seeds, and how often a number follows its predecessor
    at = np.array([Permutation(16, (seed, 7))[:] for seed in range(4000)])
    counts = np.stack([np.bincount(column, minlength=16) for column in at.T])
    assert chisquare(counts, axis=1).pvalue.min() > 1e-4
    follows = (np.diff(at, axis=1) == 1).mean()
    assert follows == pytest.approx(1 / 16, rel=0.05)


def test_a_crop_of_a_signal_keeps_its_coordinates():
    signal = sf.from_array(np.arange(600.0).reshape(20, 30), origin=(100, 0), step=(10, 1))
    part = sf.crop(signal, [(120, 160), (None, 7)])
    assert np.array_equal(part.samples, signal.samples[2:6, :7])
    assert np.allclose(part.at(np.array([0, 27]))[0], [[120, 0], [150, 6]])
    for crop, says in (([(0, 50), (None, None)], "outside axis 'x0'"), ([(None, None)], "1 ranges")):
        with pytest.raises(sf.InputError, match=says):
            sf.crop(signal, crop)


def test_a_crop_of_scattered_samples_is_what_lies_inside():
    coords = np.random.default_rng(0).random((500, 2))
    part = sf.crop(sf.from_points(coords, coords[:, 0]), [(0.2, 0.5), (None, 0.9)])
    inside = (coords[:, 0] >= 0.2) & (coords[:, 0] < 0.5) & (coords[:, 1] < 0.9)
    assert np.array_equal(part.coords, coords[inside])
    assert np.array_equal(part.samples, coords[inside, 0])
    with pytest.raises(sf.InputError, match="no sample"):
        sf.crop(part, [(0.6, 0.7), (None, None)])


def test_a_view_of_a_mapped_array_is_not_copied(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(10_000, dtype=np.float32).reshape(100, 100))
    part = sf.crop(sf.from_array(np.load(tmp_path / "a.npy", mmap_mode="r")), [(10, 20), (30, 50)])
    assert part.values.base is not None
    x, values = part.at(np.array([0, 21]))
    assert x.tolist() == [[10, 30], [11, 31]]
    assert values[:, 0].tolist() == [1030, 1131]
