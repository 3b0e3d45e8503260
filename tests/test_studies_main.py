"""``python -m studies``: where pages go, and what a wrong command says."""

import subprocess
import sys
from pathlib import Path

import pytest

import studies.__main__
import studies.dpred
import studies.dpred_report
import studies.ristretto
import studies.study
import studies.tricks

COMMANDS = tuple(studies.__main__.STUDIES)


def test_pages_are_written_and_copied(tmp_path, monkeypatch, capsys):
    folder, docs = tmp_path / "dpred", tmp_path / "docs"
    folder.mkdir()
    docs.mkdir()

    def write(found, where):
        assert (found, where) == ("figures", folder)
        (folder / "picture.png").write_bytes(b"png")
        (folder / "page_full.png").write_bytes(b"of another page")
        (folder / "page.md").write_text("![what it shows](picture.png)")
        (folder / "figures.json").write_text("{}")
        return [folder / "page.md"]

    monkeypatch.setattr(studies.__main__, "RESULTS", tmp_path)
    monkeypatch.setattr(studies.__main__, "DOCS", docs)
    monkeypatch.setattr(studies.dpred, "study", lambda build, where: "figures")
    monkeypatch.setattr(studies.dpred_report, "write", write)
    monkeypatch.setattr(sys, "argv", ["studies", "dpred"])
    studies.__main__.main()
    assert capsys.readouterr().out == f"written: {folder / 'page.md'}\n"
    assert list(docs.iterdir()) == []
    monkeypatch.setattr(sys, "argv", ["studies", "dpred", "--docs"])
    studies.__main__.main()
    assert sorted(path.name for path in docs.iterdir()) == ["page.md", "picture.png"]


@pytest.mark.parametrize(
    ("words", "stem", "asked"),
    [
        ([], "tricks", (False, None, (0, 1, 2))),
        (["--full", "--seeds", "7"], "tricks_full", (True, None, (7,))),
        (["--data", "cifar"], "tricks_data", (False, "cifar", (0, 1, 2))),
    ],
)
def test_a_study_of_trained_networks(tmp_path, monkeypatch, capsys, words, stem, asked):
    def study(module, named, scale, seeds, build, folder):
        assert module is studies.tricks and (*scale, tuple(seeds)) == asked and named == stem
        folder.mkdir()
        (folder / f"{stem}.md").write_text("the page")
        return folder / f"{stem}.md"

    monkeypatch.setattr(studies.__main__, "RESULTS", tmp_path)
    monkeypatch.setattr(studies.study, "study", study)
    monkeypatch.setattr(studies.tricks, "scale", lambda full, data: (full, data))
    monkeypatch.setattr(sys, "argv", ["studies", "tricks", *words])
    studies.__main__.main()
    assert capsys.readouterr().out == f"the page\nwritten: {tmp_path / 'tricks' / stem}.md\n"


def test_ristretto_on_cifar_10_prints_its_rows_alone(tmp_path, monkeypatch, capsys):
    def cifar(data, seeds, build, folder):
        assert (data, seeds, build, folder) == ("pictures", [4], studies.__main__.BUILD, tmp_path / "ristretto")
        return "the rows\n"

    monkeypatch.setattr(studies.__main__, "RESULTS", tmp_path)
    monkeypatch.setattr(studies.ristretto, "cifar", cifar)
    monkeypatch.setattr(sys, "argv", ["studies", "ristretto", "--cifar", "pictures", "--seeds", "4"])
    studies.__main__.main()
    assert capsys.readouterr().out == "the rows\n\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tricks", "--full", "--data", "x"], "argument --data: not allowed with argument --full"),
        (["mnist", "--data", "x"], "unrecognized arguments: --data x"),
        (["methods", "--data", "nowhere"], None),
        ([], "the following arguments are required: command"),
        (["dpred", "--seeds", "1"], "unrecognized arguments: --seeds 1"),
        (["dpread"], f"argument command: invalid choice: 'dpread' (choose from {', '.join(map(repr, COMMANDS))})"),
    ],
)
def test_a_wrong_command_is_one_line(words, message):
    run = subprocess.run([sys.executable, "-m", "studies", *words], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (2, "")
    if message is None:
        assert run.stderr.startswith("narrowgate: data must be mnist, ") and run.stderr.endswith("not 'nowhere'\n")
        return
    plain, quoted = ", ".join(COMMANDS), ", ".join(map(repr, COMMANDS))
    assert run.stderr.replace(plain, quoted) == f"narrowgate: {message}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_study_can_be_made(name):
    """The Makefile, its help and the README know it."""
    rules = Path("Makefile").read_text()
    assert name in rules.partition("STUDIES :=")[2].partition("\n")[0].split()
    assert f'echo "make {name} ' in rules and f"| `make {name}` |" in Path("README.md").read_text()
