"""The choice of products against a loop over lanes."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from rtl.dlac_issue import Issue


@pytest.mark.parametrize(("pixels", "filters", "issue"), [(4, 4, 2), (3, 2, 3), (1, 3, 2), (2, 1, 1)])
def test_the_fullest_lane_goes_first(pixels, filters, issue):
    chooser, rng = Issue(pixels=pixels, filters=filters, issue=issue, count_width=3), np.random.default_rng(2)

    async def bench(ctx):
        for _ in range(300):
            counts = rng.integers(0, rng.choice([2, 8]), pixels).tolist()
            offered = rng.integers(0, 1 << filters, pixels).tolist()
            for p in range(pixels):
                ctx.set(chooser.counts[p], counts[p])
                ctx.set(chooser.offered[p], offered[p])
            first = counts.index(max(counts))
            order = [(first + i) % pixels for i in range(pixels)]
            wanted = [(p, f) for p in order for f in range(filters) if offered[p] >> f & 1][:issue]
            found = [(ctx.get(chooser.lane[u]), ctx.get(chooser.filter[u])) for u in range(issue)]
            assert found == [(1 << p, 1 << f) for p, f in wanted] + [(0, 0)] * (issue - len(wanted))

    simulator = Simulator(chooser)
    simulator.add_testbench(bench)
    simulator.run()
