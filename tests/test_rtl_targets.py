"""The registry as a user meets it."""

import numpy as np
import pytest

from golden.errors import InputError
from rtl.targets import TARGETS, target


def test_an_unknown_target_is_refused_with_the_known_ones():
    assert target("requant") is TARGETS["requant"]
    with pytest.raises(InputError, match="no target is called 'gemm'; allowed: ternary_gemm, binary_gemm, int8_gemm, "):
        target("gemm")


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("ternary_gemm", {"row": "4"}, "ternary_gemm: no parameter is called 'row'; allowed: rows, cols, a"),
        ("ternary_gemm", {"w": "int8"}, "ternary_gemm: no parameter is called 'w'"),
        ("int8_gemm", {"acc_width": "12"}, "int8_gemm: sums of 1 products of uint8 and int8 need"),
        ("requant", {"lanes": "0"}, "requant: lanes must be 1 to 64, not 0"),
        ("ternary_layer", {"y": "float"}, "ternary_layer: no number format is called 'float'"),
    ],
)
def test_what_is_wrong_with_a_parameter_is_said_of_its_target(name, settings, message):
    with pytest.raises(InputError, match=message):
        TARGETS[name].engine(**settings)


@pytest.mark.parametrize("name", TARGETS)
def test_weights_and_activations_of_a_target(name):
    """Every target takes its own stimulus, and golden's answer lies in the format of its results."""
    for settings in TARGETS[name].bench:
        engine = TARGETS[name].engine(**settings)
        operands = engine.check(engine.stimulus(np.random.default_rng(7)))
        assert set(operands) == set(engine.operands)
        results = engine.golden(operands)
        assert set(results) == set(engine.results)
        if "y" in results:
            assert results["y"].shape == (operands[engine.operands[0]].shape[0], operands[engine.operands[1]].shape[-1])
        beats = engine.beats(operands)
        assert engine.cycles(operands) >= max(beats.values()) + (engine.latency if "y" in results else 1)


@pytest.mark.parametrize(
    ("name", "pe"), [("ternary_gemm", 8 + 2 + 1 + 32), ("binary_gemm", 8 + 1 + 1 + 32), ("int8_gemm", 8 + 8 + 1 + 32)]
)
def test_registers_of_the_array_as_its_paper_counts_them(name, pe):
    """Operands, sum and control of 64 elements, triangles of skew and deskew, and the control's."""
    weights = pe - 41
    assert TARGETS[name].engine().flip_flops == 64 * pe + 28 * (8 + weights + 32) + 2 + 7 + 15
