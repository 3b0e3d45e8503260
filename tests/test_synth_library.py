"""synth.library: finding it, reading it, and its cells by function."""

import pytest

from golden.errors import InputError
from synth import library
from synth.library import Library, find


@pytest.fixture(scope="module")
def osu():
    return find()


def test_cells_by_function(osu):
    assert osu.gate_equivalent == 24
    assert osu.inverter.name == "INVX2"  # as small as INVX1
    assert osu.register.name == "DFFPOSX1"
    assert osu.cells["MUX2X1"].table == (0b00011011, 3)  # inputs A, B, S: Y = !(S ? A : B)
    assert {name for name, cell in osu.cells.items() if cell.kind == "latch"} == {"LATCH"}
    assert "TBUFX1" not in osu.cells


def test_areas(osu):
    assert osu.area({"NAND2X1": 2, "DFFPOSX1": 3}) == 2 * 24 + 3 * 96
    assert osu.sequential({"NAND2X1": 2, "DFFPOSX1": 3, "LATCH": 1}) == {"DFFPOSX1": 3, "LATCH": 1}


def test_area_from_the_lef_file(osu):
    assert osu.without_area == {"LATCH": 56.0}  # 5.6 by 10 µm
    assert osu.area({"LATCH": 1}) == 56


def test_areas_from_elsewhere_are_in_the_hash(osu, tmp_path):
    path = tmp_path / "own.lib"
    path.write_text(osu.path.read_text())
    hashes = {osu.hash, Library.read(path).hash}
    for width in (5.6, 6.4):
        path.with_suffix(".lef").write_text(f"MACRO LATCH\n  SIZE {width} BY 10 ;\n")
        hashes.add(Library.read(path).hash)
    assert len(hashes) == 3  # without LEF, OSU's own areas, others


def test_clock_gate(osu):
    assert "LATCH latch(.CLK(low), .D(en), .Q(held));" in osu.clock_gate
    assert "AND2X2 gate(.A(clk), .B(held), .Y(gclk));" in osu.clock_gate


def test_no_library_names_the_package(monkeypatch, tmp_path):
    monkeypatch.delenv("LIBERTY", raising=False)
    monkeypatch.setattr(library, "DEFAULT", tmp_path / "none.lib")
    with pytest.raises(InputError, match="install Debian's qflow-tech-osu018 .* or set LIBERTY=path"):
        find()


CELLS = {
    "I": 'cell (I) { area : 1; pin (A) { direction : input; } pin (Y) { function : "!A"; } }',
    "N": "cell (N) { area : 2.5; pin (A) { direction : input; } pin (B) { direction : input; } "
    'pin (Y) { function : "(A B)\'"; } }',
    "F": 'cell (F) { area : 9; ff (Q1, Q2) { clocked_on : "C"; next_state : "D"; } pin (C) { direction : input; } '
    'pin (D) { direction : input; } pin (Q) { function : "Q1"; } }',
}


def test_another_library(monkeypatch, tmp_path):
    path = tmp_path / "own.lib"
    monkeypatch.setenv("LIBERTY", str(path))
    with pytest.raises(InputError, match=r"cannot read the library .*own\.lib: No such file"):
        find()
    for kinds, missing in (("I", "NAND gate of two inputs"), ("N", "inverter"), ("NI", "flip-flop")):
        path.write_text("library (own) { " + " ".join(CELLS[kind] for kind in kinds) + " }")
        with pytest.raises(InputError, match=f"own.lib has no {missing}"):
            find()
    path.write_text("library (own) { " + " ".join(CELLS.values()) + " }")
    own = find()
    assert (own.name, own.gate_equivalent, own.register.name, own.clock_gate) == ("own", 2.5, "F", None)


def test_bad_file_is_one_line(tmp_path):
    path = tmp_path / "bad.lib"
    path.write_text("library (x) {")
    with pytest.raises(InputError, match="is not a Liberty file"):
        Library.read(path)


@pytest.mark.parametrize(
    "text", ["library () { }", "library (x) { cell (a) { area : foo; } }", "library (x) { cell () { } }"]
)
def test_malformed_libraries_are_refused_in_one_line(tmp_path, text):
    path = tmp_path / "odd.lib"
    path.write_text(text)
    with pytest.raises(InputError, match="odd.lib") as refused:
        Library.read(path)
    assert "\n" not in str(refused.value)
