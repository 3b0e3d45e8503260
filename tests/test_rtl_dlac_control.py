"""Instructions: which steps they take, what they wait for, and what is flagged."""

import pytest
from gateware import clocked, evaluate

from golden.dlac_grid import GridShape
from golden.dlac_program import (
    ADD,
    BUFFER,
    FIELDS,
    LOAD,
    MADD,
    NOP,
    SEL,
    STREAM,
    SUB,
    TABLE,
    Instruction,
    program_cycles,
)
from golden.formats import parse
from rtl.dlac_control import SOURCES, DlacControl, is_equal

SHAPE = GridShape(rows=2, cols=1, pixels=3, filters=3, units=2, adders=1, depth=2, adder_latency=3)


def played(rows, beat=lambda cycle: True):
    """What happens in each cycle of one tile of one k-step with the program `rows`, and the flags."""
    control, seen, flagged = DlacControl(shape=SHAPE, fmt=parse("ieee_e4m3")), [], []

    async def bench(ctx):
        await ctx.tick()
        ctx.set(control.offered, 1)
        ctx.set(control.last, 1)
        assert ctx.get(control.takes)
        await ctx.tick()
        ctx.set(control.offered, 0)
        ctx.set(control.y_ready, 1)
        at = 0
        for cycle in range(100):
            ctx.set(control.order.valid, int(at < len(rows)))
            if at < len(rows):
                for what, value in zip(FIELDS, rows[at]):
                    ctx.set(control.order.payload.data[what], int(value))
                ctx.set(control.order.payload.last, int(at == len(rows) - 1))
            ctx.set(control.v_valid, int(beat(cycle)))
            ctx.set(control.flags.ready, 1)
            keys = ("s", "d", "rows", "product", "subtract", "select", "load", "v_ready")
            step = {key: ctx.get(getattr(control, key)) for key in keys}
            step["filter"] = [ctx.get(bits) for bits in control.filters]
            step["kinds"] = {k: {what for what in SOURCES if ctx.get(control.kinds[k][what])} for k in "xyz"}
            line = tuple(ctx.get(getattr(control, key)) for key in ("leaves_row", "leaves", "y_last"))
            step["y"] = line if ctx.get(control.y_valid) else None
            seen.append(step)
            at += ctx.get(control.order.ready & control.order.valid)
            if ctx.get(control.flags.valid & control.flags.ready):
                flagged.append(ctx.get(control.flags.payload.data))
            over = ctx.get(control.clear)
            await ctx.tick()
            if over:
                break
        assert ctx.get(control.takes) == 0 and not ctx.get(control.clear)

    clocked(control, bench)
    return seen, flagged


def test_steps_and_results():
    rows = [
        Instruction(op=SUB, v1=BUFFER, v2=STREAM, d=1, s=2, row=1).fields,
        Instruction(op=MADD, v1=TABLE, v2=BUFFER, v3=STREAM, d=0).fields,
        Instruction(op=SEL, v1=BUFFER, v2=STREAM, v3=TABLE, d=2).fields,
        Instruction(op=LOAD).fields,
    ]
    seen, flagged = played(rows)
    assert flagged == [0]
    busy = [step for step in seen if any(step["filter"])]
    assert [(step["d"], step["s"], step["rows"], step["filter"]) for step in busy] == [
        (2, 4, 2, [1, 2]),
        (2, 4, 2, [4, 0]),
        (1, 1, 3, [1, 0]),
        (1, 1, 3, [2, 0]),
        (1, 1, 3, [4, 0]),
        (4, 4, 3, [1, 2]),
        (4, 4, 3, [4, 0]),
    ]
    does = [(step["product"], step["subtract"], step["select"]) for step in busy]
    assert does == [(0, 1, 0)] * 2 + [(1, 0, 0)] * 3 + [(0, 0, 1)] * 2
    sources = [busy[i]["kinds"] for i in (0, 2, 5)]
    assert sources[0] == {"x": {"buffer"}, "y": {"stream"}, "z": {"stream"}}
    assert sources[1] == {"x": {"table"}, "y": {"buffer"}, "z": {"stream"}}
    assert sources[2] == {"x": {"stream"}, "y": {"buffer"}, "z": {"table"}}
    assert [i for i, step in enumerate(seen) if step["v_ready"]] == [1, 4, 6, 7]
    assert [i for i, step in enumerate(seen) if step["load"]] == [7]
    leaving = [step["y"] for step in seen if step["y"]]
    assert leaving == [(r, p, int(r == 2 and p == 4)) for r in (1, 2) for p in (1, 2, 4)]
    assert seen[-7]["y"] is None and len(seen) == program_cycles(SHAPE, rows) + 6


@pytest.mark.parametrize("op", [NOP, ADD, MADD])
@pytest.mark.parametrize("source", [0, 1])
def test_an_instruction_waits_for_the_line_it_reads(op, source):
    rows = [Instruction(op=ADD, v1=BUFFER, d=1).fields, Instruction(op=op, v1=BUFFER, d=0, s=source).fields] * 2
    seen, _ = played(rows)
    assert len(seen) == program_cycles(SHAPE, rows) + 6


def test_an_instruction_waits_for_its_beat():
    rows = [Instruction(op=ADD, v1=BUFFER, v2=STREAM, d=d).fields for d in range(3)]
    seen, _ = played(rows, beat=lambda cycle: cycle >= 7)
    assert [i for i, step in enumerate(seen) if step["v_ready"]] == [8, 10, 12]
    assert sum(any(step["filter"]) for step in seen) == 6


@pytest.mark.parametrize("number", [0, 1, 5])
def test_equality_with_a_number(number):
    assert evaluate(lambda m, x: is_equal(x, number), (3,), [(x,) for x in range(8)]) == [x == number for x in range(8)]
