"""Which array runs which layer."""

import pytest

from golden.errors import InputError
from golden.formats import parse
from golden.gemm import Exact, GemmSpec
from tb.arrays import gemm_target, without_unit


def spec(a, w):
    return GemmSpec(a=parse(a), w=parse(w), k=3, accumulate=Exact(64))


@pytest.mark.parametrize(
    ("a", "w", "name"),
    [
        ("uint8", "ternary", "ternary_gemm"),
        ("uint8", "binary", "binary_gemm"),
        ("int8e-3", "int8e-6", "int8_gemm"),
        ("uint4", "int4e-2", "int8_gemm"),
        ("int4", "uint7", "int8_gemm"),
        ("uint8", "pow2_4e-2", "pow2_gemm"),
        ("mini_e4m3", "mini_e4m3", "minifloat_gemm"),
        ("binary", "binary", "xnor_gemm"),
        ("binary", "int8", "int8_gemm"),
        ("ternary", "binary", "binary_gemm"),
        ("upow2z_4e-9", "pow2z_4", "log_gemm"),
        ("pow2z_3", "pow2_4", "log_gemm"),
        ("upow2z_4", "ternary", "ternary_gemm"),
        ("uint8", "codebook_int8_00ff", "codebook_gemm"),
    ],
)
def test_the_formats_of_a_layer_find_its_target(a, w, name):
    assert gemm_target(spec(a, w)) == name == gemm_target(spec(a, w), name)


def test_one_of_two_masks_runs_with_the_other_only_where_that_is_said():
    masks = spec("uint8", "uint1")
    assert gemm_target(masks, "ttq_gemm") == "ttq_gemm" and gemm_target(masks) == "int8_gemm"


def test_a_layer_without_a_target_is_refused():
    with pytest.raises(InputError, match="no target among .*ternary_gemm.* multiplies uint8 by weights of int9"):
        gemm_target(spec("uint8", "int9"))
    for name in ("ternary_gemm", "ternary_layer", "stripes"):
        with pytest.raises(InputError, match=f"no target among {name} multiplies uint8 by weights of int4"):
            gemm_target(spec("uint8", "int4"), name)


def test_units_are_no_matter_of_hardware():
    names = {"int8e-4": "int8", "pow2z_5e-15": "pow2z_5", "upow2z_4e2": "upow2z_4", "ternary": "ternary", "e4m3": "e4m3"}
    assert {name: without_unit(parse(name)).name for name in names} == names
