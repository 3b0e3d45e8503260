"""The table of targets in a document."""

from pathlib import Path

import pytest

from golden.errors import InputError
from rtl import docs
from rtl.targets import TARGETS


def test_the_table_names_every_target_with_its_defaults():
    lines = docs.targets_table().splitlines()[2:]
    assert [line.split("`")[1] for line in lines] == list(TARGETS)
    assert "`rows=8`, `cols=8`, `a=uint8`, `acc_width=32`" in lines[0]


def test_the_readme_has_it():
    assert docs.targets_table() in (Path(__file__).parents[1] / "README.md").read_text()


def test_a_document_is_brought_up_to_date_once(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(f"# Before\n{docs.OPEN}old\n{docs.CLOSE}\nafter\n")
    assert docs.write(path) and not docs.write(path)
    assert path.read_text() == f"# Before\n{docs.OPEN}{docs.targets_table()}{docs.CLOSE}\nafter\n"


def test_a_document_without_markers_is_left_alone(tmp_path):
    path = tmp_path / "README.md"
    path.write_text("no table\n")
    with pytest.raises(InputError, match="must hold the markers"):
        docs.write(path)
    assert path.read_text() == "no table\n"
