"""Networks and training in floating point through the Verilog of the zero-skipping grid, every result compared."""

from dataclasses import dataclass

import numpy as np

from golden.dlac_jobs import job
from golden.dlac_steps import Steps
from golden.errors import InputError
from golden.formats import Ternary
from golden.gemm import bound
from rtl.targets import target
from tb.cases import Failure
from tb.memory import run

__all__ = ["StepRun", "integer_steps", "run_steps"]


@dataclass(frozen=True, kw_only=True)
class StepRun:
    """What a step did on the grid.

    Attributes
    ----------
    name, target : str
    tiles : int
        Of the result.
    macs, nonzero : int
        Products, and those without a zero.
    instructions : int
        Of the program behind each tile's products.
    cycles, model : int
        Measured, and as the model says.
    dense : int
        What the model says for a grid that skips nothing.
    """

    name: str
    target: str
    tiles: int
    macs: int
    nonzero: int
    instructions: int
    cycles: int
    model: int
    dense: int


def run_steps(steps, fmt, name, settings, sim="verilator"):
    """Run each of `steps` on a target: a `StepRun` each.

    Parameters
    ----------
    steps : iterable of golden.dlac_steps.Step
    fmt : Float
        That they were done in.
    name : str
        Of a target whose engine is a `rtl.dlac.Dlac`.
    settings : dict
        Its parameters. Without ``w``, products of ternary weights run on a grid for these, others on one that multiplies.
    sim : str

    Raises
    ------
    InputError
        If the target computes in another format, or its grid has no room for an operation.
    Failure
        If a result differs from the step's, or a cycle count from the model; that step is not yielded.
    """
    for step in steps:
        given = {"w": "ternary" if step.ternary else fmt.name} | settings
        engine = target(name).engine(**given)
        if engine.a != fmt:
            raise InputError(f"{name} must compute in {fmt} as the steps do, not in {engine.a}")
        a, w, program = job(step, engine.shape, fmt)
        operands = {
            "a": fmt.encode(a).astype(np.int64),
            "w": w.astype(np.int64) if engine.w == Ternary() else fmt.encode(w).astype(np.int64),
            "i": program.rows,
            "v": fmt.encode(program.words(engine.shape, *step.result.shape)).astype(np.int64),
        }
        results, cycles = run(name, given, operands, sim)
        found = fmt.decode(results["y"])  # whose codes are golden's: `run` compares them
        same = (found == step.result) | np.isnan(found) & np.isnan(step.result)  # a sum of -0 stays where zeros are skipped
        if not same.all():
            raise Failure(f"{step.name}: {np.count_nonzero(~same)} results differ")
        if results["e"].any():
            raise Failure(f"{step.name}: flags {np.unique(results['e']).tolist()}")
        plain = target(name).engine(**given | {"skip": "none"})
        yield StepRun(
            name=step.name,
            target=name,
            tiles=int(np.prod(engine.tiles(operands))),
            macs=step.macs,
            nonzero=step.nonzero,
            instructions=len(program.instructions),
            cycles=cycles,
            model=engine.cycles(operands),
            dense=plain.cycles(operands),
        )


def integer_steps(network, x, fmt):
    """The matrix products of an integer network for `x` [N, ...], as steps in a format that holds every sum exactly.

    Their results are then the network's own integers.

    Raises
    ------
    InputError
        If a sum may be too great for the mantissa, or weights are not ternary.
    """
    steps = Steps(fmt)
    for gemm in network.gemms(x):
        if gemm.spec.w != Ternary():
            raise InputError(f"{gemm.name} must have ternary weights, not {gemm.spec.w}")
        if (most := bound(gemm.spec, gemm.w)) > 2 << fmt.mantissa_bits:
            raise InputError(f"sums of {gemm.name} reach {most}; {fmt} holds integers up to {2 << fmt.mantissa_bits}")
        y = steps.product(gemm.name, gemm.a.astype(np.float64), gemm.w.astype(np.float64), ternary=True)
        if not np.array_equal(y, gemm.y):
            raise Failure(f"{gemm.name}: sums in {fmt} differ from the network's integers")
    return steps.done
