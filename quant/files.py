"""A user's labelled data: an npz file, a folder of images, or a data set that the project knows."""

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from golden.errors import InputError
from quant.cifar import cifar10, is_cifar10
from quant.data import HELD_OUT, Dataset, Split, fashion_mnist, mnist
from quant.imagenet import imagenet, is_imagenet

__all__ = ["CHANNELS", "NAMED", "Samples", "dataset", "pictures"]

NAMED = {"mnist": mnist, "fashion-mnist": fashion_mnist}
FOLDERS = ((is_cifar10, cifar10), (is_imagenet, imagenet))  # what tells one by what it holds, and what reads it

CHANNELS = (1, 3)  # of images
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".pgm", ".ppm", ".tif", ".tiff", ".webp")
ALLOWED = (
    "mnist, fashion-mnist, an .npz file with x and y, a folder of CIFAR-10 or ImageNet, "
    "or one with a folder of images a class"
)
LEAST = 10  # so that a tenth is something


@dataclass(frozen=True)
class Samples:
    """Inputs and their classes: `quant.data.Split` for numbers of any kind.

    Parameters
    ----------
    images : uint8 or float32 tensor [N, C, H, W] or [N, features]
        Raw pixels or reals.
    labels : int64 tensor [N]
    """

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return Samples(self.images[index], self.labels[index])


def dataset(name, seed=0):
    """The `Dataset` that `name` says.

    It may be a row of `NAMED`; a folder of CIFAR-10's files is `quant.cifar.cifar10`, one that holds ``train`` or
    ``val`` is `quant.imagenet.imagenet`.

    An npz file holds ``x``, images [N, H, W], [N, C, H, W] or [N, H, W, C] as uint8 pixels or as floats, or float
    features [N, F], and ``y``, classes from 0 up [N]; ``x_test`` and ``y_test`` are the test images, if they are there.
    Any other folder holds one folder a class, in the order of their names, of images of one size.

    Examples are shuffled by `seed`. The last tenth, at most `HELD_OUT`, is held out; without test images, the tenth
    before it is the test set.

    Raises
    ------
    InputError
        If there is no such data, it is empty, or labels or shapes do not fit.
    """
    if name in NAMED:
        return NAMED[name]()
    path = Path(name)
    if path.is_dir():
        for meant, load in FOLDERS:
            if meant(path):
                return load(path)
        return split(*folder(path), None, name, seed)
    if path.suffix == ".npz":
        return split(*arrays(path), name, seed)
    raise InputError(f"data must be {ALLOWED}, not {str(name)!r}")


def pictures(name):
    """The `dataset` of that name, if it is one of uint8 images, as training needs; `InputError` if not."""
    found = dataset(name)
    parts = (Split(part.images, part.labels) for part in (found.train, found.held_out, found.test))
    return Dataset(*parts, found.digest)


def split(x, y, test, name, seed):
    """A `Dataset` of all examples and, if there are any, test examples (x, y)."""
    if len(x) < LEAST:
        raise InputError(f"{name} holds {len(x)} examples; at least {LEAST} are needed")
    digest = hashlib.sha256(f"{seed} {x.dtype} {x.shape}".encode())
    order = np.random.Generator(np.random.Philox(seed)).permutation(len(x))
    every = samples(x[order], y[order])
    few = min(HELD_OUT, len(x) // 10)
    rest, held_out = every[:-few], every[-few:]
    if test is None:
        rest, tested = rest[:-few], rest[-few:]
    else:
        tested = samples(*test)
        if tested.images.shape[1:] != every.images.shape[1:] or tested.images.dtype != every.images.dtype:
            raise InputError(f"x_test of {name} must be like x, not {test[0].dtype} {list(test[0].shape)}")
    for part in (x, y, *(test or ())):
        digest.update(np.ascontiguousarray(part))
    return Dataset(rest, held_out, tested, digest.hexdigest())


def samples(x, y):
    """`Samples` of arrays."""
    return Samples(torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(y.astype(np.int64)))


def arrays(path):
    """x, y and None or (x_test, y_test) of an npz file."""
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:  # numpy leaves what is cut open
            found = {key: file[key] for key in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "it is no npz file of plain arrays"
        raise InputError(f"cannot read {path}: {reason}") from None
    for key in ("x", "y"):
        if key not in found:
            raise InputError(f"{path} must hold x and y, not {', '.join(found) or 'nothing'}")
    if len(pair := [key for key in ("x_test", "y_test") if key in found]) == 1:
        raise InputError(f"{path} must hold both of x_test and y_test, or neither, not {pair[0]} alone")
    x, y = examples(found, "x", "y", path)
    return x, y, examples(found, "x_test", "y_test", path) if pair else None


def examples(found, x_name, y_name, path):
    """Inputs, channels first, and labels of the arrays `found`."""
    x, y = found[x_name], found[y_name]
    if x.dtype != np.uint8:
        if x.dtype.kind != "f":
            raise InputError(f"{x_name} of {path} must hold uint8 pixels or floats, not {x.dtype}")
        if not np.isfinite(x).all():
            raise InputError(f"{x_name} of {path} must be finite; NaN or infinity is among it")
        x = x.astype(np.float32)
    if x.ndim == 3:
        x = x[:, None]
    elif x.ndim == 4 and x.shape[1] not in CHANNELS and x.shape[3] in CHANNELS:
        x = np.moveaxis(x, 3, 1)
    elif x.ndim not in (2, 4):
        raise InputError(f"{x_name} of {path} must be images or features [N, ...], not {list(x.shape)}")
    if y.shape != x.shape[:1] or y.dtype.kind not in "iu":
        raise InputError(f"{y_name} of {path} must be {len(x)} integers, not {y.dtype} {list(y.shape)}")
    if len(y) and y.min() < 0:
        raise InputError(f"{y_name} of {path} must hold classes from 0 up, not {y.min()}")
    return x, y


def folder(path):
    """Images and labels of a folder; grey if all images are, colour otherwise."""
    from PIL import Image, UnidentifiedImageError

    names = sorted(entry.name for entry in path.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    files = [
        (file, label)
        for label, name in enumerate(names)
        for file in sorted((path / name).iterdir())
        if file.suffix.lower() in SUFFIXES
    ]
    if not files:
        raise InputError(f"{path} holds no folder with images; data must be {ALLOWED}")
    images = []
    for file, _ in files:
        try:
            with Image.open(file) as image:
                images.append(image.convert("L" if image.mode in ("1", "L") else "RGB"))
        except (UnidentifiedImageError, OSError):
            raise InputError(f"{file} is no image that can be read") from None
        if images[-1].size != images[0].size:
            raise InputError(f"images of {path} must have one size; {file.name} is {images[-1].size}")
    mode = "L" if all(image.mode == "L" for image in images) else "RGB"
    x = np.stack([np.asarray(image.convert(mode)) for image in images])
    return x[:, None] if mode == "L" else np.moveaxis(x, 3, 1), np.array([label for _, label in files])
