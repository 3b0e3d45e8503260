"""The codecs in Verilog: every parameter, containers that are wrong in every way, and one codec behind the other."""

from itertools import product

import numpy as np
import pytest

from golden.dpred import DpredSpec, encode
from golden.dpred_widths import WidthTable
from golden.dpred_codecs import decoded
from golden.errors import InputError
from rtl.dpred_stimulus import mutated, random_table, random_values
from rtl.targets import TARGETS
from tb.cases import Case, directed, random_cases
from tb.memory import Stalls, built, run, run_cases

NAMES = ("dpred_encoder", "dpred_decoder")
SETTINGS = [
    {"word": word, "signed": signed, "group": group, "zeros": zeros}
    for word, signed, group, zeros in product((8, 16), (0, 1), (4, 8, 16, 32, 64, 128, 256), (0, 1))
]
FEW = [SETTINGS[0], SETTINGS[15], SETTINGS[31], SETTINGS[46]]
STALLS = (
    Stalls(),
    Stalls(idle=90, stall=90, burst=3, seed=2),
    Stalls(stall=150, burst=7, seed=3),
    Stalls(idle=150, burst=15, seed=4),
    Stalls(idle=30, stall=30, lazy=1, reset_at=211, seed=5),
)


def in_memory(name, settings):
    """A codec's engine and its design on Verilator."""
    return built(name, tuple(sorted(settings.items())), "verilator")


def check(name, settings):
    """Every case alone takes the cycles of the model; all of them, one behind the other, come through any stall."""
    engine, memory = in_memory(name, settings)
    rng = np.random.default_rng(1)
    cases = directed(engine, rng, amount=3) + random_cases(engine, rng, 30)
    for case in cases[::2]:
        assert run_cases(memory, [case])[1] == case.cycles
    for stalls in STALLS:
        run_cases(memory, cases, stalls)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("settings", FEW[1:2], ids=str)
def test_of_some_parameters(name, settings):
    check(name, settings)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_of_all_parameters(name, settings):
    check(name, settings)


def fuzz(settings, count):
    """Give `count` mutated containers to the decoder: the verdicts, which are all golden's."""
    engine, memory = in_memory("dpred_decoder", settings)
    rng, spec = np.random.default_rng(5), engine.spec
    drawn = [random_values(rng, spec, rng.integers(1, 150)) for _ in range(20)]
    containers = [encode(spec, x, random_table(rng, spec, x)) for x in drawn]
    containers += [encode(DpredSpec(word=24 - spec.word, group=4), np.arange(30))]
    cases = [Case(engine, {"c": mutated(rng, containers[rng.integers(len(containers))])}) for _ in range(count)]
    verdicts = []
    for stalls in STALLS[:2]:
        found, _ = run_cases(memory, cases, stalls)
        verdicts.append([int(results["e"][0]) for results in found])
    assert verdicts[0] == verdicts[1] == [decoded(spec, case.operands["c"])[0] for case in cases]
    return verdicts[0]


@pytest.mark.parametrize("settings", FEW[1:2], ids=str)
def test_mutated_containers_get_the_verdict_of_golden(settings):
    verdicts = fuzz(settings, 2000)
    assert {0, 1, 3} == set(verdicts) and np.count_nonzero(verdicts) > 1600


@pytest.mark.long
@pytest.mark.parametrize("settings", FEW, ids=str)
def test_many_mutated_containers_get_the_verdict_of_golden(settings):
    fuzz(settings, 5000)


@pytest.mark.parametrize("settings", FEW[1:2], ids=str)
def test_one_codec_undoes_the_other(settings):
    """At a word a cycle of the wider side: of memory if values are narrow, of the container if they are of any width."""
    rng, spec = np.random.default_rng(6), DpredSpec(**settings)
    narrow, wide = random_values(rng, spec, 3001), rng.integers(spec.format.lo, spec.format.hi + 1, 3001)
    for x in (narrow, wide):
        results, cycles = run("dpred_encoder", settings, {"x": x})
        container, memory = results["c"].view(np.uint64), -(-x.size // spec.per_word)
        assert results["e"].tolist() == [0] and container.tolist() == encode(spec, x).tolist()
        assert (container.size > memory) == (x is wide)
        wider, group = max(container.size, memory), max(1, spec.group // spec.per_word)
        assert wider < cycles <= wider + group + 4  # the first group, registers
        results, cycles = run("dpred_decoder", settings, {"c": results["c"]})
        assert results["e"].tolist() == [0] and results["x"].tolist() == x.tolist()
        assert wider < cycles <= wider + 5


@pytest.mark.parametrize(
    ("name", "operands", "message"),
    [
        ("dpred_encoder", {"x": [256]}, "x holds 256"),
        ("dpred_encoder", {"x": []}, "x must"),
        ("dpred_encoder", {"n": 4}, "operands must be x, n, table, not n, table"),
        ("dpred_encoder", {"x": [1], "n": -1}, "n must be one integer from 0 to 4294967295, not -1"),
        ("dpred_encoder", {"x": [1], "n": [1]}, r"n must be one integer from 0 to 4294967295, not \[1\]"),
        ("dpred_encoder", {"x": [1], "table": 512}, "table must be one integer from 0 to 511, not 512"),
        ("dpred_decoder", {"c": np.zeros(3, np.int32)}, r"c must be at least one word of 64 bits in a row, not int32 \[3\]"),
        ("dpred_decoder", {"c": np.zeros(0, np.uint64)}, r"c must be at least one word of 64 bits in a row, not uint64 \[0\]"),
        ("dpred_decoder", {"x": [1]}, "operands must be c, not x"),
    ],
)
def test_operands_that_do_not_suit_are_refused(name, operands, message):
    with pytest.raises(InputError, match=message):
        TARGETS[name].engine().check(operands)


def test_parameters_out_of_range_are_refused():
    for settings, message in (({"group": 3}, "group must be"), ({"word": 12}, "word must be"), ({"zeros": 2}, "zeros must")):
        with pytest.raises(InputError, match=f"dpred_decoder: {message}"):
            TARGETS["dpred_decoder"].engine(**settings)


@pytest.mark.parametrize("name", NAMES)
def test_directed_cases_hold_every_lie_about_the_count(name):
    engine = TARGETS[name].engine(group=4)
    verdicts = [case.results["e"][0] for case in directed(engine, np.random.default_rng(1), amount=16)]
    assert set(verdicts) == ({0, 1} if name == "dpred_encoder" else {0, 1, 3})
