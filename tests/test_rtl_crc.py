"""The CRC of words against zlib's."""

import zlib

import numpy as np
import pytest
from gateware import clocked

from rtl.crc import Crc32


@pytest.mark.parametrize("width", [8, 64, 72])
def test_it_is_that_of_zlib(width):
    rng, unit = np.random.default_rng(1), Crc32(width)

    async def bench(ctx):
        expected = 0
        for _ in range(200):
            start, valid = int(rng.random() < 0.1), int(rng.random() < 0.8)
            octets = rng.bytes(width // 8)
            ctx.set(unit.crc_start, start)
            ctx.set(unit.crc_valid, valid)
            ctx.set(unit.crc_word, int.from_bytes(octets, "little"))
            await ctx.tick()
            if valid:
                expected = zlib.crc32(octets, 0 if start else expected)
            assert ctx.get(unit.crc) == expected

    clocked(unit, bench)
