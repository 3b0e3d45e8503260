"""Cycles a second of a whole network's GEMMs on `ternary_gemm` in Verilator, fed from memory, every output compared.

The network is a LeNet with random ternary weights on a batch of random images; the reference is 500,000 cycles/s. Also
prints the share of that time that packing, comparing and files take, which is Python's. Prints JSON.
"""

import json
import time

import numpy as np

from golden.errors import Parser, command
from rtl.generate import generate
from rtl.targets import target
from tb.memory import Memory

TARGET = 500_000
ARRAY = "ternary_gemm"
IMAGES = 64
SHAPES = ((576, 25, 20), (64, 500, 50), (1, 800, 500), (1, 500, 10))  # rows an image, K, N of each layer


def main():
    parser = Parser(prog="simulation_speed", description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=IMAGES)
    images = parser.parse_args().images
    rng = np.random.default_rng(1)
    row = target(ARRAY)
    engine = row.engine()
    memory = Memory(*generate(row, engine))
    cycles = simulating = 0
    start = time.perf_counter()
    for m, k, n in SHAPES:
        operands = engine.stimulus(rng, m=m * images, k=k, n=n)
        beats = engine.pack(operands)
        before = time.perf_counter()
        outcome = memory.run(beats, deadline=2 * engine.cycles(operands))
        simulating += time.perf_counter() - before
        outcome.demand()
        assert np.array_equal(engine.unpack(operands, outcome.beats)["y"], engine.golden(operands)["y"])
        assert outcome.cycles == engine.cycles(operands)
        cycles += outcome.cycles
    total = time.perf_counter() - start
    report = {"cycles": cycles, "cycles_per_second": round(cycles / simulating), "with_python": round(cycles / total)}
    print(json.dumps(report | {"images": images, "target": TARGET}))


if __name__ == "__main__":
    command(main)
