"""A training run between two steps: everything that the next one depends on."""

import contextlib
import copy
import math
from dataclasses import dataclass, field

import numpy as np
import torch

from golden.errors import InputError
from quant.checkpoint import load_matching
from quant.data import fitting, flipped, shifted
from quant.losses import Outputs, loss, wrong
from quant.parallel import average, part, total, world
from quant.rectify import Rectifiers, thresholded
from quant.settings import RULES

__all__ = ["EVALUATION_BATCH", "Run", "Trained", "correct"]

EVALUATION_BATCH = 1000


@dataclass
class Trained:
    """A model in evaluation mode, and how it came about.

    Parameters
    ----------
    model : torch.nn.Module
        With the weights of the best epoch.
    epoch : int
        The best on held-out images, the later of equal ones, counted from 1; 0 if nothing was trained.
    held_out : float
        Its accuracy there.
    history : list of dict
        Of each epoch the mean loss, the share of training images that were wrong as they were seen ("error"), the
        accuracy on held-out images ("held_out") and the steps that were left out ("skipped").
    """

    model: torch.nn.Module
    epoch: int = 0
    held_out: float = 0.0
    history: list = field(default_factory=list)


@torch.no_grad()
def correct(model, split):
    """Images of `split` that `model`, in evaluation mode, puts in their class; ties go to the lowest class."""
    model.eval()
    count = fitting(split.images, EVALUATION_BATCH)
    batches = zip(split.images.split(count), split.labels.split(count), strict=True)
    return sum(int((model(images).argmax(1) == labels).sum()) for images, labels in batches)


def plain(state):
    """The state of a NumPy generator with lists for its arrays."""
    if isinstance(state, dict):
        return {name: plain(part) for name, part in state.items()}
    return state.tolist() if isinstance(state, np.ndarray | np.generic) else state


class Run:
    """A training run between two steps: everything that the next one depends on. Parameters are those of `fit`."""

    PLAIN = ("epoch", "step", "position", "latest", "loss", "wrong", "skipped", "factor", "least", "stalled")

    def __init__(self, model, dataset, settings, generator, title, teacher):
        self.model, self.dataset, self.settings, self.title = model, dataset, settings, title
        self.generator, self.teacher = generator, teacher
        self.per_epoch = len(dataset.train) // settings.batch
        if self.per_epoch == 0:
            raise InputError(f"{len(dataset.train)} training images do not fill a batch of {settings.batch}")
        if (teacher is None) != (settings.distillation is None):
            raise InputError("a teacher and a distillation must come together, not one without the other")
        if settings.relu_threshold and getattr(model, "quantised", False):
            raise InputError(f"relu_threshold of a network of integers must be 0, not {settings.relu_threshold}")
        self.mine = part(settings.batch)
        self.joint = teacher is not None and settings.distillation.scheme == "A"
        self.learning = [model, teacher] if self.joint else [model]
        self.parameters = [p for learner in self.learning for p in learner.parameters()]
        self.optimiser = RULES[settings.rule].optimiser(self.parameters, settings.rate, settings.decay)
        self.trained, self.best, self.order = Trained(model), None, None
        self.epoch, self.step, self.position = 1, 0, 0  # the last: steps of this epoch
        self.latest = math.nan  # the loss of the last step
        self.loss, self.wrong, self.skipped = 0.0, 0.0, 0  # of this epoch so far
        self.factor, self.least, self.stalled = 1.0, math.inf, 0  # of the rate; training error, epochs since

    @property
    def steps(self):
        """Of the whole run."""
        return self.settings.epochs * self.per_epoch

    @property
    def thresholds(self):
        """Whether rectifiers have their threshold by now."""
        return 0 < self.settings.threshold_epochs > self.settings.epochs - self.epoch

    @property
    def counted(self):
        """What layers count as they see images: statistics and ranges."""
        return [x for learner in self.learning for x in learner.buffers() if x.is_floating_point()]

    @property
    def rngs(self):
        """NumPy's generators in the networks: those of stochastic rounding."""
        parts = (part for learner in self.learning for part in learner.modules())
        return [part.rng for part in parts if hasattr(part, "rng")]

    def state(self):
        """All of it, as plain values and tensors."""
        found = {name: getattr(self, name) for name in self.PLAIN}
        found |= {"order": self.order, "best": self.best, "best_epoch": self.trained.epoch}
        found |= {"held_out": self.trained.held_out, "history": self.trained.history}
        found |= {"learning": [learner.state_dict() for learner in self.learning]}
        found |= {"optimiser": self.optimiser.state_dict()}
        found |= {"rngs": [plain(rng.bit_generator.state) for rng in self.rngs]}
        return found | {"generators": [self.generator.get_state(), torch.get_rng_state()]}

    def load(self, state, what):
        """Become the run that was in `state`; `InputError`, which calls it `what`, if it is of another network."""
        for learner, found in zip(self.learning, state["learning"], strict=True):
            load_matching(learner, found, what)
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generators"][0])
        torch.set_rng_state(state["generators"][1])
        for rng, found in zip(self.rngs, state["rngs"], strict=True):
            rng.bit_generator.state = found
        for name in (*self.PLAIN, "order", "best"):
            setattr(self, name, state[name])
        self.trained = Trained(self.model, state["best_epoch"], state["held_out"], state["history"])
        if self.thresholds:
            thresholded(self.model, self.settings.relu_threshold)

    def take(self):
        """The next step."""
        settings, train = self.settings, self.dataset.train
        if self.position == 0:
            self.order = torch.randperm(len(train), generator=self.generator)
        self.model.train()
        if self.teacher is not None:
            self.teacher.train(self.joint)
        index = self.order[self.position * settings.batch :][: settings.batch]
        for group in self.optimiser.param_groups:
            group["lr"] = settings.rate * self.factor * RULES[settings.rule].schedule(self.step, self.steps)
        images = shifted(train.images[index], settings.shift, self.generator)
        if settings.flip:
            images = flipped(images, self.generator)
        outputs = self.outputs(images[self.mine], train.labels[index[self.mine]])
        value = loss(outputs, settings)
        lost, errors = total([value.item(), float(wrong(outputs).sum())])
        self.latest = lost / world()[1]
        if not math.isfinite(lost):
            raise InputError(f"training of {self.title} diverged: {self.where(self.step)}")
        if settings.errors_only and errors == 0:
            self.skipped += 1
            average(self.counted)
        else:
            self.follow(value)
        self.loss, self.wrong = self.loss + self.latest, self.wrong + errors
        self.step, self.position = self.step + 1, self.position + 1

    def where(self, step):
        """The loss of the last step, and which that was, for messages."""
        return f"loss {self.latest} at step {step}, epoch {self.epoch}"

    def outputs(self, images, labels):
        """What the networks make of images."""
        watch = Rectifiers() if self.settings.activity else contextlib.nullcontext()
        with watch:
            logits = self.logits(self.model, images)
        with torch.set_grad_enabled(self.joint):
            taught = None if self.teacher is None else self.logits(self.teacher, images)
        if taught is not None and taught.shape != logits.shape:
            raise InputError(f"{self.title} has {logits.shape[1]} classes, its teacher {taught.shape[1]}")
        return Outputs(logits, labels, taught, watch.activity if self.settings.activity else None)

    def logits(self, network, images):
        """What a network makes of images; of the first ones `InputError` if it and the data do not fit together."""
        if self.step:
            return network(images)
        title = self.title if network is self.model else f"the teacher of {self.title}"
        try:
            logits = network(images)
        except RuntimeError as error:
            what = f"images {list(images.shape[1:])}: {str(error).splitlines()[0]}"
            raise InputError(f"{title} cannot take {what}") from None
        if int(most := self.dataset.train.labels.max()) >= logits.shape[1]:
            raise InputError(f"labels must be below the {logits.shape[1]} classes of {title}, not {most}")
        return logits

    def follow(self, value):
        """Move the weights against the gradient of `value`, which all processes average."""
        self.optimiser.zero_grad(set_to_none=True)
        value.backward()
        average([p.grad for p in self.parameters if p.grad is not None] + self.counted)
        self.optimiser.step()

    def close(self):
        """End an epoch: look at the held-out images, keep the best, cut the rate; what `Trained.history` gets.

        Raises
        ------
        InputError
            If the last step has left numbers that are not finite, or so great that the integers have no room for them.
        """
        settings, held_out = self.settings, self.dataset.held_out
        rank, size = world()
        if not all(bool(x.isfinite().all()) for x in (*self.parameters, *self.counted)):
            raise InputError(f"training of {self.title} diverged: weights are not finite after {self.where(self.step - 1)}")
        try:
            right = correct(self.model, held_out[rank::size])
        except InputError as error:
            raise InputError(f"{self.title} has no integers after {self.where(self.step - 1)}: {error}") from None
        (right,) = total([right])
        error = self.wrong / (self.per_epoch * settings.batch)
        row = {"epoch": self.epoch, "loss": self.loss / self.per_epoch, "error": error}
        row |= {"held_out": right / len(held_out), "skipped": self.skipped}
        self.trained.history.append(row)
        if row["held_out"] >= self.trained.held_out:
            self.trained.epoch, self.trained.held_out = self.epoch, row["held_out"]
            self.best = copy.deepcopy(self.model.state_dict())
        self.stalled = 0 if error < self.least else self.stalled + 1
        self.least = min(error, self.least)
        if settings.patience and self.stalled == settings.patience:
            self.factor, self.stalled = self.factor * settings.cut, 0
        self.epoch, self.position, self.loss, self.wrong, self.skipped = self.epoch + 1, 0, 0.0, 0.0, 0
        return row

    def threshold(self):
        """Give rectifiers their threshold, and forget what was best without."""
        thresholded(self.model, self.settings.relu_threshold)
        self.trained.epoch, self.trained.held_out = 0, 0.0
