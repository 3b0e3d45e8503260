"""Area, clock and energy of the MAC trees of each family against the width of their numbers."""

import os
from concurrent.futures import ThreadPoolExecutor

from golden.errors import InputError
from rtl.targets import target
from synth.library import find
from synth.measure import measure, views

__all__ = ["TREES", "areas"]

LANES = 16
LONGEST = 800  # products in a sum: the longest of LeNet
WIDTHS = (16, 8, 6, 4, 2)
EXPONENT_BITS = 4  # of minifloats, as LeNet needs them


def everywhere(name):
    """One format for all numbers."""
    return dict.fromkeys(("a", "w", "bias", "y"), name)


def minifloat(bits):
    """The minifloat of a width, with as many of `EXPONENT_BITS` as there is room for."""
    exponent = min(EXPONENT_BITS, bits - 1)
    return f"mini_e{exponent}m{bits - 1 - exponent}"


TREES = (  # family, bits, target, parameters; weights of powers of two have 4 bits, whatever the others have
    *(("fixed", bits, "mac_tree_fixed", everywhere(f"int{bits}e-{bits // 2}")) for bits in WIDTHS),
    *(("dfp", bits, "mac_tree_dfp", dict.fromkeys(("a", "w", "y"), f"int{bits}")) for bits in WIDTHS),
    *(("minifloat", bits, "mac_tree_minifloat", everywhere(minifloat(bits))) for bits in (16, 8, 6, 5, 4)),
    *(("fp32", bits, "mac_tree_minifloat", everywhere(minifloat(bits)) | {"accumulate": "fp32"}) for bits in (16, 8, 6)),
    *(("pow2", bits, "mac_tree_pow2", dict.fromkeys(("a", "y"), f"int{bits}")) for bits in (16, 8, 6, 4)),
)


def figures(library, tree):
    """JSON values of one tree. A unit is what multiplies and adds in a lane."""
    family, bits, name, settings = tree
    row = target(name)
    engine = row.engine(lanes=LANES, longest=LONGEST, **settings)
    found = {view.name: measure(view, library) for view in views(row, engine) if view.name != "target"}
    if problems := [problem for view in found.values() for problem in view["problems"]]:
        raise InputError(f"{name} of {bits} bits: {problems[0]}")
    areas = {what: view["netlists"]["area"] for what, view in found.items()}
    core = areas.pop("core")  # what is left are parts
    return {
        "family": family,
        "bits": bits,
        "target": name,
        "formats": ", ".join(dict.fromkeys(str(getattr(engine, what)) for what in ("a", "w", "y"))),
        "gate_equivalents": core["gate_equivalents"],
        "unit_gate_equivalents": sum(part["gate_equivalents"] for part in areas.values()),
        "period_ns": core["timing"]["period_ns"],
        "energy_pj": found["core"]["power"]["energy_per_operation_pj"],
    }


def areas(trees=TREES):
    """JSON values of `trees`, a dictionary each.

    Raises
    ------
    InputError
        If the library is missing, or a netlist is not sound.
    """
    library = find()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda tree: figures(library, tree), trees))
