"""CIFAR-10 from a folder of the user's, and Caffe's "CIFAR-10 Full" network."""

import hashlib
import io
import pickle
from pathlib import Path

import numpy as np
import torch
from torch import nn

from golden.errors import InputError
from quant.data import HELD_OUT, Dataset, Split
from quant.models import PIXEL_UNIT
from quant.settings import Settings

__all__ = ["CIFAR10_FULL", "Cifar10Full", "cifar10", "is_cifar10"]

TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST = ("test_batch.bin",)
BINARY = TRAIN + TEST
PYTHON = tuple(Path(name).stem for name in BINARY)  # of the other version
SHAPE = (3, 32, 32)
RECORD = 1 + 3 * 32 * 32  # label, then the red, green and blue planes
CLASSES = 10

# Caffe's solver: 60,000 steps of 100 images, then twice 5,000 at a tenth of the rate. One rate that falls as a cosine
# stands for the three, over as many steps.
CIFAR10_FULL = Settings(epochs=155, batch=100, rate=1e-3, decay=1e-2, shift=2)


class Arrays(pickle.Unpickler):
    """Reads pickles of plain values and NumPy arrays; nothing else is ever called."""

    def find_class(self, module, name):
        if name == "_reconstruct" and module in ("numpy.core.multiarray", "numpy._core.multiarray"):
            return np.empty(0).__reduce__()[0]
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"{module}.{name}")


def binary(raw, path):
    """Records [N, `RECORD`] of the bytes of a file of the binary version."""
    if not raw or len(raw) % RECORD:
        raise InputError(f"{path} must hold records of {RECORD} bytes, not {len(raw)} bytes")
    return np.frombuffer(raw, np.uint8).reshape(-1, RECORD)


def pickled(raw, path):
    """Records of the bytes of a file of the Python version."""
    try:
        found = Arrays(io.BytesIO(raw), encoding="bytes").load()
        labels, data = np.array(found[b"labels"]), found[b"data"]
        if labels.ndim != 1 or data.dtype != np.uint8 or data.shape != (len(labels), RECORD - 1) or not labels.size:
            raise ValueError
        return np.column_stack([np.clip(labels, 0, 255).astype(np.uint8), data])
    except Exception:  # a pickle can fail in any way
        raise InputError(f"{path} must be a pickled dictionary with labels [N] and uint8 data [N, 3072]") from None


def read(folder, names):
    """The images and labels of the files `names`, as a `Split`."""
    parts = []
    for name in names:
        path = Path(folder) / name
        try:
            raw = path.read_bytes()
        except OSError as error:
            wanted = ", ".join(BINARY)
            allowed = f"a folder of CIFAR-10 holds {wanted}, or these without .bin"
            raise InputError(f"cannot read {path}: {error.strerror}; {allowed}") from None
        parts.append((binary if path.suffix else pickled)(raw, path))
    records = np.concatenate(parts)
    if records[:, 0].max() >= CLASSES:
        raise InputError(f"labels in {folder} must be 0 to {CLASSES - 1}, not {records[:, 0].max()}")
    images = torch.from_numpy(records[:, 1:].reshape(-1, *SHAPE).copy())
    return Split(images, torch.from_numpy(records[:, 0].astype(np.int64)))


def holds(folder, names):
    """Whether one of the files is there."""
    return any((Path(folder) / name).exists() for name in names)


def is_cifar10(folder):
    """Whether a folder is meant to be CIFAR-10's: it holds one of its files, in either version."""
    return holds(folder, (*BINARY, *PYTHON))


def cifar10(folder):
    """CIFAR-10, from the six files of its binary or of its Python version.

    The last tenth of the training images, at most `HELD_OUT`, is held out.

    Raises
    ------
    InputError
        If a file is missing, cut, or holds a label above 9.
    """
    plain = holds(folder, PYTHON) and not holds(folder, BINARY)
    train, test = (read(folder, [Path(name).stem for name in names] if plain else names) for names in (TRAIN, TEST))
    held_out = min(HELD_OUT, len(train) // 10)
    if held_out == 0:
        raise InputError(f"{folder} holds {len(train)} training images; at least 10 are needed")
    digest = hashlib.sha256()
    for split in (train, test):
        digest.update(split.images.numpy())
        digest.update(split.labels.numpy())
    return Dataset(train[:-held_out], train[-held_out:], test, digest.hexdigest())


class Cifar10Full(nn.Module):
    """Three convolutions, two local response normalisations and a dense layer.

    From uint8 images [N, 3, 32, 32] to logits [N, 10].

    Caffe normalises within a channel, over a 3 by 3 neighbourhood; torch and golden do so across 3 channels, which is
    taken instead. Input is the raw pixel without subtraction of the mean image.

    Source: Gysel, Ristretto, section 4.1, and Caffe's example cifar10_full.
    """

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 5, padding=2)
        self.conv2 = nn.Conv2d(32, 32, 5, padding=2)
        self.conv3 = nn.Conv2d(32, 64, 5, padding=2)
        self.ip1 = nn.Linear(1024, CLASSES)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.pool2 = nn.AvgPool2d(3, 2, ceil_mode=True)
        self.pool3 = nn.AvgPool2d(3, 2, ceil_mode=True)
        self.norm1 = nn.LocalResponseNorm(3, alpha=5e-5)
        self.norm2 = nn.LocalResponseNorm(3, alpha=5e-5)

    def forward(self, pixels):
        x = pixels.float() * PIXEL_UNIT
        x = self.norm1(self.pool1(self.conv1(x)).relu())
        x = self.norm2(self.pool2(self.conv2(x).relu()))
        x = self.pool3(self.conv3(x).relu())
        return self.ip1(x.flatten(1))
