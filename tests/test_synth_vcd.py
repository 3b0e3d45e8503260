"""synth.vcd: a dump by hand."""

from synth.vcd import read_vcd

DUMP = r"""$timescale 1ps $end
$scope module top $end
$var wire 1 ! clk $end
$var wire 1 " \a[0]  $end
$var wire 1 # b $end
$var wire 1 # alias $end
$upscope $end
$enddefinitions $end
#1000
$dumpvars
0!
x"
1#
$end
#2000
1!
1"
#3000
0!
0#
#4000
1!
0"
#5000
0!
"""


def test_a_dump(tmp_path):
    path = tmp_path / "small.vcd"
    path.write_text(DUMP)
    activity = read_vcd(path, 2)  # 2 ns a cycle, 4 ns in all
    assert activity.cycles == 2
    assert activity.nets == {"clk": (2.0, 0.5), "a[0]": (0.5, 0.5), "b": (0.5, 0.5), "alias": (0.5, 0.5)}
