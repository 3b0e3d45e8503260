"""The one training loop, for float and quantised networks, students and pruned networks alike."""

import contextlib
import copy
import math
from dataclasses import dataclass, field

import torch
from tqdm import tqdm

from golden.errors import InputError
from quant.checkpoint import load_matching
from quant.data import flipped, shifted
from quant.losses import Outputs, loss, wrong
from quant.parallel import average, first, part, total, world
from quant.rectify import Rectifiers, thresholded
from quant.settings import RULES

__all__ = ["Trained", "correct", "fit", "reproducible", "train"]

THREADS = 2
EVALUATION_BATCH = 1000
CALIBRATION_BATCHES = 10


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


@contextlib.contextmanager
def reproducible(seed):
    """Fixed seed, deterministic algorithms and at most two threads, inside the block."""
    threads, before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(min(threads, THREADS))
    torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield torch.Generator().manual_seed(seed)
    finally:
        torch.use_deterministic_algorithms(before)
        torch.set_num_threads(threads)


@torch.no_grad()
def correct(model, split):
    """Images of `split` that `model`, in evaluation mode, puts in their class; ties go to the lowest class."""
    model.eval()
    batches = zip(split.images.split(EVALUATION_BATCH), split.labels.split(EVALUATION_BATCH), strict=True)
    return sum(int((model(images).argmax(1) == labels).sum()) for images, labels in batches)


@torch.no_grad()
def calibrate(model, images):
    """Let the activation quantisers see `images`, and change nothing else."""
    model.train()
    for stage in model.stages:
        if stage.norm is not None:
            stage.norm.eval()
    for batch in images.split(EVALUATION_BATCH):
        model(batch)
    model.eval()


class Run:
    """A training run between two steps: everything that the next one depends on. Parameters are those of `fit`."""

    PLAIN = ("epoch", "step", "position", "loss", "wrong", "skipped", "factor", "least", "stalled")

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

    def state(self):
        """All of it, as plain values and tensors."""
        found = {name: getattr(self, name) for name in self.PLAIN}
        found |= {"order": self.order, "best": self.best, "best_epoch": self.trained.epoch}
        found |= {"held_out": self.trained.held_out, "history": self.trained.history}
        found |= {"learning": [learner.state_dict() for learner in self.learning]}
        found |= {"optimiser": self.optimiser.state_dict()}
        return found | {"generators": [self.generator.get_state(), torch.get_rng_state()]}

    def load(self, state, what):
        """Become the run that was in `state`; `InputError`, which calls it `what`, if it is of another network."""
        for learner, found in zip(self.learning, state["learning"], strict=True):
            load_matching(learner, found, what)
        self.optimiser.load_state_dict(state["optimiser"])
        self.generator.set_state(state["generators"][0])
        torch.set_rng_state(state["generators"][1])
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
        if not math.isfinite(lost):
            where = f"step {self.step}, epoch {self.epoch}"
            raise InputError(f"training of {self.title} diverged: loss {lost / world()[1]} at {where}")
        if settings.errors_only and errors == 0:
            self.skipped += 1
        else:
            self.follow(value)
        self.loss, self.wrong = self.loss + lost / world()[1], self.wrong + errors
        self.step, self.position = self.step + 1, self.position + 1

    def outputs(self, images, labels):
        """What the networks make of images."""
        watch = Rectifiers() if self.settings.activity else contextlib.nullcontext()
        with watch:
            logits = self.model(images)
        with torch.set_grad_enabled(self.joint):
            taught = None if self.teacher is None else self.teacher(images)
        return Outputs(logits, labels, taught, watch.activity if self.settings.activity else None)

    def follow(self, value):
        """Move the weights against the gradient of `value`, which all processes average."""
        self.optimiser.zero_grad(set_to_none=True)
        value.backward()
        counted = [x for learner in self.learning for x in learner.buffers() if x.is_floating_point()]
        average([p.grad for p in self.parameters if p.grad is not None] + counted)
        self.optimiser.step()

    def close(self):
        """End an epoch: look at the held-out images, keep the best, cut the rate; what `Trained.history` gets."""
        settings, held_out = self.settings, self.dataset.held_out
        rank, size = world()
        (right,) = total([correct(self.model, held_out[rank::size])])
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


def fit(model, dataset, settings, generator, title, *, teacher=None, checkpoint=None, progress=True):
    """Train `model` as `settings` say on ``dataset.train``, choosing the epoch on ``dataset.held_out``: a `Trained`.

    In processes that torchrun started, each takes its part of every batch; see `quant.parallel`.

    Parameters
    ----------
    model : torch.nn.Module
        From uint8 images to logits. Masks and other parametrisations of its weights hold throughout.
    settings : Settings
    generator : torch.Generator
        Of the order of the images, of their shifts and of what is mirrored.
    title : str
        For the bar and for messages.
    teacher : torch.nn.Module, optional
        Of ``settings.distillation``.
    checkpoint : quant.checkpoint.Checkpoint, optional
        Where the run is saved every now and then, and from which it goes on, every step as it would have been. It is
        there still at the end, for the caller to remove when the result is stored.
    progress : bool
        Whether to show a bar and a line an epoch.

    Raises
    ------
    InputError
        If there are fewer images than a batch, the loss is no longer finite, or the checkpoint is of another network.
    """
    run = Run(model, dataset, settings, generator, title, teacher)
    if checkpoint is not None and (state := checkpoint.load()) is not None:
        run.load(state, checkpoint.path)
    progress = progress and first()
    with tqdm(total=run.steps, initial=run.step, desc=title, unit="step", disable=not progress, mininterval=1) as bar:
        while run.epoch <= settings.epochs:
            if run.position == 0 and run.epoch == settings.epochs - settings.threshold_epochs + 1:
                run.threshold()
            while run.position < run.per_epoch:
                run.take()
                bar.update()
                if checkpoint is not None and first() and checkpoint.due:
                    checkpoint.save(run.state())
            row = run.close()
            if progress:
                what = f"loss {row['loss']:.4f}  error {row['error']:.2%}  held-out {row['held_out']:.2%}"
                bar.write(f"{title}: epoch {row['epoch']}/{settings.epochs}  {what}")
    if checkpoint is not None and first():
        checkpoint.save(run.state())
    model.load_state_dict(run.best)
    model.eval()
    return run.trained


def train(recipe, dataset, start=None, teacher=None, *, checkpoint=None, progress=True):
    """Train what `recipe` says; see `fit`.

    Parameters
    ----------
    start : mapping, optional
        The state of the model that ``recipe.start`` gave; what it lacks is left as it was made.
    teacher : mapping, optional
        The state of the model that ``recipe.teacher`` gave; none for one that is trained along.

    Raises
    ------
    InputError
        As of `fit`.
    """
    with reproducible(recipe.seed) as generator:
        model = recipe.model()
        if start is not None:
            model.load_state_dict(start, strict=False)
        teaches = None
        if recipe.teacher is not None:
            teaches = recipe.teacher.model()
            if teacher is not None:
                teaches.load_state_dict(teacher)
        if recipe.epochs:
            settings = {"teacher": teaches, "checkpoint": checkpoint, "progress": progress}
            return fit(model, dataset, recipe, generator, recipe.title, **settings)
        images = dataset.train.images
        order = torch.randperm(len(images), generator=generator)[: CALIBRATION_BATCHES * EVALUATION_BATCH]
        calibrate(model, images[order])
        return Trained(model, held_out=correct(model, dataset.held_out) / len(dataset.held_out))
