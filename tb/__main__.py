"""Targets in a simulator: ``python -m tb run|bench|mutate TARGET [rows=16 ...]`` or ``network NET.safetensors``."""

import sys
from pathlib import Path

import numpy as np

from golden.errors import InputError, Parser, assignments, command, replacing
from rtl.operands import read_arrays, read_operands
from rtl.targets import TARGETS, target
from tb.cases import Failure
from tb.simulators import SIMULATORS, simulator


def run(given):
    """The user's operands through a target's Verilog."""
    from tb.memory import run

    engine = target(given.target).engine(**given.parameters)
    simulator(given.sim)
    operands = read_operands(given.inputs, engine)
    with replacing(given.outputs) as temporary:
        results, cycles = run(given.target, given.parameters, operands, given.sim)
        with temporary.open("wb") as file:
            np.savez(file, **results, cycles=np.int64(cycles))
    shapes = ", ".join(f"{key} {list(value.shape)}" for key, value in results.items())
    print(f"{given.outputs}: {shapes}; {cycles} cycles, as the model says; every result equals golden")
    return 0


def bench(given):
    """The cocotb bench of targets, at their bench sizes or one given size."""
    from rtl.generate import generate
    from tb.regression import regress

    failed = False
    for name in TARGETS if given.target == "all" else [given.target]:
        row = target(name)
        for settings in [given.parameters] if given.parameters else row.bench:
            engine = row.engine(**settings)
            for sim in [given.sim] if given.sim else SIMULATORS:
                for test, failure in regress(name, *generate(row, engine), sim, seed=given.seed).items():
                    shown = " ".join(f"{key}={value}" for key, value in settings.items())
                    print(f"{name} {shown} {sim} {test}: {failure or 'passed'}", flush=True)
                    failed |= failure is not None
    return int(failed)


def mutate(given):
    """Mutants of a target, and how many of them the bench notices."""
    from tb.mutate import mutate

    report = mutate(given.target, count=given.count, seed=given.seed, settings=given.parameters or None)
    print(report.text())
    return 0


def network(given):
    """The layers of an artefact, on inputs of the user's, through the Verilog of their targets."""
    from golden import artefact
    from tb.network import run_network

    if given.parameters:
        raise InputError(f"a network takes --rows, --cols and --lanes, and no parameter {next(iter(given.parameters))!r}")
    simulator(given.sim)
    found, arrays = artefact.load(given.target), read_arrays(given.inputs)
    if set(arrays) != {"x"} or not arrays["x"].size:
        raise InputError(f"inputs of a network must be x, one or more, not {', '.join(arrays) or 'nothing'}")
    count, cycles = 0, 0
    for layer in run_network(found, arrays["x"], given.sim, given.rows, given.cols, given.lanes):
        print(f"{layer.name}: {layer.target}, {layer.cycles:,} cycles, as the model says", flush=True)
        count, cycles = count + 1, cycles + layer.cycles
    print(f"{count} layers, {cycles:,} cycles for {len(arrays['x'])} inputs; every result equals golden")
    return 0


def main():
    parser = Parser(prog="python -m tb", description=__doc__)
    actions = parser.add_subparsers(dest="action", required=True, metavar="run|bench|mutate|network")
    for action in (run, bench, mutate, network):
        sub = actions.add_parser(action.__name__, help=action.__doc__, description=action.__doc__)
        sub.set_defaults(action=action)
        sub.add_argument("target", help="its name" if action is not network else "a .safetensors file that quant exported")
        if action in (run, network):
            sub.add_argument("--inputs", required=True, type=Path)
            sub.add_argument("--sim", default="verilator")
        else:
            sub.add_argument("--seed", type=int, default=1)
        if action is run:
            sub.add_argument("--outputs", required=True, type=Path)
        if action is network:
            sub.add_argument("--lanes", type=int, default=16, help="of MAC trees")
            sub.add_argument("--rows", type=int, default=8, help="of arrays")
            sub.add_argument("--cols", type=int, default=8, help="of arrays, and lanes of requantisation")
        if action is bench:
            sub.add_argument("--sim")
        if action is mutate:
            sub.add_argument("--count", type=int, default=100)
    given, words = parser.parse_known_args(sys.argv[1:])  # parameters may stand anywhere behind the target
    if unknown := [word for word in words if word.startswith("-")]:
        parser.error(f"no option is called {unknown[0]!r}")
    given.parameters = assignments(words)
    try:
        return given.action(given)
    except Failure as failure:
        print(f"narrowgate: {given.target} is wrong: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    command(main)
