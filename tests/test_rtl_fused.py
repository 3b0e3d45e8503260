"""rtl.fused: the element of floating-point arrays against golden."""

import numpy as np
from gateware import played

from golden.float_arithmetic import fma
from golden.formats import parse
from rtl.fused import FusedElement


def test_sums_in_floating_point():
    """Rounded in each cycle; an idle pair keeps every sum, that of -0 too; a front gives +0 to begin with."""
    fmt = parse("ieee_e4m3")
    element, rng, cycles = FusedElement(fmt=fmt), np.random.default_rng(0), 400
    x, y = rng.integers(0, 256, cycles), rng.integers(0, 256, cycles)
    first = (rng.random(cycles) < 0.3).astype(int)
    first[0] = 1
    idle = rng.random(cycles) < 0.3
    x[idle], y[idle] = element.idle
    tiny = rng.random(cycles) < 0.1  # a product that is rounded to -0
    x[tiny], y[tiny] = fmt.sign + 1, 1
    seen = played(element, x, y, first)
    total, zeros = 0, 0
    for t in range(cycles):
        if t:
            assert seen[t, 3] == (255 ^ (total & 255) if first[t] else 255), t
        total = 0 if first[t] else total
        if idle[t] and not tiny[t]:
            zeros += total == fmt.sign
            continue
        total = int(fmt.encode(fma(fmt, *(fmt.decode(np.array([code])) for code in (x[t], y[t], total))))[0])
    assert zeros
