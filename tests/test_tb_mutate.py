"""Mutation: the bench notices nearly every fault, and what it cannot notice is told apart."""

import json

import pytest

from golden.errors import InputError
from rtl.targets import TARGETS
from tb import mutate as module
from tb.mutate import CONTROL, Mutant, Report, demand, equivalent, modules, mutate, options

CASES = 200


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """Where reports go."""
    monkeypatch.setattr(module, "FOLDER", tmp_path)
    return tmp_path


def test_most_mutants_of_a_small_array_are_killed(folder):
    report = mutate("binary_gemm", count=30, seed=7, settings={"rows": 2, "cols": 1, "a": "uint2"}, progress=False)
    assert len(report.mutants) == 30 and report.score > 0.85
    written = json.loads((folder / "binary_gemm.json").read_text())
    assert written["killed"] + written["equivalent"] + written["survived"] == 30
    assert written["settings"] == {"rows": 2, "cols": 1, "a": "uint2", "acc_width": 32}
    assert all(mutant["by"] for mutant in written["mutants"] if mutant["verdict"] == "killed")
    assert {mutant["verdict"] for mutant in written["mutants"]} <= {"killed", "equivalent", "survived"}
    first, *others = report.text().splitlines()
    assert first.startswith("binary_gemm rows=2 cols=1 a=uint2 acc_width=32: 30 mutants, ")
    assert len(others) == len(report.modules) + written["survived"]
    assert written["modules"].keys() == report.modules.keys() > {"binary_gemm_pe"}


def report_of(*mutants):
    """A report of mutants in given modules with given verdicts."""
    found = [Mutant(i, "inv", i, module, "", verdict) for i, (module, verdict) in enumerate(mutants)]
    return Report("target", {"rows": 2}, 1, tuple(found))


def test_mutants_are_counted_by_module_with_those_that_it_holds():
    killed, survived, equivalent = "killed", "survived", "equivalent"
    places = [("top_pe", killed), ("top_pe_fma", survived), ("top_pe_fma", equivalent), ("top_pet", killed), ("", killed)]
    report = report_of(*places)
    assert report.within("top_pe").counts == {killed: 1, equivalent: 1, survived: 1}
    assert report.within("top_pe").score == 0.5 and report.score == 0.75
    assert {name: len(of.mutants) for name, of in report.modules.items()} == {"top_pe": 3, "top_pe_fma": 2, "top_pet": 1}
    assert report.json()["modules"]["top_pe_fma"] == {killed: 0, equivalent: 1, survived: 1, "score": 0.0}
    assert report.text().splitlines() == [
        "target rows=2: 5 mutants, 3 killed, 1 proven equivalent, 1 survive: 75.0%",
        "  top_pe: 3 mutants, 1 killed, 1 proven equivalent, 1 survive: 50.0%",
        "  top_pe_fma: 2 mutants, 0 killed, 1 proven equivalent, 1 survive: 0.0%",
        "  top_pet: 1 mutants, 1 killed, 0 proven equivalent, 0 survive: 100.0%",
        "  line 1:   <- inv",
    ]


def test_lines_are_in_the_module_that_begins_last():
    assert modules(["", "module a(x);", "endmodule", "", "module b (", "  x;"]) == ["", "a", "a", "a", "b", "b"]


def test_a_mutant_that_changes_nothing_is_proven_so_and_another_is_not(tmp_path):
    design = """
    module pair(input clk, input a, input b, output reg y);
        wire both = a & b;
        wire any = a | both;
        always @(posedge clk) y <= any;
    endmodule
    """
    (tmp_path / "design.v").write_text(design)
    demand("read_verilog design.v\nhierarchy -top pair\nproc\nopt_clean\nwrite_rtlil flat.il\n", tmp_path)
    demand(f"read_rtlil flat.il\nmutate -list 40 -ctrl {CONTROL} 16 1 -o mutants.ys\n", tmp_path)
    verdicts = {}
    for command in (tmp_path / "mutants.ys").read_text().splitlines():
        found = options(command)
        verdicts[found["cell"].split("$")[1], found["port"], found["mode"]] = equivalent(command, "pair", tmp_path)
    assert verdicts["and", "Y", "const0"]  # a | (a & b) is a
    assert not verdicts["and", "Y", "const1"] and not verdicts["or", "Y", "inv"]


def test_counts_and_targets_that_cannot_be_are_refused():
    with pytest.raises(InputError, match="count must be 1 to 60000, not 0"):
        mutate("ternary_gemm", count=0)
    with pytest.raises(InputError, match="no target is called 'gemm'"):
        mutate("gemm")


@pytest.mark.long
@pytest.mark.parametrize("name", TARGETS)
def test_of_every_target_nearly_all_mutants_are_killed(folder, name):
    report = mutate(name, count=CASES, progress=False)
    assert report.score >= 0.95, report.text()
    if name.startswith("dlac"):
        element = report.within(f"{name}_pe")
        assert len(element.mutants) >= 100 and element.score >= 0.95, report.text()
