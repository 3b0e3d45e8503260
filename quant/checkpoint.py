"""A training run on disk, from which it goes on as if it had not been interrupted."""

import pickle
import time
from pathlib import Path

import torch

from golden.errors import InputError, replacing

__all__ = ["Checkpoint", "load_matching"]

SECONDS = 60.0  # between two checkpoints: what an interruption costs at most


class Checkpoint:
    """The file of a run; it is written to another name and renamed, so that it is whole at any time.

    Parameters
    ----------
    path : path
    key : str
        Of everything that decides the run.
    title : str
        The run in a few words.
    seconds : float
        Between two checkpoints.
    """

    def __init__(self, path, key, title, seconds=SECONDS):
        self.path, self.key, self.title, self.seconds = Path(path), key, title, seconds
        self.saved, self.parts = time.monotonic(), []

    def part(self, name):
        """The checkpoint of one of several trainings that make up the run."""
        path = self.path.with_name(f"{self.path.stem}-{name}{self.path.suffix}")
        self.parts.append(Checkpoint(path, self.key, f"{self.title}, {name}", self.seconds))
        return self.parts[-1]

    @property
    def due(self):
        """Whether it is time for one."""
        return time.monotonic() - self.saved >= self.seconds

    def save(self, state):
        """Write `state`, plain values and tensors."""
        with replacing(self.path) as temporary:
            torch.save({"key": self.key, "title": self.title, "state": state}, temporary)
        self.saved = time.monotonic()

    def load(self):
        """What `save` wrote, or None if there is no file.

        Raises
        ------
        InputError
            If the file is no checkpoint, or that of another run.
        """
        try:
            found = torch.load(self.path, weights_only=True)
            key, title, state = (found[name] for name in ("key", "title", "state"))
        except FileNotFoundError:
            return None
        except (OSError, RuntimeError, EOFError, KeyError, TypeError, ValueError, pickle.UnpicklingError):
            raise InputError(f"{self.path} is no checkpoint; remove it to train {self.title} from the start") from None
        if key != self.key:
            other = title if title != self.title else f"{title} with other settings, data or code"
            raise InputError(f"{self.path} is a checkpoint of {other}, not of {self.title}")
        return state

    def remove(self):
        """Delete the file and those of all parts, if they are there: what the run made is stored."""
        for each in (self, *self.parts):
            each.path.unlink(missing_ok=True)


def load_matching(model, state, what):
    """Load `state` into `model`.

    Raises
    ------
    InputError
        If its tensors are not those of the model by name and shape; the message calls it `what`.
    """
    wanted = {name: tuple(x.shape) for name, x in model.state_dict().items()}
    found = {name: tuple(x.shape) for name, x in state.items()}
    for name in (*wanted, *found):
        if wanted.get(name) != found.get(name):
            has, needs = (f"{name} {list(s[name])}" if name in s else f"no {name}" for s in (found, wanted))
            raise InputError(f"{what} is of another network: it has {has}, this one {needs}")
    model.load_state_dict(state)
