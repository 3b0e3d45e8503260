"""Which modules are compiled apart, and that a design in which some are does the same."""

import numpy as np

from rtl.generate import generate
from rtl.targets import target
from tb import repeated
from tb.cases import directed, random_cases
from tb.memory import Memory, run_cases
from tb.repeated import apart, modules

TEXT = """\
module top(clk);
  pair first (
    .clk(clk)
  );
  pair second (
    .clk(clk)
  );
endmodule

module pair(clk);
  leaf only (
    .clk(clk)
  );
endmodule

module leaf(clk);
  input clk;
endmodule
"""


def test_modules_that_are_heavy_are_taken_out_with_those_below():
    texts = modules(TEXT)
    assert list(texts) == ["top", "pair", "leaf"]
    both = len(texts["pair"]) + len(texts["leaf"])
    assert apart(TEXT, 2 * both - 1) == (texts["top"], {"pair": texts["pair"] + texts["leaf"]})
    assert apart(TEXT, 2 * both) == (TEXT, {})


def test_a_design_whose_elements_are_apart_has_the_same_results_and_cycles(monkeypatch):
    row = target("ternary_gemm")
    engine = row.engine(**row.bench[0])
    monkeypatch.setattr("tb.simulators.apart", lambda verilog: repeated.apart(verilog, 1000))
    verilog, sidecar = generate(row, engine)
    assert list(apart(verilog, 1000)[1]) == ["ternary_gemm_pe"]
    memory = Memory("// apart\n" + verilog, sidecar)  # not the build that others have
    for case in directed(engine, np.random.default_rng(1))[:6] + random_cases(engine, np.random.default_rng(2), 3):
        _, cycles = run_cases(memory, [case])
        assert cycles == case.cycles
