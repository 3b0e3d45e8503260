import numpy as np
import pytest
import torch
from PIL import Image
from test_quant_cifar import folder as cifar_folder
from test_quant_imagenet import folder as imagenet_folder

from golden.errors import InputError
from quant.data import Split
from quant.files import dataset, pictures


def npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def pixels(n=40, shape=(6, 5), seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)


def classes(n=40):
    return np.arange(n) % 4


def test_a_tenth_is_held_out_and_the_tenth_before_it_tests(tmp_path):
    x, y = pixels(), classes()
    found = dataset(npz(tmp_path / "d.npz", x=x, y=y))
    assert [len(part) for part in (found.train, found.held_out, found.test)] == [32, 4, 4]
    assert found.train.images.shape == (32, 1, 6, 5) and found.train.images.dtype == torch.uint8
    every = torch.cat([found.train.images, found.test.images, found.held_out.images])
    labels = torch.cat([found.train.labels, found.test.labels, found.held_out.labels])
    order = [int(np.flatnonzero((x == image[0].numpy()).all((1, 2)))[0]) for image in every]
    assert sorted(order) == list(range(40)) and order != list(range(40))
    assert labels.tolist() == [y[i] for i in order]
    again = dataset(tmp_path / "d.npz")
    assert torch.equal(again.train.images, found.train.images) and again.digest == found.digest
    other = dataset(tmp_path / "d.npz", seed=1)
    assert not torch.equal(other.train.images, found.train.images) and other.digest != found.digest


def test_test_images_of_the_file_stay_the_test_images(tmp_path):
    path = npz(tmp_path / "d.npz", x=pixels(), y=classes(), x_test=pixels(7, seed=1), y_test=classes(7))
    found = dataset(path)
    assert [len(part) for part in (found.train, found.held_out, found.test)] == [36, 4, 7]
    assert np.array_equal(found.test.images[:, 0].numpy(), pixels(7, seed=1))
    assert found.test.labels.tolist() == [0, 1, 2, 3, 0, 1, 2]


def test_training_takes_pixels_alone(tmp_path):
    path = npz(tmp_path / "d.npz", x=pixels(), y=classes())
    found, plain = pictures(path), dataset(path)
    assert isinstance(found.train, Split) and torch.equal(found.train.images, plain.train.images)
    assert found.digest == plain.digest
    reals = pixels().astype(np.float32)
    with pytest.raises(InputError, match=r"images must be uint8 \[N, C, H, W\], not torch.float32 \[32, 1, 6, 5\]"):
        pictures(npz(tmp_path / "f.npz", x=reals, y=classes()))
    with pytest.raises(InputError, match=r"images must be uint8 \[N, C, H, W\], not torch.float32 \[32, 30\]"):
        pictures(npz(tmp_path / "g.npz", x=reals.reshape(40, -1), y=classes()))


@pytest.mark.parametrize(
    "shape, wanted", [((6, 5, 3), (3, 6, 5)), ((3, 6, 5), (3, 6, 5)), ((6, 5, 1), (1, 6, 5)), ((6, 5), (1, 6, 5))]
)
def test_channels_come_first(tmp_path, shape, wanted):
    x = pixels(20, shape)
    found = dataset(npz(tmp_path / "d.npz", x=x, y=classes(20)))
    assert found.train.images.shape[1:] == wanted
    moved = np.moveaxis(x, -1, 1) if shape == (6, 5, 3) else x.reshape(20, *wanted)
    assert any(np.array_equal(found.test.images[0].numpy(), image) for image in moved)


def test_floats_and_features(tmp_path):
    x = np.random.default_rng(0).normal(size=(30, 8))
    found = dataset(npz(tmp_path / "d.npz", x=x, y=classes(30).astype(np.uint8)))
    assert found.train.images.dtype == torch.float32 and found.train.images.shape == (24, 8)
    assert found.train.labels.dtype == torch.int64


def test_a_folder_of_images_is_a_class_a_folder(tmp_path):
    for label, name in enumerate(("cat", "dog")):
        (tmp_path / name).mkdir()
        for i in range(10):
            Image.fromarray(np.full((4, 3), 100 * label + i, np.uint8)).save(tmp_path / name / f"{i}.png")
        (tmp_path / name / "notes.txt").write_text("no image")
    found = dataset(tmp_path)
    assert found.train.images.shape == (16, 1, 4, 3)
    for part in (found.train, found.held_out, found.test):
        assert torch.equal(part.images[:, 0, 0, 0] >= 100, part.labels == 1)
    Image.fromarray(np.zeros((4, 3, 3), np.uint8)).save(tmp_path / "dog" / "colour.png")
    assert dataset(tmp_path).train.images.shape[1:] == (3, 4, 3)
    Image.fromarray(np.zeros((5, 3), np.uint8)).save(tmp_path / "dog" / "tall.png")
    with pytest.raises(InputError, match=r"must have one size; tall.png is \(3, 5\)$"):
        dataset(tmp_path)
    (tmp_path / "dog" / "tall.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="tall.png is no image that can be read$"):
        dataset(tmp_path)


def test_known_data_sets(tmp_path):
    assert isinstance(dataset("mnist").train, Split) and len(dataset("mnist").test) == 10_000
    with pytest.raises(InputError, match="a folder of CIFAR-10 holds"):
        (tmp_path / "data_batch_1.bin").write_bytes(bytes(3073))
        dataset(tmp_path)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"x": pixels()}, "must hold x and y, not x"),
        ({"x": pixels(), "y": classes(39)}, "y of {path} must be 40 integers, not int64 [39]"),
        ({"x": pixels(), "y": classes() / 2}, "y of {path} must be 40 integers, not float64 [40]"),
        ({"x": pixels(), "y": classes() - 1}, "y of {path} must hold classes from 0 up, not -1"),
        ({"x": pixels().astype(int), "y": classes()}, "x of {path} must hold uint8 pixels or floats, not int64"),
        ({"x": pixels()[0, 0], "y": classes(5)}, "x of {path} must be images or features [N, ...], not [5]"),
        ({"x": np.full((40, 3), np.nan), "y": classes()}, "x of {path} must be finite; NaN or infinity is among it"),
        ({"x": pixels(9), "y": classes(9)}, "{path} holds 9 examples; at least 10 are needed"),
        ({"x": pixels(0), "y": classes(0)}, "{path} holds 0 examples; at least 10 are needed"),
        (
            {"x": pixels(), "y": classes(), "x_test": pixels(5)},
            "{path} must hold both of x_test and y_test, or neither, not x_test alone",
        ),
        (
            {"x": pixels(), "y": classes(), "x_test": pixels(4, (5, 5)), "y_test": classes(4)},
            "x_test of {path} must be like x, not uint8 [4, 1, 5, 5]",
        ),
    ],
)
def test_refused_arrays(tmp_path, arrays, message):
    path = npz(tmp_path / "d.npz", **arrays)
    with pytest.raises(InputError) as error:
        dataset(path)
    assert message.format(path=path) in str(error.value) and "\n" not in str(error.value)


def test_refused_names(tmp_path):
    with pytest.raises(
        InputError, match="^data must be mnist, fashion-mnist, an .npz file with x and y, a folder.*, not 'digits'$"
    ):
        dataset("digits")
    with pytest.raises(InputError, match="none.npz: No such file or directory$"):
        dataset(tmp_path / "none.npz")
    (tmp_path / "bad.npz").write_bytes(b"nothing")
    with pytest.raises(InputError, match="bad.npz: it is no npz file of plain arrays$"):
        dataset(tmp_path / "bad.npz")
    with pytest.raises(InputError, match="holds no folder with images; data must be mnist"):
        dataset(tmp_path)


def test_known_sets_are_found_by_their_name_or_by_what_a_folder_holds(tmp_path):
    assert dataset("mnist").train.images.shape == dataset("fashion-mnist").train.images.shape == (55_000, 1, 28, 28)
    assert dataset("mnist").digest != dataset("fashion-mnist").digest
    for name, make, shape in (("c", cifar_folder, (36, 3, 32, 32)), ("i", imagenet_folder, (18, 3, 224, 224))):
        (tmp_path / name).mkdir()
        assert dataset(make(tmp_path / name)).train.images.shape == shape


def test_damaged_files_are_refused(tmp_path):
    np.savez_compressed(tmp_path / "d.npz", x=pixels(), y=classes())
    whole = (tmp_path / "d.npz").read_bytes()
    for damaged in (whole[:200], whole[:80] + bytes(x ^ 0xFF for x in whole[80:160]) + whole[160:]):
        (tmp_path / "d.npz").write_bytes(damaged)
        with pytest.raises(InputError, match="cannot read .*d.npz: it is no npz file of plain arrays$"):
            dataset(tmp_path / "d.npz")


def test_a_folder_with_some_files_of_cifar_10_is_told_what_it_lacks(tmp_path):
    cifar_folder(tmp_path)
    (tmp_path / "data_batch_1.bin").unlink()
    with pytest.raises(InputError, match="cannot read .*data_batch_1.bin: No such file or directory; a folder of CIFAR-10"):
        dataset(tmp_path)
