"""Wrong input: one line, exit status 2, no traceback, no half-written file."""

import os
import stat

import pytest

from golden.errors import InputError, Parser, assignments, command, replacing


def outcome(main, capsys):
    with pytest.raises(SystemExit) as exit:
        command(main)
    return exit.value.code, capsys.readouterr().err


def failing(error):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("main", "code", "line"),
    [
        (lambda: None, None, ""),
        (lambda: 3, 3, ""),
        (failing(InputError("rows must be 1 to 64, not 0")), 2, "narrowgate: rows must be 1 to 64, not 0\n"),
        (failing(KeyboardInterrupt()), 130, "narrowgate: interrupted\n"),
    ],
)
def test_command_turns_errors_into_one_line_and_a_status(main, code, line, capsys):
    assert outcome(main, capsys) == (code, line)


def test_command_hides_no_defect_of_the_program():
    with pytest.raises(ZeroDivisionError):
        command(lambda: 1 // 0)


def test_parser_complains_in_one_line(capsys):
    parser = Parser(prog="demo")
    parser.add_argument("--rows", type=int)
    code, line = outcome(lambda: parser.parse_args(["--rows", "many"]), capsys)
    assert code == 2 and line == "narrowgate: argument --rows: invalid int value: 'many'\n"


def test_replacing_makes_folders_and_replaces_at_the_end(tmp_path):
    path = tmp_path / "new" / "out.json"
    for text in ("first", "second"):
        with replacing(path) as temporary:
            temporary.write_text(text)
            assert temporary.suffix == ".json" and not path.exists() or path.read_text() == "first"
    assert path.read_text() == "second"
    assert list(path.parent.iterdir()) == [path]
    assert stat.S_IMODE(path.stat().st_mode) & stat.S_IRUSR


def test_replacing_leaves_nothing_behind_a_failure(tmp_path):
    path = tmp_path / "out.json"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as temporary:
        temporary.write_text("half")
        1 // 0
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_replacing_names_the_path_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write .*file/out.json"), replacing(tmp_path / "file" / "out.json"):
        pass


def test_assignments_are_name_value_words():
    assert assignments(["rows=16", "note=a=b", "empty="]) == {"rows": "16", "note": "a=b", "empty": ""}
    assert assignments([]) == {}
    with pytest.raises(InputError, match="a parameter is written name=value, not 'rows'"):
        assignments(["rows"])
    with pytest.raises(InputError, match="rows is given twice"):
        assignments(["rows=1", "rows=2"])


def test_what_is_not_a_file_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        message = f"cannot write .*{name}: it is there and not a file"
        with pytest.raises(InputError, match=message), replacing(tmp_path / name):
            pass
    assert (tmp_path / "pipe").is_fifo() and sorted(path.name for path in tmp_path.iterdir()) == ["folder", "pipe"]


def test_a_missing_package_is_one_line_and_status_2(capsys):
    def main():
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    with pytest.raises(SystemExit, match="2"):
        command(main)
    assert capsys.readouterr().err == "narrowgate: the Python package torch is not installed: run make tools\n"
