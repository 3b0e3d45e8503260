"""studies.progress: lines at most once a minute, those of bars too."""

import io
import sys

from tqdm import tqdm

from studies import progress
from studies.progress import SECONDS, Lines, minutely


def test_a_line_a_minute(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    target = io.StringIO()
    lines = Lines(target)
    for seconds, text in ((1, "too soon\n"), (SECONDS, "first\n"), (1, "no"), (1, "t yet\n"), (SECONDS, "second\n")):
        now[0] += seconds
        assert lines.write(text) == len(text)
    assert target.getvalue() == "first\nsecond\n"


def test_lines_and_what_bars_draw_are_seen_alike(monkeypatch, capsys):
    monkeypatch.setattr(progress, "SECONDS", 0)
    with minutely(), tqdm(total=3, desc="a network", mininterval=0) as bar:
        bar.update()
        bar.write("epoch 1")
    print("after", file=sys.stderr)
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert "epoch 1" in lines and any(line.startswith("a network:  33%|") and "1/3" in line for line in lines)
    assert all(line.strip() for line in lines) and err == "after\n"
