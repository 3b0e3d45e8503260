"""synth.liberty: groups, attributes, tables, and text that is no library."""

import pytest

from golden.errors import InputError
from synth.liberty import parse

SMALL = """
/* a comment { */
library (tiny) {
  nom_voltage : 1.8;
  cell (NAND2X1) {
    area : 24;
    pin(A) { direction : input; capacitance : 0.0125; }
    pin(Y) {
      function : "(!(A B))";
      timing() {
        cell_rise(t) { index_1 ("1, 2"); values ( \\
          "0.1, 0.2", \\
          "0.3, 0.4"); }
      }
    }
  }
}
"""


def test_groups_and_attributes():
    library = parse(SMALL)
    assert library.arguments == ["tiny"]
    assert library.number("nom_voltage") == 1.8
    [cell] = library.all("cell")
    assert (cell.arguments, cell.attributes) == (["NAND2X1"], {"area": "24"})
    a, y = cell.all("pin")
    assert a.number("capacitance") == 0.0125
    assert a.number("fall_capacitance", 7.0) == 7.0
    assert y.attributes["function"] == "(!(A B))"
    [table] = y.all("timing")[0].all("cell_rise")
    assert table.attributes["values"] == ["0.1, 0.2", "0.3, 0.4"]


BROKEN = ["", "module top; endmodule", "library (x) { cell (y) {", "library (x) { area : }", "{}"]


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_no_library(text):
    with pytest.raises(InputError, match="^x.lib is not a Liberty file: "):
        parse(text, "x.lib")
