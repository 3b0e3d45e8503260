"""Every target through the cocotb bench in both simulators, at its bench sizes."""

import pytest

from rtl.generate import generate
from rtl.targets import TARGETS
from tb.regression import regress
from tb.simulators import SIMULATORS

TESTS = {
    "cycles",
    *(f"streams/idle={idle}/backpressure={pressure}" for idle in (False, True) for pressure in (False, True)),
    "valid_first",
    "reset",
}


def jobs():
    """Every target, size and simulator; the smallest and the sizes that say nothing new are enough in a short run."""
    for name, row in TARGETS.items():
        for number, settings in enumerate(row.bench):
            for sim in SIMULATORS:
                short = number == 0 or (settings and sim == "icarus")  # Verilator takes its time to compile
                yield pytest.param(
                    name,
                    settings,
                    sim,
                    id=f"{name}-{'-'.join(map(str, settings.values())) or 'default'}-{sim}",
                    marks=() if short else pytest.mark.long,
                )


@pytest.mark.parametrize(("name", "settings", "sim"), list(jobs()))
def test_every_result_and_every_cycle_is_goldens(name, settings, sim):
    row = TARGETS[name]
    found = regress(name, *generate(row, row.engine(**settings)), sim)
    assert found == dict.fromkeys(TESTS)
