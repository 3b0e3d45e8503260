"""golden.pipeline: the benches hold the RTL against it; here, that it adds up."""

from golden.pipeline import requant_cycles


def test_a_beat_a_cycle_and_then_three_stages():
    assert [requant_cycles(beats) for beats in (1, 2, 110_592)] == [4, 5, 110_595]
