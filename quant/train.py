"""The one training loop, for float and quantised networks, students and pruned networks alike."""

import contextlib

import torch
from torch.utils import deterministic
from tqdm import tqdm

from quant.data import fitting
from quant.parallel import first
from quant.run import EVALUATION_BATCH, Run, Trained, correct

__all__ = ["fit", "reproducible", "train"]

THREADS = 2
CALIBRATION_BATCHES = 10


@contextlib.contextmanager
def reproducible(seed):
    """Fixed seed, deterministic algorithms and at most two threads, inside the block.

    New memory is not filled, as torch else would with these algorithms: nothing reads it before it is written, and it
    takes a fifth of the time of wide layers.
    """
    threads, before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filled = deterministic.fill_uninitialized_memory
    torch.set_num_threads(min(threads, THREADS))
    torch.use_deterministic_algorithms(True)
    deterministic.fill_uninitialized_memory = False
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield torch.Generator().manual_seed(seed)
    finally:
        torch.use_deterministic_algorithms(before)
        deterministic.fill_uninitialized_memory = filled
        torch.set_num_threads(threads)


@torch.no_grad()
def calibrate(model, images, order):
    """Let the activation quantisers see those of `images` whose numbers are in `order`, and change nothing else."""
    model.train()
    for stage in model.stages:
        if stage.norm is not None:
            stage.norm.eval()
    for numbers in order.split(fitting(images, EVALUATION_BATCH)):
        model(images[numbers])
    model.eval()


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
        settings = {"teacher": teaches, "checkpoint": checkpoint, "progress": progress}
        if recipe.pruning is not None:
            from quant.pruning import prune  # not above: it trains by `fit`

            return prune(model, dataset, recipe.pruning, recipe, generator, recipe.title, **settings)[0]
        if recipe.epochs:
            return fit(model, dataset, recipe, generator, recipe.title, **settings)
        images = dataset.train.images
        order = torch.randperm(len(images), generator=generator)[: CALIBRATION_BATCHES * EVALUATION_BATCH]
        calibrate(model, images, order)
        return Trained(model, held_out=correct(model, dataset.held_out) / len(dataset.held_out))
