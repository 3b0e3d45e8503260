"""python -m synth: a small target from end to end, and what is refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def run(folder, *words, **environment):
    """Run it from `folder`, so that its build/ is there and empty."""
    return subprocess.run(
        [sys.executable, "-m", "synth", *map(str, words)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_small_target(tmp_path):
    done = run(tmp_path, "ternary_gemm", "rows=2", "cols=2", "--folder", tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {row["view"]: row for row in json.loads((tmp_path / "report.json").read_text())["rows"]}
    core, pe = rows["core"], rows["pe"]
    counts = {view: row["netlists"]["area"]["flip_flops"] for view, row in rows.items()}
    assert counts["core"] == counts["target"] == core["flip_flops_stated"]
    assert counts["pe"] == 8 + 2 + 1 + 32
    assert core["netlists"]["area"]["gate_equivalents"] > 4 * pe["netlists"]["area"]["gate_equivalents"]
    assert core["netlists"]["ungated"]["gate_equivalents"] > core["netlists"]["area"]["gate_equivalents"]
    assert core["netlists"]["speed"]["timing"]["period_ns"] < core["netlists"]["area"]["timing"]["period_ns"]
    assert core["power"]["total_mw"] > 4 * pe["power"]["leakage_mw"] > 0
    assert core["throughput"] == {"unit": "MAC", "per_cycle": 4}
    assert core["problems"] == pe["problems"] == []
    assert "ternary_gemm core" in (tmp_path / "report.md").read_text()
    assert (tmp_path / "build/synth/cache").is_dir()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "no target is called 'nothing'; allowed: ternary_gemm,"),
        (["ternary_gemm", "rows=0"], "ternary_gemm: rows must be 1 to 64, not 0"),
        (["ternary_gemm", "rows"], "a parameter is written name=value, not 'rows'"),
        (["ternary_gemm", "depth=3"], "no parameter is called 'depth'"),
        (["--operands", "x.npz"], "--operands needs a target"),
        (["ternary_gemm", "--operands", "none.npz"], "cannot read none.npz"),
    ],
)
def test_what_is_refused(tmp_path, words, message):
    done = run(tmp_path, *words, "--folder", tmp_path / "out")
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_missing_library_and_tools(tmp_path):
    for environment, message in (
        ({"LIBERTY": str(tmp_path / "none.lib")}, "cannot read the library"),
        ({"PATH": str(tmp_path)}, "no sta: install Debian's opensta (apt-get install opensta)"),
    ):
        done = run(tmp_path, "ternary_gemm", "--folder", tmp_path, **environment)
        assert done.returncode == 2
        assert message in done.stderr and len(done.stderr.splitlines()) == 1
