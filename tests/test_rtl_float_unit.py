"""Units of floating-point arithmetic against golden: all pairs of 8 bits, all triples of 5, FP16 and FP32 by samples."""

import numpy as np
import pytest
from amaranth import Cat, Module, Signal
from amaranth.hdl import Fragment
from gateware import clocked
from streaming import streamed

from golden.errors import InputError
from golden.formats import parse
from rtl.float_stimulus import boundary_tuples, random_codes
from rtl.float_unit import OPERATIONS, FloatUnit
from rtl.stages import Cuts

EIGHT = ["ieee_e5m2", "ieee_e4m3", "finite_e4m3", "ieee_e4m3_ftz", "finite_e5m2_ftz", "ieee_e2m5"]
FIVE = [f"{rules}_{fields}{ftz}" for rules in ("ieee", "finite") for fields in ("e2m2", "e3m1") for ftz in ("", "_ftz")]


def expected(fmt, operation, columns):
    """What golden has."""
    found = operation.compute(fmt, *map(fmt.decode, columns[: len(operation.operands)]))
    return found if operation.flags else fmt.encode(found)


def check(names, operations, columns, copies=1):
    """All `operations` in all formats `names`, of one width, on the same codes, in one design."""
    jobs = [(parse(name), OPERATIONS[operation]) for name in names for operation in operations]

    def units(m, *codes):
        return Cat(operation.build(m, fmt, *codes[: len(operation.operands)]) for fmt, operation in jobs)

    widths = [operation.width(fmt) for fmt, operation in jobs]
    found = streamed(units, [jobs[0][0].width] * len(columns), widths, columns, copies)
    for (fmt, operation), codes in zip(jobs, found, strict=True):
        wrong = np.flatnonzero(codes != expected(fmt, operation, columns))
        assert not len(wrong), (fmt.name, operation.build.__name__, [int(column[wrong[0]]) for column in columns])


def every(width, count):
    """All tuples of codes, a column each."""
    return [axis.ravel() for axis in np.meshgrid(*[np.arange(1 << width)] * count)]


def test_every_pair_of_eight_bits():
    check(EIGHT, ("add", "multiply", "compare"), every(8, 2))


def test_every_triple_of_five_bits():
    check(FIVE, ("fma",), every(5, 3))


def test_the_narrowest_formats():
    check(["ieee_e2m1", "e2m1", "e2m1_ftz", "ieee_e2m1_ftz"], OPERATIONS, every(4, 3))


@pytest.mark.long
@pytest.mark.parametrize(
    "names",
    [
        ["ieee_e2m9", "finite_e3m8_ftz", "ieee_e8m3"],
        ["finite_e8m1_ftz", "finite_e8m1", "ieee_e8m1_ftz", "ieee_e8m1"],
        ["finite_e2m23_ftz", "finite_e2m23", "ieee_e2m23_ftz", "ieee_e2m23"],
    ],
    ids=lambda names: names[-1],
)
def test_lopsided_formats(names):
    """A mantissa longer than the exponents reach, and the other way round, to the ends of what units take."""
    columns = random_codes(parse(names[0]), np.random.default_rng(0), 30_000, 3)
    directed = boundary_tuples(parse(names[-1]), 3)
    check(names, OPERATIONS, [np.concatenate(pair) for pair in zip(columns, directed, strict=True)])


@pytest.mark.parametrize(
    ("names", "count"),
    [
        (["fp16", "fp16_ftz", "bf16", "finite_e5m10"], 60_000),
        (["fp32", "fp32_ftz"], 60_000),
        pytest.param(["fp16", "fp16_ftz", "bf16", "finite_e5m10"], 1_000_000, marks=pytest.mark.long),
        pytest.param(["fp32", "fp32_ftz", "finite_e8m23"], 1_000_000, marks=pytest.mark.long),
    ],
    ids=lambda part: part if isinstance(part, int) else part[0],
)
def test_wide_formats(names, count):
    """Random operands, whose sums and products meet often, and all triples of boundary cases (of them a part)."""
    fmt, rng = parse(names[0]), np.random.default_rng(count)
    random = [random_codes(fmt, rng, count, columns) for columns in (2, 3)]
    random[0].append(rng.integers(0, 1 << fmt.width, count))
    directed = [column[:: 1 if count > 60_000 else 5] for column in boundary_tuples(fmt, 3)]
    check(names, OPERATIONS, [np.concatenate(parts) for parts in zip(*random, directed, strict=True)])


@pytest.mark.parametrize("operation", OPERATIONS)
def test_results_come_as_many_cycles_later_as_there_are_stages(operation):
    fmt, kind = parse("ieee_e4m3"), OPERATIONS[operation]
    columns = [np.random.default_rng(5).integers(0, 256, 40) for _ in kind.operands]
    results = expected(fmt, kind, columns).tolist()
    counts = []
    for stages in range(len(kind.cuts) + 1):
        unit, found = FloatUnit(operation=operation, fmt=fmt, stages=stages), []
        counts.append(kind.flip_flops(fmt, stages))
        top = Module()
        top.submodules.unit = unit

        async def bench(ctx, unit=unit, found=found, stages=stages):
            for row in zip(*(column.tolist() for column in columns), strict=True):
                for name, code in zip(kind.operands, row, strict=True):
                    ctx.set(getattr(unit, name), code)
                if not stages:
                    found.append(ctx.get(unit.r))
                await ctx.tick()
                if stages:
                    found.append(ctx.get(unit.r))

        top.d.sync += top_toggle(top)
        clocked(top, bench)
        late = max(stages - 1, 0)
        assert found[late:] == results[: len(results) - late], stages
    assert counts[0] == 0 and counts == sorted(counts)


def top_toggle(m):
    """Something in the clock domain, which a unit without stages does not use."""
    beat = Signal()
    return beat.eq(~beat)


def test_units_that_cannot_be_made_are_refused():
    with pytest.raises(InputError, match="a float of 2 exponent bits or more with the rules ieee or finite, not in mini_e4m3"):
        OPERATIONS["add"].check(parse("mini_e4m3"), 0)
    with pytest.raises(InputError, match="rules ieee or finite, not in e5m2"):
        OPERATIONS["fma"].check(parse("e5m2"), 0)
    with pytest.raises(InputError, match="of 2 exponent bits or more .* not in finite_e1m3"):
        OPERATIONS["fma"].check(parse("finite_e1m3"), 0)
    for operation, stages, most in (("add", 4, 3), ("multiply", 3, 2), ("compare", 2, 1), ("fma", -1, 3)):
        with pytest.raises(InputError, match=f"stages must be 0 to {most}, not {stages}"):
            OPERATIONS[operation].check(parse("fp16"), stages)


def test_cuts_register_the_first_places_and_keep_what_is_not_there():
    m, cuts = Module(), Cuts(("late", "early"), 1)
    x = Signal(5)
    assert cuts(m, "early", x, None) == (x, None) and cuts.flip_flops == 0
    kept, none = cuts(m, "late", x, None)
    assert kept is not x and len(kept) == 5 and none is None and cuts.flip_flops == 5
    Fragment.get(m, None)
