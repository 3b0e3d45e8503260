"""The demo's table and picture; the path itself is what `make demo` runs."""

import numpy as np
from matplotlib import pyplot

from demo.__main__ import table
from demo.picture import draw


def test_a_picture_has_every_digit_and_no_leftovers(tmp_path):
    images = np.zeros((10, 1, 28, 28), np.uint8)
    images[:, 0, 4:24, 12:16] = 255
    draw(tmp_path / "digits.png", images, np.ones(10, int), np.array([1] * 9 + [7]), "ten ones")
    picture = pyplot.imread(tmp_path / "digits.png")
    assert picture.shape[1] > 600 and picture.min() == 0  # ink
    red = (picture[..., 0] > 0.7) & (picture[..., 1] < 0.3)
    assert red.any()  # the one that is wrong
    assert [path.name for path in tmp_path.iterdir()] == ["digits.png"]


def test_the_table_shows_the_figures_of_the_report():
    layer = {"name": "conv1", "target": "ternary_gemm", "cycles": 345616, "utilisation": 0.833, "macs": 1}
    netlist = {"gate_equivalents": 36000.4, "area_um2": 864000.0, "period_ns": 4.0, "power_mw": 640.2}
    report = {
        "float": 0.9935,
        "ternary": 0.9921,
        "images": 10000,
        "compared": 123456,
        "simulated": {"images": 64, "right": 63, "layers": [layer], "utilisation": 0.8991},
        "cost": {"size": "8 x 8", "core": netlist, "pe": netlist | {"gate_equivalents": 475.0}},
    }
    text = table(report)
    figures = "99.35% 99.21% 123,456 83.3% 89.9%".split() + [
        "10,000 test",
        "345,616 cycles",
        "36,000 GE",
        "475 GE",
        "250 MHz",
        "640 mW",
    ]
    assert [figure for figure in figures if figure not in text] == []
