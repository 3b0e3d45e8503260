"""Arrays whose weights have a format of the user's: beats through an array, and what is no such format."""

import numpy as np
import pytest
from gateware import array
from hypothesis import given, settings
from hypothesis import strategies as st

from golden.errors import InputError
from golden.formats import parse
from rtl.weight_gemm import IntegerGemm, MinifloatGemm, PowerGemm

WEIGHTS = {
    IntegerGemm: ("int2", "int4", "int8", "int16"),
    PowerGemm: ("pow2_3", "pow2_4", "pow2z_5", "upow2z_2"),
    MinifloatGemm: ("mini_e4m3", "mini_e5m2", "e2m1"),
}


@given(st.sampled_from(list(WEIGHTS)), st.data())
@settings(max_examples=60)
def test_beats_through_an_array_are_products_of_matrices(make, data):
    w = data.draw(st.sampled_from(WEIGHTS[make]))
    a = data.draw(st.sampled_from(("uint8", "int5", "upow2z_3", "mini_e3m2")))
    sizes = {"rows": data.draw(st.integers(1, 3)), "cols": data.draw(st.integers(1, 3))}
    engine = make(a=parse(a), w=parse(w), acc_width=60, **sizes)
    operands = engine.check(engine.stimulus(np.random.default_rng(data.draw(st.integers(0, 2**32)))))
    [y] = engine.unpack(operands, array(engine, engine.pack(operands))).values()
    assert np.array_equal(y, operands["a"].astype(object) @ operands["w"].astype(object))


@pytest.mark.parametrize(
    ("make", "fields", "message"),
    [
        (IntegerGemm, {"w": parse("uint8")}, "w must be signed integers of 2 to 16 bits, not uint8"),
        (IntegerGemm, {"w": parse("int1")}, "w must be signed integers of 2 to 16 bits, not int1"),
        (IntegerGemm, {"w": parse("int17")}, "w must be signed integers of 2 to 16 bits, not int17"),
        (IntegerGemm, {"w": parse("ternary")}, "w must be signed integers of 2 to 16 bits, not ternary"),
        (IntegerGemm, {"w": parse("int16"), "a": parse("int16"), "acc_width": 31}, "sums of 1 products of int16 and int16"),
        (PowerGemm, {"w": parse("int8")}, "w must be powers of two, not int8"),
        (MinifloatGemm, {"w": parse("int8")}, "w must be minifloats of up to 16 bits, not int8"),
        (MinifloatGemm, {"w": parse("mini_e5m20")}, "w must be minifloats of up to 16 bits, not mini_e5m20"),
    ],
)
def test_other_formats_are_refused(make, fields, message):
    with pytest.raises(InputError, match=message):
        make(**fields)
