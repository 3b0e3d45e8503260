import pytest

from golden.errors import InputError
from quant.space import Part, width


def test_widths_of_the_search():
    assert [width(bits, "conv") for bits in (1, 16)] == [1, 16]
    for bits in (0, 17, 4.0, True, None):
        with pytest.raises(InputError) as error:
            width(bits, "conv")
        assert str(error.value) == f"width of conv must be 1 to 16 bits, not {bits}"
    with pytest.raises(InputError, match="width of all must be 2 to 16 bits, not 1"):
        width(1, "all", 2)


def test_parts_are_spelled():
    assert str(Part("dense", ("ip1",), 400_000)) == "weights of ip1"
    assert str(Part("outputs", ("a", "b"), 5)) == "outputs of a, b"
