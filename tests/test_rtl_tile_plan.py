"""What a tile holds."""

from golden.bitserial import TileShape
from golden.formats import parse
from rtl.sip import Digits
from rtl.tile_plan import TilePlan

FORMATS = {"a": parse("uint16"), "w": parse("int16"), "lanes": 16, "acc_width": 40}
STRIPES = Digits(**FORMATS, a_digit=1, w_digit=16)
LOOM = Digits(**FORMATS, a_digit=4, w_digit=1)


def test_groups_share_the_operands_of_the_passes_that_they_may_be_ahead():
    plans = [TilePlan(shape=TileShape(), digits=STRIPES, groups=16, run_ahead=r) for r in (0, 1, 2)]
    assert [plan.passing for plan in plans] == [1, 0, 0]
    assert [(plan.columns, plan.together, plan.slots, plan.entries) for plan in plans] == [
        (16, 1, 1, 1),
        (16, 1, 2, 2),
        (16, 1, 3, 3),
    ]
    pass_bits = 2 * 256 * 16 + 16 * 4 + 1  # activations and weights, precisions, last
    passing = 256  # alone, they need not keep the lowest bits, which go to the units as they come
    grown = [late.flip_flops - soon.flip_flops for soon, late in zip(plans, plans[1:])]
    assert grown == [pass_bits + passing + 16 * (1 + 1) + 1, pass_bits + 16 * (1 + 1) + 1]  # slots and places of columns; `into`


def test_columns_of_a_dense_tile_keep_weights_of_their_own():
    wide, dense = (TilePlan(shape=TileShape(dense=d), digits=LOOM) for d in (False, True))
    assert (wide.columns, wide.entries, dense.columns, dense.entries) == (1, 1, 16, 2)
    assert (wide.activations, dense.activations, wide.weights, dense.weights) == (256, 16, 256, 256)
    assert not wide.in_step and not dense.in_step
    assert TilePlan(shape=TileShape(), digits=STRIPES).in_step
    assert (wide.top_bits, TilePlan(shape=TileShape(), digits=STRIPES).top_bits) == (2, 4)
    assert TilePlan(shape=TileShape(windows=1, dense=True), digits=LOOM).entries == 1
