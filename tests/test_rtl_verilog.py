"""Verilog that means what Amaranth's simulator says and that linters take as it is."""

import hashlib
import os
import re
import subprocess
import sys

import pytest
from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from gateware import complaints, flip_flops

from golden.formats import parse
from rtl.generate import generate
from rtl.pe import ProcessingElement
from rtl.targets import TARGETS
from rtl.verilog import emit
from tb.simulators import required

BENCH = [(name, settings) for name, row in TARGETS.items() for settings in row.bench]
ODD = [
    ("ternary_gemm", {"rows": 1, "cols": 2, "a": "uint1", "acc_width": 2}),
    ("ternary_gemm", {"rows": 2, "cols": 1, "a": "uint8", "acc_width": 9}),
    ("binary_gemm", {"rows": 3, "cols": 2, "a": "uint16", "acc_width": 17}),
    ("int8_gemm", {"rows": 2, "cols": 1, "a": "int16", "acc_width": 24}),
    ("int8_gemm", {"rows": 1, "cols": 1, "a": "uint1", "acc_width": 8}),
    ("xnor_gemm", {"rows": 3, "cols": 2, "lanes": 1, "acc_width": 6}),
    ("xnor_gemm", {"rows": 1, "cols": 1, "lanes": 64, "acc_width": 8}),
    ("xnor_gemm", {"rows": 2, "cols": 1, "lanes": 2, "acc_width": 3}),
    ("ttq_gemm", {"rows": 1, "cols": 2, "a": "uint1", "acc_width": 2}),
    ("ttq_gemm", {"rows": 2, "cols": 1, "a": "int16", "acc_width": 17}),
    ("log_gemm", {"rows": 3, "cols": 2, "a": "upow2z_3e-5", "w": "pow2z_3", "acc_width": 20}),
    ("log_gemm", {"rows": 1, "cols": 2, "a": "upow2z_1", "w": "pow2z_2", "acc_width": 5}),
    ("log_gemm", {"rows": 2, "cols": 1, "a": "pow2z_6", "w": "upow2z_5", "acc_width": 64}),
    ("log_gemm", {"rows": 1, "cols": 1, "a": "upow2z_2", "w": "upow2z_2", "acc_width": 8}),
    ("codebook_gemm", {"rows": 1, "cols": 2, "bits": 8, "entry": "int4", "acc_width": 20}),
    ("codebook_gemm", {"rows": 2, "cols": 2, "bits": 1, "entry": "int3"}),
    ("codebook_gemm", {"rows": 1, "cols": 1, "bits": 3, "entry": "int16", "a": "int2", "acc_width": 18}),
    ("codebook_gemm", {"rows": 1, "cols": 2, "bits": 2, "entry": "int5", "a": "upow2z_3"}),
    ("int8_gemm", {"rows": 2, "cols": 1, "w": "int2", "a": "mini_e3m2"}),
    ("int8_gemm", {"rows": 1, "cols": 1, "w": "int16", "a": "uint16", "acc_width": 34}),
    ("pow2_gemm", {"rows": 2, "cols": 1, "a": "upow2z_3"}),
    ("pow2_gemm", {"rows": 1, "cols": 2, "a": "int2", "w": "pow2z_5"}),
    ("minifloat_gemm", {"rows": 1, "cols": 1, "a": "int5", "w": "mini_e5m2"}),
    ("ternary_gemm", {"rows": 2, "cols": 1, "a": "pow2z_3e4"}),
    ("requant", {"lanes": 1, "x": "int2", "y": "int2", "m_width": 2, "b_width": 2}),
    ("requant", {"lanes": 3, "x": "int8", "y": "int32", "m_width": 8, "b_width": 12}),
    ("requant", {"lanes": 1, "x": "int29", "y": "uint1", "m_width": 32}),
    ("requant", {"lanes": 2, "y": "uint16", "m_width": 9, "b_width": 61}),
    ("requant", {"lanes": 1, "y": "binary"}),
    ("requant", {"lanes": 1, "y": "pow2_4e-3"}),
    ("requant", {"lanes": 2, "y": "pow2z_6", "x": "int40", "m_width": 13, "b_width": 52}),
    ("requant", {"lanes": 1, "y": "upow2z_1", "x": "int2", "m_width": 2, "b_width": 2}),
    ("requant", {"lanes": 2, "y": "binary", "x": "int2", "m_width": 2, "b_width": 2}),
    ("requant", {"lanes": 1, "y": "binary", "x": "int4", "m_width": 2, "b_width": 12}),
    ("ternary_layer", {"rows": 1, "cols": 1, "y": "int2", "acc_width": 9, "m_width": 2, "b_width": 2}),
    ("mac_tree_fixed", {"lanes": 1, "a": "uint1", "w": "int2", "bias": "int3", "y": "uint1"}),
    ("mac_tree_fixed", {"lanes": 64, "a": "int3", "w": "int2", "longest": 64, "y": "int8e4"}),
    ("mac_tree_dfp", {"lanes": 7, "relu": 1, "a": "uint16", "w": "int16", "bias": "int48", "y": "int32"}),
    ("mac_tree_pow2", {"lanes": 1, "a": "uint4", "w": "pow2_6"}),
    ("mac_tree_pow2", {"lanes": 6, "a": "int2", "w": "pow2z_2", "longest": 1, "bias": "int2", "y": "int2"}),
    ("mac_tree_minifloat", {"lanes": 3, "a": "mini_e3m0", "w": "mini_e4m0", "bias": "int8e-9", "y": "mini_e4m0"}),
    ("mac_tree_minifloat", {"lanes": 3, "longest": 1, **dict.fromkeys(("a", "w", "bias", "y"), "mini_e1m0")}),
    ("mac_tree_minifloat", {"lanes": 1, "a": "mini_e4m0", "w": "int4e-2", "bias": "mini_e5m2", "y": "int8e-2"}),
    ("mac_tree_minifloat", {"lanes": 5, "a": "e4m3", "w": "pow2_4", "bias": "e2m1", "y": "mini_e1m4", "relu": 1}),
    ("mac_tree_minifloat", {"lanes": 1, "accumulate": "fp32", "a": "int8e-3", "w": "e5m2", "bias": "int9", "y": "e3m2"}),
    ("mac_tree_minifloat", {"lanes": 2, "accumulate": "fp32", "a": "fp16", "w": "fp16", "bias": "fp16", "y": "mini_e5m20"}),
    ("float_add", {"format": "finite_e8m23", "stages": 3}),
    ("float_multiply", {"format": "ieee_e2m1", "stages": 2}),
    ("float_multiply", {"format": "e2m1_ftz", "stages": 1}),
    *(("float_fma", {"format": name, "stages": 3}) for name in ("ieee_e2m1", "ieee_e8m1_ftz", "ieee_e2m23")),
    ("float_compare", {"format": "fp16_ftz", "lanes": 2}),
    ("dpred_encoder", {"group": 256, "zeros": 1}),
    ("dpred_encoder", {"word": 16, "group": 4}),
    ("dpred_decoder", {"group": 256, "zeros": 1}),
    ("dpred_decoder", {"word": 16, "group": 4}),
    ("dlac_fp32", {"rows": 1, "cols": 1, "pixels": 1, "filters": 1, "units": 1, "depth": 1, "a": "ieee_e3m2"}),
    ("dlac_fp32", {"rows": 3, "cols": 1, "pixels": 1, "filters": 5, "units": 5, "depth": 5, "a": "ieee_e4m3_ftz"}),
    ("dlac_fp16", {"rows": 1, "cols": 2, "pixels": 5, "filters": 2, "units": 2, "a": "e2m3", "w": "e2m3", "skip": "none"}),
    ("dlac_fp16", {"cols": 1, "pixels": 2, "filters": 1, "depth": 16, "a": "e3m2", "skip": "activations"}),
]


@pytest.mark.parametrize(("name", "settings"), BENCH + ODD, ids=lambda part: str(part).replace(" ", ""))
def test_a_target_is_clean_verilog_with_the_registers_it_states(name, settings, tmp_path):
    row = TARGETS[name]
    engine = row.engine(**settings)
    verilog, _ = generate(row, engine)
    assert complaints(verilog, name, tmp_path) == ""
    modules = re.findall(r"^module (\S+)\(", verilog, re.M)
    assert modules[0] == name and all(module.startswith(f"{name}_") for module in modules[1:])
    assert len(set(modules)) == len(modules)
    assert not re.search(r"\\\S", verilog), "a name that had to be escaped"
    assert set(re.findall(r"\$\w*", verilog)) <= {"$signed"}
    assert not re.search(r"'[bhd]?\w*x", verilog), "a constant that is unknown"
    assert "initial" not in verilog and "lint_off" not in verilog.replace("lint_off DECLFILENAME", "")
    assert flip_flops(verilog, name) == engine.flip_flops


SECOND_RUN = """
import hashlib, sys
from golden.formats import parse
from rtl.generate import generate
from rtl.pe import ProcessingElement
from rtl.targets import TARGETS
for name in sys.argv[1:]:
    row = TARGETS[name]
    verilog, sidecar = generate(row, row.engine(**row.bench[0]))
    print(name, hashlib.sha256((verilog + str(sidecar)).encode()).hexdigest())
"""


def test_another_process_writes_the_same_bytes():
    names = ("int8_gemm", "ternary_layer")  # all engines' components are in them
    environment = os.environ | {"PYTHONHASHSEED": "12345"}
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", SECOND_RUN, *names],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    found = dict(line.split() for line in run.stdout.splitlines())
    for name in names:
        row = TARGETS[name]
        verilog, sidecar = generate(row, row.engine(**row.bench[0]))
        assert found[name] == hashlib.sha256((verilog + str(sidecar)).encode()).hexdigest()


class Mixture(wiring.Component):
    """Operations on numbers of unequal widths and signs, cut short in many ways."""

    def __init__(self):
        super().__init__({"a": In(4), "b": In(signed(6)), "c": In(signed(3)), "y": Out(60)})

    def elaborate(self, platform):
        m = Module()
        a, b, c = self.a, self.b, self.c
        values = [
            (a + b)[:5],
            (b - c)[:3],
            (a - a[:2] + c)[:6],
            b * c,
            (a * c)[:4],
            a + Const(-3, signed(3)),
            c < b,
            a >= b,
            c == a,
            b != c,
            Mux(c < 0, ~b, b) >> a[:2],
            -c,
            (b + b)[6],
            (a + a)[2:4],
        ]
        named = Signal(signed(9), name="named")
        m.d.comb += [named.eq(b - a), self.y.eq(Cat(*values, named))]
        return m


def test_what_is_written_means_what_was_described(tmp_path):
    mixture = Mixture()
    expected = []
    cases = [(a, b, c) for a in range(16) for b in range(-32, 32, 3) for c in range(-4, 4)]

    async def bench(ctx):
        for case in cases:
            for port, value in zip((mixture.a, mixture.b, mixture.c), case, strict=True):
                ctx.set(port, value)
            expected.append(ctx.get(mixture.y))

    simulator = Simulator(mixture)
    simulator.add_testbench(bench)
    simulator.run()

    (tmp_path / "mixture.v").write_text(emit(Mixture(), "mixture"))
    steps = "\n".join(f'    a = {a}; b = {b & 63}; c = {c & 7}; #1 $display("%h", y);' for a, b, c in cases)
    (tmp_path / "bench.v").write_text(
        "module bench;\n  reg [3:0] a; reg [5:0] b; reg [2:0] c; wire [59:0] y;\n"
        f"  mixture dut(.a(a), .b(b), .c(c), .y(y));\n  initial begin\n{steps}\n  end\nendmodule\n"
    )
    subprocess.run([required("iverilog", "iverilog"), "-o", "sim", "bench.v", "mixture.v"], cwd=tmp_path, check=True)
    run = subprocess.run([required("vvp", "iverilog"), "sim"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert [int(line, 16) for line in run.stdout.split()] == expected


@pytest.mark.parametrize("exit", [True, False])
def test_a_component_without_parts_is_one_module(exit):
    verilog = emit(ProcessingElement(a=parse("uint8"), w=parse("ternary"), acc_width=32, exit=exit), "element")
    assert verilog.startswith("// Generated by Narrowgate.\n\nmodule element(") and verilog.count("module ") == 1
    assert "parts of the one" not in verilog and verilog.endswith("endmodule\n")
    assert not re.search(r"\\\S", verilog) and flip_flops(verilog, "element") == 8 + 2 + 1 + 32
