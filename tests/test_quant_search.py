from dataclasses import dataclass

import pytest

from golden.errors import InputError
from quant.search import Search
from quant.space import Part

CONV1, CONV2 = Part("conv", ("c1",), 500), Part("conv", ("c2",), 25_000)
DENSE = Part("dense", ("d",), 4_000)
OUT = Part("outputs", ("c1",), 11_520)


@dataclass(frozen=True)
class Digits:
    """A format of `width` bits, in the `finer`th unit."""

    width: int
    finer: int = 0


class Space:
    """Below 4 bits there are three units; `separate` as given."""

    separate = True

    def __init__(self, groups, narrowest=2):
        self.groups, self.narrowest = groups, narrowest

    def proposals(self, parts, bits):
        return [dict.fromkeys(parts, Digits(bits, finer)) for finer in range(3 if bits < 4 else 1)]


GROUPS = {"conv": (CONV1, CONV2), "dense": (DENSE,), "outputs": (OUT,)}


def losing(costs):
    """A score of 1 less the cost of each format: costs of a part by width, or by (width, finer)."""

    def score(formats):
        lost = 0.0
        for part, fmt in formats.items():
            table = costs.get(part, {})
            lost += table.get((fmt.width, fmt.finer), table.get(fmt.width, 0.0))
        return 1 - lost

    return score


def widths(found):
    return {part: fmt.width for part, fmt in found.formats.items()}


def test_each_group_keeps_its_last_width_and_stops_at_the_first_that_fails():
    score = losing({OUT: {16: 0, 8: 0.004, 4: 0.02, 2: 0.0}, DENSE: {16: 0.02}})
    search = Search(space=Space(GROUPS), score=score, least=0.99)
    assert {group: search.alone(group).bits for group in GROUPS} == {"conv": 2, "dense": 16, "outputs": 8}
    asked = [(t.what, t.bits) for t in search.tries if t.what != "conv"]
    assert asked == [("dense", 16), ("outputs", 16), ("outputs", 8), ("outputs", 4)]
    assert [t.bits for t in search.tries if t.what == "conv"] == [16, 8, 4] + [2] * 7  # 3 at once, 2 more for each part
    assert all(set(t.formats) == set(GROUPS[t.what]) for t in search.tries)  # everything else stays float


def test_a_score_of_exactly_baseline_less_margin_is_enough():
    search = Search(space=Space(GROUPS), score=lambda formats: 0.9812, least=0.9912 - 0.01)
    assert search.alone("dense").bits == 2


def test_the_last_halving_is_to_one_bit_where_a_space_has_it():
    search = Search(space=Space(GROUPS, narrowest=1), score=losing({OUT: {1: 0.1}}), least=1)
    assert {group: search.alone(group).bits for group in GROUPS} == {"conv": 1, "dense": 1, "outputs": 2}
    assert [t.bits for t in search.tries if t.what == "dense"] == [16, 8, 4] + [2] * 3 + [1] * 3
    assert widths(search.run(narrow=True)) == {CONV1: 1, CONV2: 1, DENSE: 1, OUT: 2}


def test_formats_that_are_better_alone_and_worse_together_give_way_to_the_rule_s():
    def score(formats):
        alone = sum(fmt.finer == 1 for fmt in formats.values())
        return 0.9 + 0.01 * alone - 0.05 * (alone == 2)

    groups = {"conv": (CONV1,), "dense": (DENSE,)}
    search = Search(space=Space(groups), score=score, least=0.0, fixed={"conv": 2, "dense": 2})
    found = search.run()
    assert [t.score for t in search.tries if t.stage == "combined"] == pytest.approx([0.87, 0.9])
    assert found.formats == {CONV1: Digits(2, 0), DENSE: Digits(2, 0)} and found.score == 0.9


def test_below_four_bits_the_best_unit_is_found_for_each_part():
    costs = {CONV1: {(2, 0): 0.3, (2, 1): 0.1, (2, 2): 0.2}, CONV2: {(2, 0): 0.3, (2, 1): 0.2, (2, 2): 0.0}}
    search = Search(space=Space({"conv": (CONV1, CONV2)}), score=losing(costs), least=0.85)
    found = search.run()
    assert found.formats == {CONV1: Digits(2, 1), CONV2: Digits(2, 2)}
    assert found.score == pytest.approx(0.9) and found.met
    # both at each of three units, then c1 at the two others, then c2
    assert [(t.formats[CONV1].finer, t.formats[CONV2].finer) for t in search.tries if t.bits == 2] == [
        (0, 0), (1, 1), (2, 2), (0, 2), (1, 2), (1, 0), (1, 1)
    ]  # fmt: skip


def test_parts_of_a_space_of_one_format_do_not_part():
    space = Space({"all": (CONV1, DENSE)})
    space.separate = False
    search = Search(space=space, score=losing({CONV1: {2: 0.1, (2, 1): 0.0}}), least=1)
    assert search.run().formats == {CONV1: Digits(2, 1), DENSE: Digits(2, 1)}
    assert len([t for t in search.tries if t.bits == 2]) == 3


def test_repair_widens_what_gains_most_until_the_margin_is_met():
    # alone each group may lose 0.04; together they lose 0.12
    costs = {
        CONV2: {4: 0.04, 5: 0.03, 6: 0.03, 2: 1},
        DENSE: {4: 0.04, 5: 0.01, 2: 1},
        OUT: {4: 0.04, 5: 0.02, 6: 0, 2: 1},
    }
    search = Search(space=Space(GROUPS), score=losing(costs), least=0.95)
    found = search.run()
    assert found.met and found.score == pytest.approx(0.95)
    assert widths(found) == {CONV1: 4, CONV2: 4, DENSE: 5, OUT: 6}
    stages = [t.stage for t in search.tries]
    assert stages.count("combined") == 1 and stages.count("repaired") == 3 * 3  # three rounds, three groups each


def test_of_repairs_that_are_enough_the_cheapest_is_taken():
    costs = {CONV2: {4: 0.04, 2: 1}, OUT: {4: 0.04, 5: 0.01, 2: 1}}  # CONV2 gains more, OUT has fewer numbers
    found = Search(space=Space(GROUPS), score=losing(costs), least=0.95).run()
    assert widths(found) == {CONV1: 4, CONV2: 4, DENSE: 2, OUT: 5} and found.met


def test_one_width_for_all_is_scored_beside_the_search():
    costs = {CONV2: {4: 0.2}, OUT: {4: 0.1}}
    search = Search(space=Space(GROUPS), score=losing(costs), least=0.95)
    search.run()
    uniform = [t for t in search.tries if t.stage == "uniform"]
    assert [(t.bits, t.total, t.score) for t in uniform] == [
        (bits, bits * (500 + 25_000 + 4_000 + 11_520), pytest.approx(score))
        for bits, score in ((16, 1), (8, 1), (4, 0.7))
    ]
    search = Search(space=Space(GROUPS), score=losing(costs), least=0.95, fixed={"conv": 4})
    search.run()
    assert all(t.stage != "uniform" for t in search.tries)


def test_repair_by_doubling():
    costs = {CONV2: {4: 0.04, 2: 1}, DENSE: {4: 0.04, 8: 0.02, 2: 1}}
    found = Search(space=Space(GROUPS), score=losing(costs), least=0.955, step="double").run()
    assert widths(found) == {CONV1: 8, CONV2: 8, DENSE: 4, OUT: 2} and found.met


def test_repair_first_chooses_units_again_among_quantised_numbers():
    def score(formats):
        fmt = formats.get(CONV1), formats.get(DENSE)
        return 0.5 if fmt == (Digits(2, 0), Digits(2, 0)) else 1.0

    search = Search(space=Space({"conv": (CONV1,), "dense": (DENSE,)}), score=score, least=1)
    found = search.run()
    assert found.met and widths(found) == {CONV1: 2, DENSE: 2}
    assert [t.what for t in search.tries if t.stage == "repaired"] == ["choice of formats"] * 4


def test_a_margin_out_of_reach_gives_the_best_that_was_seen():
    # wider is worse: the combination at 4 bits is the best
    costs = {CONV1: {width: 0.1 + width / 1000 for width in range(5, 17)} | {4: 0.09, 2: 1}}
    search = Search(space=Space({"conv": (CONV1,)}), score=losing(costs), least=0.95)
    found = search.run()
    assert not found.met
    assert found.score == max(t.score for t in search.tries) == pytest.approx(0.884)
    assert widths(found) == {CONV1: 16}  # the search alone stops at the first width that fails
    assert search.tries[-1].stage == "combined"  # nothing is wider than 16


def test_widths_that_are_given_stay():
    costs = {OUT: {4: 0.5}, CONV1: {16: 0.3}}
    search = Search(space=Space(GROUPS), score=losing(costs), least=0.99, fixed={"outputs": 4, "conv": 3})
    found = search.run()
    assert not found.met
    assert (widths(found)[OUT], widths(found)[CONV1], widths(found)[DENSE]) == (4, 3, 2)


def test_the_largest_part_is_narrowed_first_and_each_as_far_as_it_goes():
    costs = {CONV2: {7: 0.001, 6: 0.02}, OUT: {7: 0.02}, DENSE: {8: 0, 7: 0, 6: 0, 5: 0.004, 4: 0.02}}
    search = Search(space=Space(GROUPS), score=losing(costs), least=0.99, fixed=dict.fromkeys(GROUPS, 8))
    found = search.run(narrow=True)
    assert widths(found) == {CONV1: 2, CONV2: 7, DENSE: 5, OUT: 8}
    order = [t.what for t in search.tries if t.stage == "narrowed"]
    assert list(dict.fromkeys(order)) == ["weights of c2", "outputs of c1", "weights of d", "weights of c1"]
    assert found.met and found.score == pytest.approx(0.995)


def test_narrowing_after_a_missed_margin_keeps_the_score():
    costs = {DENSE: {8: 0.1, 7: 0.1, 6: 0.11}}
    space = Space({"dense": (DENSE,)})
    found = Search(space=space, score=losing(costs), least=0.99, fixed={"dense": 8}).run(narrow=True)
    assert widths(found) == {DENSE: 7} and not found.met and found.score == pytest.approx(0.9)


def test_everything_scored_is_told():
    told = []
    search = Search(space=Space({"dense": (DENSE,)}), score=losing({}), least=1, say=told.append)
    search.run()
    assert told == search.tries and [t.stage for t in told][-1] == "combined"


@pytest.mark.parametrize(
    "change, message",
    [
        ({"fixed": {"dense": 1}}, "width of dense must be 2 to 16 bits, not 1"),
        ({"fixed": {"dense": 17}}, "width of dense must be 2 to 16 bits, not 17"),
        ({"fixed": {"fc": 4}}, "no group of numbers is called 'fc'; allowed: conv, dense, outputs"),
        ({"step": "half"}, "step must be one of bit, double, not 'half'"),
    ],
)
def test_refused(change, message):
    with pytest.raises(InputError) as error:
        Search(space=Space(GROUPS), score=losing({}), least=1, **change)
    assert str(error.value) == message
