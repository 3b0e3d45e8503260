"""What a processing element of a systolic array costs, and how long the array takes for a network."""

import numpy as np

from rtl.targets import target
from rtl.verilog import emit
from synth.flow import map_design
from synth.library import find
from synth.measure import area

__all__ = ["EDGE", "cycles", "elements"]

EDGE = "int8_gemm"  # of the first and the last layer


def elements(asked):
    """{key: gate equivalents of a processing element, for each product that it adds in a cycle}.

    Parameters
    ----------
    asked : dict
        Key → (target, its parameters).

    Raises
    ------
    InputError
        If the library or a target is missing.
    """
    library, found = find(), {}
    for key, (name, settings) in asked.items():
        engine = target(name).engine(**settings)
        verilog = {part: emit(component, f"{name}_{part}") for part, component in engine.parts().items()}
        mapped = map_design(verilog["pe"], f"{name}_pe", library, ("area",))["area"]
        products = engine.throughput["per_cycle"] / (engine.rows * engine.cols)
        found[key] = area(mapped, library)["gate_equivalents"] / products
    return found


def cycles(net, name, settings, edge=EDGE):
    """Cycles of an image on arrays of 8 x 8 elements: the first and the last layer on the target `edge`.

    By the model that equals the Verilog's cycles; layers follow each other, each of its groups as a product of its own.

    Parameters
    ----------
    net : Topology
    name, settings
        Target of the other layers and its parameters.
    """
    edges, inner = target(edge).engine(), target(name).engine(**settings)
    total = 0
    for row in net.rows:
        engine = edges if row in (net.rows[0], net.rows[-1]) else inner
        m, k, n = row.gemm
        shapes = {"a": np.empty((m, k), np.int8), "w": np.empty((k, n), np.int8)}
        total += row.groups * engine.cycles(shapes)
    return total
