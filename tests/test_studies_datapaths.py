"""studies.datapaths on the smallest arrays: what is measured and printed."""

import pytest

from golden.errors import InputError
from studies.datapaths import areas, lanes, markdown, sound

SMALL = {"rows": 1, "cols": 1, "acc_width": 18}
ARRAYS = [
    ("ternary_gemm", SMALL | {"a": "uint2"}),
    ("int8_gemm", SMALL | {"a": "uint2"}),
    ("xnor_gemm", SMALL | {"lanes": 3}),
]


@pytest.mark.long
def test_arrays_stand_beside_ternary_and_8_bit_ones():
    found = areas(ARRAYS)
    ternary, int8, xnor = found
    assert [row["target"] for row in found] == [name for name, _ in ARRAYS]
    assert (ternary["products"], xnor["products"]) == (1, 3) and xnor["parameters"]["lanes"] == 3
    assert ternary["pe"]["flip_flops"] == 2 + 2 + 1 + 18 and xnor["pe"]["flip_flops"] == 3 + 3 + 1 + 17
    for row in found:
        assert 0 < row["pe"]["gate_equivalents"] <= row["core"]["gate_equivalents"] and row["energy_pj"] > 0
    requants = lanes([{"y": "binary", "x": "int6", "m_width": 2, "b_width": 7}])
    assert requants[0]["lane"]["flip_flops"] == 6 + 2 + 7 + 1 + 1
    rows = [line.split(" | ") for line in markdown(found, requants).splitlines() if line.startswith("| `")]
    share = ternary["pe"]["gate_equivalents"] / int8["pe"]["gate_equivalents"]
    assert rows[0][3:5] == ["1.00", f"{share:.2f}"] and rows[1][4] == "1.00"
    assert rows[2][9:11] == ["3", f"{xnor['core']['gate_equivalents'] / 3:,.1f}"]
    assert rows[3][0].startswith("| `y=binary`") and rows[3][-1] == "17 |"


def test_a_netlist_that_is_not_sound_has_no_figures():
    with pytest.raises(InputError, match="xnor_gemm: output y is constant"):
        sound("xnor_gemm", {"problems": ["output y is constant"]})
