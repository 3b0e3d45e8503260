"""Which images a study trains on, and which it reads at the end."""

import dataclasses
import functools

from torch.nn import functional

from golden.layer_tables import fitted
from quant.data import Dataset, Split
from quant.files import dataset

__all__ = ["Data"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Data:
    """Some or all images of a data set.

    Parameters
    ----------
    name : str
        As `quant.files.dataset` reads it: mnist, fashion-mnist, or a folder of the user's.
    train, held_out, test : int, optional
        The first so many images of each part; all by default.
    halved : bool
        Each square of four pixels becomes its mean, rounded: half as high and as wide.
    """

    name: str = "fashion-mnist"
    train: int | None = None
    held_out: int | None = None
    test: int | None = None
    halved: bool = False

    def load(self):
        """The `Dataset`; once in a process."""
        return load(self)

    def network(self, name, **sizes):
        """The text of a network for these images, as `golden.layer_tables.topology` reads it.

        Parameters
        ----------
        sizes
            ``width`` and ``first``, as numbers.
        """
        found = self.load()
        text = f"{name}:{','.join(f'{size}={value}' for size, value in sizes.items())}"
        return fitted(text, found.train.images.shape[1:], int(found.train.labels.max()) + 1)

    @property
    def title(self):
        """In a few words."""
        found = self.load()
        half = ", every four pixels made one" if self.halved else ""
        parts = f"{len(found.train):,} images to train on, {len(found.held_out):,} held out, {len(found.test):,} to test"
        return f"{self.name}{half}: {parts}"


@functools.cache
def load(data):
    """See `Data.load`."""
    whole = dataset(data.name)
    if data == Data(name=data.name):
        return whole
    parts = [part[:count] for part, count in zip((whole.train, whole.held_out, whole.test), counts(data), strict=True)]
    if data.halved:
        parts = [Split(halves(part.images), part.labels) for part in parts]
    return Dataset(*parts, f"{whole.digest} {counts(data)} {data.halved}")


def counts(data):
    """Images of each part, None for all."""
    return data.train, data.held_out, data.test


def halves(images):
    """`images` at half their height and width; means of four, to even."""
    return functional.avg_pool2d(images.float(), 2).round().to(images.dtype)
