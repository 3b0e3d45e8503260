"""ImageNet, or any set of photographs in folders of classes, read from the disk as training asks for them."""

import hashlib
from pathlib import Path

import numpy as np
import torch

from golden.errors import InputError
from quant.data import HELD_OUT, Dataset, Split

__all__ = ["PARTS", "SIZE", "Files", "imagenet", "is_imagenet"]

PARTS = ("train", "val")
SIZE, SHORTER = 224, 256  # pixels: of the square that is cut out, and of the shorter side before
SUFFIXES = (".jpeg", ".jpg", ".png")


class Files:
    """Images in files, in place of a uint8 tensor [N, 3, `size`, `size`] that would not fit into memory.

    Each is resized so that its shorter side has ``size * 256 / 224`` pixels, and the square in its middle is taken: the
    single crop by which ImageNet is scored.

    Parameters
    ----------
    paths : list of Path
    size : int
        Pixels of a side.
    """

    dtype, ndim = torch.uint8, 4

    def __init__(self, paths, size=SIZE):
        self.paths, self.size = paths, size

    @property
    def shape(self):
        """As of a tensor."""
        return torch.Size((len(self.paths), 3, self.size, self.size))

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        """`Files` of a slice; the images of a tensor of indices."""
        if isinstance(index, slice):
            return Files(self.paths[index], self.size)
        return torch.stack([self.image(self.paths[i]) for i in index.tolist()])

    def split(self, count):
        """Yield the images, `count` at a time."""
        for start in range(0, len(self), count):
            yield self[torch.arange(start, min(start + count, len(self)))]

    def image(self, path):
        """The image in one file; `InputError` if it cannot be read."""
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(path) as image:
                image = image.convert("RGB")
        except (UnidentifiedImageError, OSError):
            raise InputError(f"{path} is no image that can be read") from None
        scale = self.size * SHORTER / SIZE / min(image.size)
        image = image.resize([max(self.size, round(side * scale)) for side in image.size], Image.Resampling.BILINEAR)
        left, top = ((side - self.size) // 2 for side in image.size)
        pixels = np.asarray(image.crop((left, top, left + self.size, top + self.size)))
        return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def is_imagenet(folder):
    """Whether a folder is meant to be ImageNet's: it holds train or val."""
    return any((Path(folder) / part).is_dir() for part in PARTS)


def listed(folder, part):
    """{class: its files, in the order of their names} of one part."""
    root = Path(folder) / part
    if not root.is_dir():
        raise InputError(f"{folder} holds no {part}; a folder of ImageNet holds train and val, with a folder a class")
    classes = {}
    for entry in sorted(root.iterdir()):
        if entry.is_dir() and not entry.name.startswith("."):
            classes[entry.name] = [file for file in sorted(entry.iterdir()) if file.suffix.lower() in SUFFIXES]
            if not classes[entry.name]:
                raise InputError(f"{entry} holds no image; allowed: {', '.join(SUFFIXES)}")
    if len(classes) < 2:
        raise InputError(f"{root} must hold a folder for each of at least 2 classes, not {len(classes)}")
    return classes


def imagenet(folder, size=SIZE):
    """ImageNet from a folder with ``train`` and ``val``, each with a folder of images a class; classes by their names.

    A tenth of the training images, at most `HELD_OUT`, drawn once and for all, is held out; val is the test set. The
    digest is of names and sizes of the files, not of what they hold.

    Parameters
    ----------
    size : int
        Pixels of a side.

    Raises
    ------
    InputError
        If a part is missing or empty, or the two have different classes; when it is read, if a file is no image.
    """
    train, test = (listed(folder, part) for part in PARTS)
    if odd := sorted(set(train) ^ set(test)):
        part, other = PARTS if odd[0] in train else PARTS[::-1]
        raise InputError(f"{folder} has class {odd[0]} in {part} and not in {other}")
    digest = hashlib.sha256(f"{size}".encode())
    splits = []
    for classes in (train, test):
        files = [(file, label) for label, found in enumerate(classes.values()) for file in found]
        for file, _ in files:
            digest.update(f"{file.relative_to(folder)} {file.stat().st_size}\n".encode())
        if classes is train:
            order = np.random.Generator(np.random.Philox(0)).permutation(len(files))
            files = [files[i] for i in order]
        splits.append(Split(Files([file for file, _ in files], size), torch.tensor([label for _, label in files])))
    every, few = splits[0], min(HELD_OUT, len(splits[0]) // 10)
    if few == 0:
        raise InputError(f"{folder} holds {len(every)} training images; at least 10 are needed")
    return Dataset(every[:-few], every[-few:], splits[1], digest.hexdigest())
