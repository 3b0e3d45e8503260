"""The serial inner-product unit, digit by digit, against integers."""

import numpy as np
import pytest
from gateware import clocked

from golden.formats import parse
from rtl.sip import Digits, SerialUnit

CONFIGURATIONS = [  # a, w, digits of a and of w, lanes, acc_width
    ("uint8", "int8", 8, 8, 5, 32),
    ("int5", "int3", 5, 3, 2, 10),
    ("uint1", "int2", 1, 2, 1, 4),
    ("uint16", "int16", 1, 16, 16, 40),
    ("int2", "int2", 1, 2, 1, 8),
    ("int7", "int4", 1, 4, 3, 18),
    ("int4", "int2", 1, 2, 6, 6),  # shorter than sums could be: they wrap
    ("uint9", "int5", 1, 1, 7, 20),
    ("int6", "int4", 1, 1, 16, 16),
    ("int7", "int3", 2, 1, 3, 14),
    ("uint8", "int8", 4, 1, 5, 24),
    ("int3", "int6", 4, 1, 4, 17),
]


def drawn(rng, fmt, lanes):
    """Codes, now and then nothing but limits."""
    if rng.random() < 0.3:
        return rng.choice([0, 1 << fmt.width - 1, (1 << fmt.width) - 1], lanes)
    return rng.integers(0, 1 << fmt.width, lanes)


def digit(code, fmt, index, bits):
    """A digit of a code, which is extended as far as it needs."""
    count = -(-fmt.width // bits)
    whole = int(fmt.integers(code)) & ((1 << count * bits) - 1)
    return whole >> index * bits & ((1 << bits) - 1)


@pytest.mark.parametrize(("a", "w", "a_digit", "w_digit", "lanes", "acc_width"), CONFIGURATIONS)
def test_sums_of_digits_in_any_order(a, w, a_digit, w_digit, lanes, acc_width):
    a, w = parse(a), parse(w)
    whole = (a_digit, w_digit) == (a.width, w.width)
    sizes = dict(lanes=lanes, acc_width=acc_width, a_digit=a_digit, w_digit=w_digit)
    digits = Digits(a=a, w=w, multiplies=whole, **sizes)
    unit = SerialUnit(digits)
    rng = np.random.default_rng(lanes)
    mask = (1 << acc_width) - 1
    schedule, expected = [], []  # of all steps: (a's digits, w's, highest, negative, shift, fresh, ends)
    for _ in range(12):
        total = 0
        passes = rng.integers(1, 4)
        for step in range(passes):
            x, y = (drawn(rng, fmt, lanes) for fmt in (a, w))
            total += int(a.integers(x) @ w.integers(y))
            places = [(i, j) for i in range(digits.a_digits) for j in range(digits.w_digits)]
            rng.shuffle(places)
            for number, (i, j) in enumerate(places):
                highest = i == digits.a_digits - 1
                negative = (a.signed and a_digit == 1 and highest) != (w_digit == 1 and j == w.width - 1)
                fields = [digit(int(code), a, i, a_digit) for code in x], [digit(int(code), w, j, w_digit) for code in y]
                fresh, ends = step == number == 0, step == passes - 1 and number == len(places) - 1
                schedule.append((*fields, highest, negative, i * a_digit + j * w_digit, fresh, ends))
        expected.append(total & mask)
    seen = []

    async def bench(ctx):
        ctx.set(unit.leaves, 1)
        queue = [*schedule, *[None] * digits.stages]
        for cycle, step in enumerate(queue):
            if step:
                for port, fields, bits in ((unit.a, step[0], a_digit), (unit.w, step[1], w_digit)):
                    ctx.set(port.as_value(), sum(field << i * bits for i, field in enumerate(fields)))
                if digits.signs:
                    ctx.set(unit.highest, int(step[2]))
            following = queue[cycle - digits.stages + 1] if cycle + 1 >= digits.stages else None
            if following:
                ctx.set(unit.fresh, int(following[5]))
                if digits.negates:
                    ctx.set(unit.negative, int(following[3]))
                if digits.shift:
                    ctx.set(unit.shift, int(following[4]))
            now = queue[cycle - digits.stages] if cycle >= digits.stages else None
            ctx.set(unit.adds, int(now is not None))
            ctx.set(unit.ends, int(now is not None and now[6]))
            await ctx.tick()
            if now and now[6]:
                seen.append(ctx.get(unit.leaving_n) ^ mask)
                ctx.set(unit.leaves, 0)
                assert ctx.get(unit.leaving_n) == mask
                ctx.set(unit.leaves, 1)

    clocked(unit, bench)
    assert seen == expected


def test_widths_of_a_unit_of_the_papers():
    shared = dict(a=parse("uint16"), w=parse("int16"), lanes=16, acc_width=48)
    stripes = Digits(a_digit=1, w_digit=16, **shared)
    assert (stripes.sum_width(16), stripes.shift, stripes.flip_flops) == (20, 15, 20 + 96 + 5)
    loom = Digits(a_digit=1, w_digit=1, **shared)
    assert (loom.sum_width(16), loom.shift, loom.flip_flops) == (5, 30, 5 + 96 + 7)
    parallel = Digits(a_digit=16, w_digit=16, multiplies=True, **shared)
    assert (parallel.sum_width(16), parallel.shift, parallel.flip_flops) == (36, 0, 16 * 32 + 36 + 96 + 1)
