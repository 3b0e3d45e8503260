"""How many images a graph puts in their class under an assignment of formats, each assignment once."""

import hashlib
import json
from pathlib import Path

import torch

from golden.errors import replacing
from quant.assignment import Assignment
from quant.cache import code_hash
from quant.run import correct
from quant.simulated import Simulated
from quant.train import reproducible

__all__ = ["SIMULATION", "Scores", "digest", "spelled"]

SIMULATION = (
    *(f"golden.formats.{name}" for name in ("base", "floats", "integers", "minifloats", "powers")),
    *(f"quant.{name}" for name in ("assignment", "graph", "kinds", "simulated")),
)


def spelled(assignment):
    """The names of the formats of an `Assignment`: JSON values that decide it."""
    return {
        what: {name: fmt.name for name, fmt in sorted(getattr(assignment, what).items())}
        for what in ("weights", "biases", "outputs")
    }


def digest(graph):
    """Hash of all that a `Graph` computes."""

    def plain(value):
        if isinstance(value, torch.Tensor):
            content = value.detach().contiguous()
            return [str(content.dtype), list(content.shape), hashlib.sha256(content.numpy().tobytes()).hexdigest()]
        return value

    ops = [
        [op.name, op.op, list(op.inputs), {key: plain(value) for key, value in sorted(op.attributes.items())}]
        + [plain(op.weight), plain(op.bias), plain(op.present)]
        for op in graph.ops
    ]
    whole = [graph.input, list(graph.shape), graph.output, graph.unit, ops]
    return hashlib.sha256(json.dumps(whole).encode()).hexdigest()


class Scores:
    """Accuracies of `graph` on `split`, with weights rounded to nearest and outputs quantised.

    Parameters
    ----------
    graph : Graph
    split : Split or Samples
        Held-out images.
    data : str
        What identifies `split`.
    build : Path, optional
        Folder of a file that keeps accuracies from run to run.
    """

    def __init__(self, graph, split, data, *, build=None):
        self.graph, self.split = graph, split
        self.path, self.known = None, {}
        if build is not None:
            decides = [digest(graph), data, len(split), code_hash(SIMULATION), torch.__version__]
            key = hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]
            self.path = Path(build) / f"scores-{key}.json"
            try:
                self.known = {str(name): int(count) for name, count in json.loads(self.path.read_text()).items()}
            except (OSError, ValueError, TypeError, AttributeError):
                self.known = {}

    def __call__(self, assignment):
        """The share of images that come out right under `assignment`."""
        key = hashlib.sha256(json.dumps(spelled(assignment)).encode()).hexdigest()[:32]
        if key not in self.known:
            with reproducible(0):
                self.known[key] = correct(Simulated(self.graph, assignment), self.split)
            if self.path is not None:
                with replacing(self.path) as temporary:
                    temporary.write_text(json.dumps(self.known) + "\n")
        return self.known[key] / len(self.split)

    @property
    def float(self):
        """The accuracy of the float graph."""
        return self(Assignment(outputs={}, weights={}, biases={}))
