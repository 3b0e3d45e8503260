"""What codecs do with what is wrong, and the bounds of their cycles."""

import zlib

import numpy as np
import pytest

from golden.dpred import DpredSpec, decode, encode
from golden.dpred_widths import WidthTable
from golden.dpred_codecs import decoded, decoder_cycles, encoded, encoder_cycles
from golden.errors import InputError
from rtl.dpred_stimulus import astray, mutated, random_table, random_values

SPECS = [DpredSpec(), DpredSpec(group=4, zeros=True), DpredSpec(word=16, signed=True, group=64)]


def beats(spec, count):
    return -(-count // spec.per_word)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_packet_of_the_right_length_is_a_container(spec):
    rng = np.random.default_rng(1)
    for _ in range(50):
        x = random_values(rng, spec, rng.integers(1, 100))
        table = random_table(rng, spec, x)
        words, wrong = encoded(spec, x, x.size, table.mask)
        assert not wrong and words.tolist() == encode(spec, x, table).tolist()
        fewer = 1 + (beats(spec, x.size) - 1) * spec.per_word  # of which the rest of the last word is not one
        words, wrong = encoded(spec, x, fewer, table.mask)
        assert not wrong and words.tolist() == encode(spec, x[:fewer], table).tolist()
        assert decoded(spec, words)[2].tolist() == x[:fewer].tolist()


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_packet_of_another_length_makes_what_nobody_takes(spec):
    rng = np.random.default_rng(2)
    for _ in range(200):
        x = random_values(rng, spec, rng.integers(1, 100))
        count = int(rng.choice([0, x.size + spec.per_word, x.size >> 1, x.size ^ 1 << rng.integers(32)]))
        words, wrong = encoded(spec, x, count, spec.table(x).mask)
        assert wrong == (count == 0 or beats(spec, count) != beats(spec, x.size))
        if wrong:
            assert int(words[-1]) == zlib.crc32(words[:-1].tobytes()) ^ 0xFFFFFFFF and words[0] >> np.uint64(32) == count
            with pytest.raises(InputError):
                decode(words)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_values_that_need_more_than_the_widths_make_what_nobody_takes(spec):
    x = np.append(np.zeros(30, int), [7, 0])
    masks = {1 << 2: True, 1 << 3 | 1: spec.signed, 1 << 4: False, 0: True, 1: True, (2 << spec.word) - 1: True}
    for mask, expected in masks.items():
        words, wrong = encoded(spec, x, x.size, mask)
        assert wrong == expected and (int(words[0]) >> 15 & 0x1FFFF) == mask
        if wrong:
            assert int(words[-1]) == zlib.crc32(words[:-1].tobytes()) ^ 0xFFFFFFFF and words.size >= 3
            with pytest.raises(InputError):
                decode(words)


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_a_decoder_says_what_golden_says_and_delivers_no_more_than_there_is(spec):
    rng, verdicts = np.random.default_rng(3), set()
    for _ in range(500):
        words = mutated(rng, encode(spec, random_values(rng, spec, rng.integers(1, 100))))
        verdict, delivered, x = decoded(spec, words)
        verdicts.add(verdict)
        try:
            found = decode(words)
        except InputError:
            found = (None, None)
        assert (verdict == 0) == (found[0] == spec) and (verdict == 3) == (delivered == 0)
        assert delivered <= beats(spec, int(words[0]) >> 32)
        if verdict == 0:
            assert delivered == beats(spec, x.size) and x.tolist() == found[1].tolist()
    assert verdicts == {0, 1, 3}


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_fields_that_are_not_of_the_table_are_refused(spec):
    words = astray(np.random.default_rng(4), spec)
    with pytest.raises(InputError, match="fields of a DPRed container must be less than"):
        decode(words)
    assert decoded(spec, words)[0] == 1


def test_a_container_of_other_parameters_is_refused():
    words = encode(DpredSpec(group=8), np.arange(20))
    assert decoded(DpredSpec(group=8), words)[:2] == (0, 3)
    assert decoded(DpredSpec(group=16), words)[:2] == (3, 0)
    assert decoded(DpredSpec(group=8, signed=True), words)[:2] == (3, 0)


@pytest.mark.parametrize("word", [8, 16])
@pytest.mark.parametrize("group", [4, 16, 256])
@pytest.mark.parametrize("zeros", [False, True])
def test_a_word_a_cycle_at_the_wider_side(word, group, zeros):
    """But for what a packet and a group cost once: values that shrink, and values that grow."""
    spec = DpredSpec(word=word, group=group, zeros=zeros)
    for x in (np.ones(20_000, int), np.arange(20_000) // 999 % 2, np.full(20_000, spec.format.hi), np.arange(20_000) % 7 * 5):
        container = encode(spec, x)
        wider = max(beats(spec, x.size), container.size)
        fill = group // spec.slice
        assert wider <= encoder_cycles(spec, x, x.size, spec.table(x).mask) <= wider + fill + 5
        assert wider <= decoder_cycles(spec, container) <= wider + 6


def test_cycles_of_one_word_by_hand():
    spec, x = DpredSpec(), np.arange(8)
    # the word is taken in cycle 0, read in 1, put behind the others in 2; header 1, body 3, trailer 4, verdict 5
    assert encoder_cycles(spec, x, 8, WidthTable(word=8, widths=(2, 3)).mask) == 6
    # header 0, body 1, cut 2 as the trailer comes, closed in 3, delivered in 4, verdict 5
    assert decoder_cycles(spec, encode(spec, x)) == 6
    assert decoder_cycles(spec, encode(DpredSpec(group=8), x)) == 4  # skipped, verdict behind the last
