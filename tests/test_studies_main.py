"""``python -m studies``: where pages go, and what a wrong command says."""

import subprocess
import sys

import pytest

import studies.__main__
import studies.dpred
import studies.dpred_report


def test_pages_are_written_and_copied(tmp_path, monkeypatch, capsys):
    folder, docs = tmp_path / "built", tmp_path / "docs"
    folder.mkdir()
    docs.mkdir()

    def write(found, where):
        assert (found, where) == ("figures", folder)
        (folder / "picture.png").write_bytes(b"png")
        (folder / "page.md").write_text("text")
        (folder / "figures.json").write_text("{}")
        return [folder / "page.md"]

    monkeypatch.setattr(studies.__main__, "FOLDERS", {"ristretto": tmp_path, **dict.fromkeys(("tiles", "arrays", "datapaths"), tmp_path), "dpred": folder})
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
    ("words", "message"),
    [
        ([], "the following arguments are required: command"),
        (["dpred", "--seeds", "1"], "unrecognized arguments: --seeds 1"),
        (["dpread"], "argument command: invalid choice: 'dpread' (choose from 'ristretto', 'dpred', 'tiles', 'arrays', 'datapaths')"),
    ],
)
def test_a_wrong_command_is_one_line(words, message):
    run = subprocess.run([sys.executable, "-m", "studies", *words], capture_output=True, text=True)
    assert (run.returncode, run.stdout) == (2, "")
    plain = "choose from ristretto, dpred, tiles, arrays, datapaths"  # as newer Pythons print it
    assert run.stderr.replace(plain, "choose from 'ristretto', 'dpred', 'tiles', 'arrays', 'datapaths'") == f"narrowgate: {message}\n"
