"""Imports go one way: what a package, with all of its modules, brings into a fresh process."""

import subprocess
import sys

import pytest

FOREIGN = {
    "golden": {"torch", "amaranth", "cocotb", "quant", "rtl", "tb", "synth"},
    "quant": {"amaranth", "cocotb", "rtl", "tb", "synth"},
    "rtl": {"torch", "cocotb", "quant", "tb", "synth"},
    "tb": {"torch", "quant"},
    "synth": {"torch", "quant"},
}

SCRIPT = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
for module in pkgutil.walk_packages(package.__path__, f"{sys.argv[1]}."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("package", FOREIGN)
def test_a_package_brings_in_nothing_from_beyond_its_layer(package):
    run = subprocess.run([sys.executable, "-W", "error", "-c", SCRIPT, package], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    loaded = set(run.stdout.split())
    assert package in loaded
    assert not loaded & FOREIGN[package]
