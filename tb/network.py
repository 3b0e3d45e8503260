"""A network's layers through the Verilog of targets, every result compared with golden."""

from dataclasses import dataclass, replace

import numpy as np

from golden.errors import InputError
from golden.formats import Integer, Minifloat, PowerOfTwo, fitting
from golden.gemm import bound
from golden.mac import MacSpec, finish
from golden.network import BATCH
from golden.operations import GemmOperation
from golden.precision import check_precision, group_precision
from rtl.bitserial import SerialGemm
from rtl.targets import TARGETS, target
from tb.arrays import USES, array_layer, gemm_target, without_unit
from tb.cases import Failure
from tb.memory import run

__all__ = ["LayerRun", "profile_inputs", "profile_precisions", "run_network"]


@dataclass(frozen=True, kw_only=True)
class LayerRun:
    """What a layer did on its target.

    Attributes
    ----------
    name, target : str
    settings : dict
        Parameters of the target.
    tiles, macs : int
        Tiles of the result (on a MAC tree, results) and useful products; 0 for a requantisation.
    cycles, model : int
        Measured, and as the model says.
    utilisation : float
        Share of the PE or lane cycles that useful products fill, in a bit-serial tile at the full width of the
        operands, so that it exceeds 1 where they need fewer bits; of a requantisation, share of its cycles in which a
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


def tree_target(spec, wanted=None):
    """The MAC tree that runs layers of `spec`: the one `wanted`, or that of the formats' families."""
    if wanted is not None:
        return wanted
    formats = (spec.a, spec.w, spec.bias, spec.y)
    if spec.rounded is not None or any(isinstance(fmt, Minifloat) for fmt in formats):
        return "mac_tree_minifloat"
    return "mac_tree_pow2" if isinstance(spec.w, PowerOfTwo) else "mac_tree_dfp"


def tree_layer(name, call, lanes):
    """Parameters and operands with which the MAC tree `name` runs a layer.

    Units that come at run time are shifts, and the bias comes in the unit of the total.
    """
    spec, engine = call.spec, target(name).engine()
    settings = {what: getattr(spec, what) for what in ("a", "w", "bias", "y")}
    operands = {"a": call.a, "w": call.w, "bias": call.bias}
    if engine.dynamic:
        settings = {what: without_unit(fmt) for what, fmt in settings.items()}
        needed = spec.bias.width + (not spec.bias.signed) + spec.bias_up
        settings["bias"] = Integer(max(needed, engine.bias.width), signed=True)
        operands["bias"] = call.bias.astype(np.int64) << spec.bias_up
        operands |= {"up": np.array(spec.up), "shift": np.array(spec.shift)}
    if spec.rounded is not None:
        settings["accumulate"], lanes = "fp32", spec.rounded.lanes
    longest = max(engine.longest, 1 << (spec.k - 1).bit_length())
    settings |= {"lanes": lanes, "relu": int(spec.relu), "longest": longest}
    return {key: value if isinstance(value, (int, str)) else value.name for key, value in settings.items()}, operands


def integers_of(fmt):
    """The narrowest signed integers, of 2 bits or more, that hold all those of a format.

    Raises
    ------
    InputError
        If it has more numbers than the integers of two bits, and is of another kind.
    """
    if isinstance(fmt, Integer):
        return fitting(fmt.lo, fmt.hi)
    if fmt.exponent == 0 and -2 <= fmt.lo and fmt.hi <= 1:
        return Integer(2, signed=True)
    raise InputError(f"bit-serial tiles multiply integers, not weights of {fmt}")


def tile_layer(name, call, settings, precision=None):
    """Parameters and operands with which the tile `name` multiplies a layer's matrices.

    A layer of a single window runs on a tile of the same size whose columns have weights of their own, if there is one.
    A tile that is told the layer's precision is told `precision`, by default the width of the format.
    """
    spec, make = call.spec, TARGETS[name].make
    if not isinstance(spec.a, Integer):
        raise InputError(f"bit-serial tiles multiply integers, not activations of {spec.a}")
    plain = Integer(max(make.narrowest, spec.a.width), signed=False)
    a, w = integers_of(spec.a) if spec.a.signed else plain, integers_of(spec.w)
    width = 2 if isinstance(spec, MacSpec) else spec.accumulate.width
    needed = MacSpec(a=a, w=w, bias=w, y=w, k=spec.k).acc_width
    formats = {"a": a.name, "w": w.name, "acc_width": max(width, needed)}
    settings = formats | settings
    if len(call.a) == 1:
        dense = {"dense": 1, "groups": 1, "run_ahead": 0}
        settings |= {key: value for key, value in dense.items() if key in make.parameters()}
    precision = spec.a.width if precision is None else precision
    return settings, target(name).engine(**settings).operands_of(call.a, call.w, precision)


def is_tile(name):
    """Whether a target is a tile of serial inner-product units."""
    return name is not None and issubclass(target(name).make, SerialGemm)


def run_network(
    network, x, sim="verilator", rows=8, cols=8, lanes=16, tile=None, tile_settings=None, memory=None, precisions=None
):
    """Run the network on `x` [N, ...], its matrix multiplications and requantisations in Verilog: a `LayerRun` each.

    Arrays have `rows` and `cols`; requantisations `cols` lanes, MAC trees `lanes`, or as many as a sum in FP32 says.
    With `tile`, the name of a target like ``stripes``, all matrix multiplications run on that, with its parameters
    `tile_settings`; bias and rounding behind them are then golden's. The inputs and the weights of such layers come
    through ``memory(integers, format, name)``, if that is given, like a `tb.containers.Containers`. A layer's
    activations have as many bits as `precisions`, like those of `profile_precisions`, or else their format has. Each
    layer gets golden's activations, which are the Verilog's, as every layer's results are compared before the next one
    runs. What lies between (pooling, reshaping, addition, requantisation to minifloats) is golden's.

    Raises
    ------
    InputError
        If no target suits a layer, its activations need more bits than its precision, or the simulator is not there.
    Failure
        If a result differs from the network's tensor, or a cycle count from the model; that layer is not yielded.
    """
    if tile is not None and not is_tile(tile):
        tiles = ", ".join(name for name in TARGETS if is_tile(name))
        raise InputError(f"tile must be one of {tiles}, not {tile!r}")
    waiting = {}  # (target, inputs) → nodes that it runs together with another
    for step in network.steps(x):
        operation = network.operations[step.node.name]
        if isinstance(operation, GemmOperation):
            if is_tile(name := step.node.target if tile is None else tile):
                formats = [network.tensors[source].format for source in step.node.inputs]
                precision = (precisions or {}).get(step.node.name)
                yield run_tile(step, operation, name, sim, tile_settings or {}, formats, memory, precision)
            elif isinstance(operation.spec, MacSpec):
                yield run_tree(step, operation, sim, lanes)
            else:
                name = gemm_target(operation.spec, step.node.target)
                together = waiting.setdefault((name, step.node.inputs), [])
                together.append((step, operation))
                if len(together) == USES[TARGETS[name].make].nodes:
                    yield run_gemm(name, waiting.pop((name, step.node.inputs)), sim, rows, cols)
        elif step.node.op == "requant" and not isinstance(operation.requantiser.spec.y, Minifloat):
            yield run_requant(step, operation, sim, cols)
    for (name, _), [(step, _)] in waiting.items():
        raise InputError(f"{name} runs {step.node.name} with another node of the same input, which is not there")


def run_tile(step, operation, name, sim, settings, formats, memory, precision):
    """A convolution's or dense layer's matrix multiplication on a tile of serial inner-product units."""
    inputs = step.inputs
    if memory is not None:
        inputs = [from_memory(memory, *pair, step.node.name) for pair in zip(inputs, formats, strict=True)]
    call = operation.lower(*inputs)
    if memory is not None:
        call = replace(call, w=memory(call.w.T, call.spec.w, f"weights of {step.node.name}").T)
    if precision is not None:
        check_precision(call.a, call.spec.a.signed, precision, f"input of {step.node.name}")
    settings, operands = tile_layer(name, call, settings, precision)
    results, cycles = run(name, settings, operands, sim)
    y, spec = results["y"], call.spec
    if isinstance(spec, MacSpec):
        if spec.rounded is not None:
            raise InputError(f"{step.node.name} adds up in FP32; bit-serial tiles add up exactly")
        y = finish(spec, [(y, 0)], call.bias, bound(spec, call.w))
    require_equal(step, y, operation.lower_output(step.output))
    return multiplied(step, name, settings, operands, cycles)


def multiplied(step, name, settings, operands, cycles, tiles=None):
    """The `LayerRun` of a matrix multiplication, with the `tiles` of its engine unless they are given."""
    engine = target(name).engine(**settings)
    macs = operands["a"].size * operands["w"].shape[1]
    return LayerRun(
        name=step.node.name,
        target=name,
        settings=settings,
        tiles=int(np.prod(engine.tiles(operands))) if tiles is None else tiles,
        macs=macs,
        cycles=cycles,
        model=engine.cycles(operands),
        utilisation=macs / (cycles * engine.throughput["per_cycle"]),
    )


def from_memory(memory, x, fmt, name):
    """Activations as they come from a memory in which their channels lie last."""
    return np.moveaxis(memory(np.moveaxis(x, 1, -1), fmt, f"input of {name}"), -1, 1)


def profile_inputs(network, x, memory):
    """Show ``memory.profile(integers, format, name)`` what comes into each matrix multiplication for `x` [N, ...]."""
    for step in network.steps(x):
        if isinstance(network.operations[step.node.name], GemmOperation):
            for source, found in zip(step.node.inputs, step.inputs, strict=True):
                memory.profile(np.moveaxis(found, 1, -1), network.tensors[source].format, f"input of {step.node.name}")


def profile_precisions(network, x):
    """Bits of the activations of each matrix multiplication for `x` [N, ...], all of a layer together: {name: int}."""
    found = {}
    for first in range(0, len(x), BATCH):
        for layer in network.gemms(x[first : first + BATCH]):
            ends = np.array([layer.a.min(), layer.a.max()])  # no other value needs more bits
            found[layer.name] = max(found.get(layer.name, 1), int(group_precision(ends, layer.spec.a.signed)))
    return found


def run_gemm(name, nodes, sim, rows, cols):
    """The matrix multiplication of a convolution or dense layer, or of several that share their input, on its array."""
    make = TARGETS[name].make
    calls = [operation.lower(*step.inputs) for step, operation in nodes]
    settings, operands = array_layer(name, calls)
    settings |= {"rows": rows, "cols": cols}
    results, cycles = run(name, settings, operands, sim)
    for key, (step, operation) in zip(make.results, nodes, strict=True):
        require_equal(step, results[key], operation.lower_output(step.output))
    layer = multiplied(nodes[0][0], name, settings, operands, cycles)
    return replace(layer, name=" and ".join(step.node.name for step, _ in nodes))


def run_tree(step, operation, sim, lanes):
    """A convolution's or dense layer's sums, biases and rounding on a MAC tree."""
    call = operation.lower(*step.inputs)
    name = tree_target(call.spec, step.node.target)
    settings, operands = tree_layer(name, call, lanes)
    results, cycles = run(name, settings, operands, sim)
    require_equal(step, results["y"], operation.lower_output(step.output))
    return multiplied(step, name, settings, operands, cycles, tiles=results["y"].size)


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
