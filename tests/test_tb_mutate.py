"""Mutation: the bench notices nearly every fault, and what it cannot notice is told apart."""

import json

import pytest

from golden.errors import InputError
from rtl.targets import TARGETS
from tb import mutate as module
from tb.mutate import CONTROL, demand, equivalent, mutate, options

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
    assert report.text().startswith("binary_gemm rows=2 cols=1 a=uint2 acc_width=32: 30 mutants, ")


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
