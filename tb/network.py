"""A network's layers through the Verilog of targets, every result compared with golden."""

from dataclasses import dataclass

import numpy as np

from golden.errors import InputError
from golden.operations import GemmOperation
from golden.systolic import utilisation
from rtl.targets import TARGETS, target
from tb.cases import Failure
from tb.memory import run

__all__ = ["LayerRun", "run_network"]


@dataclass(frozen=True, kw_only=True)
class LayerRun:
    """What a layer did on its target.

    Attributes
    ----------
    name, target : str
    settings : dict
        Parameters of the target.
    tiles, macs : int
        Tiles of the result and useful products; 0 for a requantisation.
    cycles, model : int
        Measured, and as the model says.
    utilisation : float
        Share of the array's PE cycles that useful products fill; of a requantisation, share of its cycles in which a
        beat leaves.
    """

    name: str
    target: str
    settings: dict
    tiles: int
    macs: int
    cycles: int
    model: int
    utilisation: float


def gemm_target(spec, wanted=None):
    """The target that runs GEMMs of `spec`: the one `wanted`, or the registry's first with the weights of the spec.

    Raises
    ------
    InputError
        If there is none.
    """
    names = TARGETS if wanted is None else (wanted,)
    for name in names:
        engine = target(name).engine()
        if engine.operands == ("a", "w") and engine.w == spec.w:
            return name
    raise InputError(f"no target among {', '.join(names)} multiplies weights of {spec.w}")


def run_network(network, x, sim="verilator", rows=8, cols=8):
    """Run the network on `x` [N, ...], its matrix multiplications and requantisations in Verilog: a `LayerRun` each.

    Each layer gets golden's activations, which are the Verilog's, as every layer's results are compared before the
    next one runs. What lies between (pooling, reshaping, addition) is golden's.

    Raises
    ------
    InputError
        If no target suits a layer, or the simulator is not there.
    Failure
        If a result differs from the network's tensor, or a cycle count from the model; that layer is not yielded.
    """
    for step in network.steps(x):
        operation = network.operations[step.node.name]
        if isinstance(operation, GemmOperation):
            yield run_gemm(step, operation, sim, rows, cols)
        elif step.node.op == "requant":
            yield run_requant(step, operation, sim, cols)


def run_gemm(step, operation, sim, rows, cols):
    """A convolution's or dense layer's matrix multiplication on its array."""
    call = operation.lower(*step.inputs)
    name = gemm_target(call.spec, step.node.target)
    settings = {"rows": rows, "cols": cols, "a": call.spec.a.name, "acc_width": call.spec.accumulate.width}
    operands = {"a": call.a, "w": call.w}
    results, cycles = run(name, settings, operands, sim)
    require_equal(step, results["y"], operation.lower_output(step.output))
    engine = target(name).engine(**settings)
    macs = call.a.shape[0] * call.a.shape[1] * call.w.shape[1]
    return LayerRun(
        name=step.node.name,
        target=name,
        settings=settings,
        tiles=int(np.prod(engine.tiles(operands))),
        macs=macs,
        cycles=cycles,
        model=engine.cycles(operands),
        utilisation=utilisation(engine.shape, macs, cycles),
    )


def run_requant(step, operation, sim, lanes):
    """A requantisation, its channels on the lanes."""
    spec, [x] = operation.requantiser.spec, step.inputs
    settings = {"lanes": lanes, "x": spec.x.name, "y": spec.y.name, "m_width": spec.m_width, "b_width": spec.b_width}
    parameters = {key: operation.parameters[key].values for key in ("m", "b", "s")}
    operands = {"x": channels_last(x)} | parameters
    results, cycles = run("requant", settings, operands, sim)
    require_equal(step, results["y"], channels_last(step.output))
    engine = target("requant").engine(**settings)
    return LayerRun(
        name=step.node.name,
        target="requant",
        settings=settings,
        tiles=0,
        macs=0,
        cycles=cycles,
        model=engine.cycles(operands),
        utilisation=engine.beats(operands)["y"] / cycles,
    )


def require_equal(step, found, expected):
    """Raise `Failure` unless the Verilog's results are those that the network computed."""
    if not np.array_equal(found, expected):
        wrong = np.count_nonzero(found != expected) if found.shape == expected.shape else "some"
        raise Failure(f"{step.node.name}: {wrong} of {expected.size} results differ from the network's")


def channels_last(x):
    """Activations [N, C, ...] as a matrix [everything else, C]."""
    return np.moveaxis(x, 1, -1).reshape(-1, x.shape[1])
