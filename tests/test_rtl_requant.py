"""A lane of the requantiser as a function, against golden, over formats of every kind."""

import numpy as np
import pytest
from gateware import clocked

from golden.formats import Integer, parse
from golden.requant import RequantSpec, requant
from rtl.requant import Lane, RequantPipeline, parameter_layout


def edges(rng, lo, hi, count):
    """Integers of a range, half of them its limits, their neighbours and those of zero."""
    special = np.clip([lo, lo + 1, -1, 0, 1, hi - 1, hi], lo, hi)
    drawn = rng.integers(lo, hi, count, endpoint=True) >> rng.integers(0, max(2, hi.bit_length()), count)
    return np.where(rng.random(count) < 0.5, rng.choice(special, count), drawn)


def operands(spec, count, seed):
    """Accumulators and parameters, each its own channel; in a third of the cases the sum is at a tie or beside one."""
    rng = np.random.default_rng(seed)
    x, m = edges(rng, spec.x.lo, spec.x.hi, count), edges(rng, spec.m.lo, spec.m.hi, count)
    b = edges(rng, -spec.b_limit - 1, spec.b_limit, count)
    s = rng.integers(0, spec.s_limit, count, endpoint=True)
    tie = (rng.integers(-4, 5, count) << s) + (1 << s >> 1) + rng.integers(-1, 2, count) - x * m
    reachable = (rng.random(count) < 0.33) & (tie >= -spec.b_limit - 1) & (tie <= spec.b_limit)
    return x, m, np.where(reachable, tie, b), s


def streamed(spec, x, m, b, s):
    """What a lane makes of one channel a cycle."""
    lane = Lane(spec)
    y = []

    async def bench(ctx):
        for t in range(len(x) + RequantPipeline.latency):
            if t < len(x):
                ctx.set(lane.x, int(x[t]))
                ctx.set(lane.p, {"m": int(m[t]), "b": int(b[t]), "s": int(s[t])})
            if t >= RequantPipeline.latency:
                y.append(ctx.get(lane.y))
            await ctx.tick()

    clocked(lane, bench)
    return spec.y.integers(np.array(y))


SPECS = [
    {"y": "uint8"},
    {"y": "int8"},
    {"y": "uint1"},
    {"y": "int2"},
    {"y": "uint16"},
    {"y": "int32"},
    {"y": "int4", "x": "int20", "m_width": 9, "b_width": 21},
    {"y": "int12", "x": "int29", "m_width": 32},
    {"y": "uint5", "x": "int8", "m_width": 2, "b_width": 61},
    {"y": "int2", "x": "int2", "m_width": 2, "b_width": 2},
    {"y": "uint1", "x": "int2", "m_width": 2, "b_width": 2},
    {"y": "int5", "x": "int2", "m_width": 2, "b_width": 2},
    {"y": "int6", "x": "int2", "m_width": 2, "b_width": 2},
    {"y": "uint16", "x": "int2", "m_width": 2, "b_width": 2},
    {"y": "int32", "x": "int8", "m_width": 8, "b_width": 12},
    {"y": "uint3", "x": "int5", "m_width": 3, "b_width": 20},
]


@pytest.mark.parametrize("settings", SPECS, ids=lambda settings: "-".join(map(str, settings.values())))
def test_a_lane_is_golden(settings):
    formats = {key: parse(value) for key, value in settings.items() if key in "xy"}
    spec = RequantSpec(**(settings | formats))
    x, m, b, s = operands(spec, 500, seed=spec.sum_width)
    assert streamed(spec, x, m, b, s).tolist() == requant(spec, x[None], m, b, s)[0].tolist()


def test_every_sum_and_shift_of_the_narrowest_spec():
    spec = RequantSpec(x=Integer(2, True), y=Integer(3, True), m_width=2, b_width=3)
    ranges = [np.arange(f.lo, f.hi + 1) for f in (spec.x, spec.m, Integer(3, True))] + [np.arange(spec.s_limit + 1)]
    x, m, b, s = (axis.reshape(-1) for axis in np.meshgrid(*ranges))
    assert streamed(spec, x, m, b, s).tolist() == requant(spec, x[None], m, b, s)[0].tolist()


def test_parameters_lie_in_the_order_of_the_documentation():
    layout = parameter_layout(RequantSpec(y=parse("uint8"), m_width=5, b_width=7))
    code = layout.const({"m": -1, "b": 1, "s": 3}).as_value().value
    assert code == 0b11111 | 1 << 5 | 3 << 12
