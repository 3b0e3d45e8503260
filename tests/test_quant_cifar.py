import os
import pickle

import numpy as np
import pytest
import torch

from golden.errors import InputError
from quant.cifar import TEST, TRAIN, Cifar10Full, cifar10
from quant.settings import Settings
from quant.train import fit, reproducible


def folder(path, images=8):
    """A folder with `images` random images a file."""
    rng = np.random.default_rng(1)
    for name in TRAIN + TEST:
        records = rng.integers(0, 256, (images, 3073), np.uint8)
        records[:, 0] = rng.integers(0, 10, images)
        records.tofile(path / name)
    return path


def test_images_labels_and_splits(tmp_path):
    data = cifar10(folder(tmp_path))
    assert (len(data.train), len(data.held_out), len(data.test)) == (36, 4, 8)
    first = np.fromfile(tmp_path / TRAIN[0], np.uint8)
    assert int(data.train.labels[0]) == first[0]
    assert np.array_equal(data.train.images[0].numpy().ravel(), first[1:3073])
    last = np.fromfile(tmp_path / TRAIN[-1], np.uint8)
    assert np.array_equal(data.held_out.images[-1].numpy().ravel(), last[-3072:])
    other = np.fromfile(tmp_path / TEST[0], np.uint8)
    other[5] ^= 1
    other.tofile(tmp_path / TEST[0])
    assert cifar10(tmp_path).digest != data.digest


def pickled(source, target, edit=lambda found: found):
    """The records of a binary folder as the Python version has them."""
    for name in TRAIN + TEST:
        records = np.fromfile(source / name, np.uint8).reshape(-1, 3073)
        found = edit({b"labels": records[:, 0].tolist(), b"data": records[:, 1:].copy(), b"batch_label": b"a batch"})
        (target / name.removesuffix(".bin")).write_bytes(pickle.dumps(found, protocol=4))
    return target


def test_the_python_version_is_the_same_data(tmp_path):
    (tmp_path / "python").mkdir()
    one, other = cifar10(folder(tmp_path)), cifar10(pickled(tmp_path, tmp_path / "python"))
    assert one.digest == other.digest and torch.equal(one.train.images, other.train.images)


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("never-made",)


@pytest.mark.parametrize(
    "edit",
    [
        lambda found: {b"labels": found[b"labels"]},
        lambda found: found | {b"data": found[b"data"][:, :-1]},
        lambda found: found | {b"labels": found[b"labels"][:-1]},
        lambda found: found | {b"extra": Malicious()},
        lambda found: [],
    ],
)
def test_other_pickles_are_refused_and_call_nothing(tmp_path, monkeypatch, edit):
    (tmp_path / "python").mkdir()
    pickled(folder(tmp_path), tmp_path / "python", edit)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="data_batch_1 must be a pickled dictionary with labels"):
        cifar10(tmp_path / "python")
    assert not (tmp_path / "never-made").exists()


def test_wrong_folders_are_refused(tmp_path):
    with pytest.raises(
        InputError, match="data_batch_1.bin: No such file or directory; a folder of CIFAR-10 holds data"
    ):
        cifar10(tmp_path)
    folder(tmp_path)
    (tmp_path / TRAIN[2]).write_bytes(b"123")
    with pytest.raises(InputError, match="data_batch_3.bin must hold records of 3073 bytes, not 3 bytes"):
        cifar10(tmp_path)
    (tmp_path / TRAIN[2]).write_bytes(bytes([10] + [0] * 3072))
    with pytest.raises(InputError, match="must be 0 to 9, not 10"):
        cifar10(tmp_path)
    for name in TRAIN:
        (tmp_path / name).write_bytes(bytes(3073))
    with pytest.raises(InputError, match="holds 5 training images; at least 10 are needed"):
        cifar10(tmp_path)


def test_the_network_has_the_published_shape_and_learns(tmp_path):
    data = cifar10(folder(tmp_path))
    with reproducible(0) as generator:
        model = Cifar10Full()
        trained = fit(model, data, Settings(epochs=6, batch=12), generator, "cifar10", progress=False)
    assert sum(layer.weight.numel() for layer in (model.conv1, model.conv2, model.conv3)) == 79_200
    assert model.ip1.weight.numel() == 10_240
    assert model(data.test.images).shape == (8, 10) and torch.isfinite(model(data.test.images)).all()
    assert trained.history[-1]["loss"] < trained.history[0]["loss"]
