"""studies.pictures: sizes, ink on paper, and what the networks are given."""

import numpy as np

from studies.pictures import INK, PAPER, TEXT, lines, pages, planes, upside_down

DIGITS = np.zeros((20, 28, 28), np.uint8)
DIGITS[:, 10:14, 10:14] = 255


def test_pages_and_lines():
    found = pages(DIGITS, 160)
    assert [page.shape for page in found] == [(160, 160, 3)] * 3
    assert np.ptp(found[0]) > 200  # a photograph has light and shade
    assert found[1].min() < 60 and found[1].max() == PAPER
    rows = lines(DIGITS, 48, 320)
    assert len(rows) == len(TEXT) + 1
    assert all(row.shape == (48, 320, 3) and row.min() < 100 and row.max() == PAPER for row in rows)
    assert (rows[-1] == INK).all(axis=2).sum() > 0
    assert not np.array_equal(rows[0], rows[1])


def test_upside_down_and_planes():
    row = lines(DIGITS, 48, 192)[0]
    both = upside_down([row])
    assert np.array_equal(both[1][0, 0], row[-1, -1]) and np.array_equal(both[0], row)
    picture = np.zeros((2, 4, 3), np.uint8)
    picture[..., 0] = 255  # red comes last
    found = planes(picture)
    assert found.shape == (3, 2, 4) and found.dtype == np.float32
    assert (found[2] == 1).all() and (found[:2] == -1).all()
