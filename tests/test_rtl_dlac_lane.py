"""A lane against a queue of Python's."""

from collections import deque

import numpy as np
import pytest
from gateware import clocked

from rtl.dlac_lane import Lane


@pytest.mark.parametrize(("depth", "filters", "masked"), [(1, 1, True), (2, 3, True), (3, 4, False), (5, 2, True)])
def test_a_lane_is_a_queue_of_products(depth, filters, masked):
    lane = Lane(depth=depth, width=filters + 5, filters=filters, masked=masked)
    rng, everything = np.random.default_rng(1), (1 << filters) - 1

    async def bench(ctx):
        ctx.set(lane.clear, 1)
        await ctx.tick()
        queue, left = deque(), 0  # entries as (products, number), products of the first that are left
        for cycle in range(500):
            ctx.set(lane.clear, clear := int(rng.random() < 0.02))
            products = int(rng.integers(1, everything + 1))
            number = int(rng.integers(0, 32))
            ctx.set(lane.push, push := int(len(queue) < depth and rng.random() < (0.8 if cycle % 100 < 50 else 0.3)))
            ctx.set(lane.entry, products | number << filters)
            assert ctx.get(lane.count) == len(queue) and ctx.get(lane.offered) == left
            if queue:
                assert ctx.get(lane.first) == (queue[0][1] if masked else queue[0][0] | queue[0][1] << filters)
            ctx.set(lane.issued, issued := left & int(rng.integers(0, everything + 1)))
            await ctx.tick()
            left &= ~issued
            if queue and not left:
                queue.popleft()
            empty = not queue
            if push:
                queue.append((products, number))
            if queue and (empty or not left):
                left = queue[0][0] if masked else everything
            if clear:
                queue.clear()
                left = 0

    clocked(lane, bench)
