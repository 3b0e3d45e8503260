"""Layers at the ends of their parameters' ranges, simulated; the benches of `tb` cover the registry's own sizes."""

import numpy as np
import pytest

from rtl.targets import TARGETS
from tb.memory import Stalls, run

ODD = [
    {"rows": 1, "cols": 1, "y": "int1", "acc_width": 9, "m_width": 2, "b_width": 2},
    {"rows": 1, "cols": 2, "y": "int32", "a": "int3", "acc_width": 8, "m_width": 5, "b_width": 12},
    {"rows": 3, "cols": 2, "y": "uint1", "a": "uint4", "m_width": 29, "b_width": 61},
]


@pytest.mark.parametrize("settings", ODD, ids=lambda settings: str(settings).replace(" ", ""))
def test_a_layer_at_the_ends_of_its_ranges(settings):
    engine = TARGETS["ternary_layer"].engine(**settings)
    rng = np.random.default_rng(settings["cols"])
    for stalls in (Stalls(), Stalls(idle=100, stall=100, burst=3, seed=5)):
        operands = engine.stimulus(rng, m=7, n=5, k=min(engine.spec(1).longest, 6))
        run("ternary_layer", settings, operands, sim="icarus", stalls=stalls)  # compares with golden, cycles too
