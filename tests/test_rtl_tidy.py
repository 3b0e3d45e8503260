"""Small pieces of RTLIL, before and after."""

from rtl.tidy import tidy

SUM = """\
module \\top.part

  attribute \\init 3'000
  wire width 3 \\state

  wire width 4 \\x

  wire width {wide} $1

  wire width {out} \\y

  cell ${kind} $2
    parameter \\A_SIGNED {signed}
    parameter \\B_SIGNED {signed}
    parameter \\A_WIDTH 4
    parameter \\B_WIDTH {b}
    parameter \\Y_WIDTH {wide}
    connect \\A \\x [3:0]
    connect \\B {right}
    connect \\Y $1
  end

connect \\y $1 {read}
end
"""


def sum_of(kind="add", signed=0, b=4, right="\\x [3:0]", wide=5, out=5, read="[4:0]"):
    return SUM.format(kind=kind, signed=signed, b=b, right=right, wide=wide, out=out, read=read)


def test_initial_values_go_and_dots_in_names_too():
    text = tidy(sum_of())
    assert "init" not in text and text.startswith("module \\top_part\n") and "wire width 3 \\state" in text


def test_a_sum_is_no_wider_than_what_is_read_of_it():
    text = tidy(sum_of(out=3, read="[2:0]"))
    assert "parameter \\Y_WIDTH 3\n" in text and "wire width 3 $1\n" in text
    assert "parameter \\Y_WIDTH 5\n" in tidy(sum_of())
    assert "parameter \\Y_WIDTH 4\n" in tidy(sum_of(kind="mul", out=1, read="[3]"))
    assert "parameter \\Y_WIDTH 5\n" in tidy(sum_of(out=5, read=""))  # read whole
    assert "parameter \\Y_WIDTH 5\n" in tidy(sum_of(kind="and", out=3, read="[2:0]"))


def test_the_shorter_operand_is_extended_by_its_sign_or_by_zeros():
    for kind in ("add", "sub", "lt", "eq"):
        assert "connect \\B { 2'00 \\x [1:0] }\n" in tidy(sum_of(kind, 0, 2, "\\x [1:0]"))
        assert "connect \\B { \\x [1] \\x [1] \\x [1:0] }\n" in tidy(sum_of(kind, 1, 2, "\\x [1:0]"))
        assert "connect \\B { \\state [2] \\state }\n" in tidy(sum_of(kind, 1, 3, "\\state"))
        assert "connect \\B { 2'11 2'10 }\n" in tidy(sum_of(kind, 1, 2, "2'10"))
        assert "connect \\B { \\x [2] \\x [2] 1'1 }\n" not in tidy(sum_of(kind, 0, 1, "1'1"))
        assert "parameter \\B_WIDTH 4\n" in tidy(sum_of(kind, 1, 2, "\\x [1:0]"))
    assert "connect \\B \\x [1:0]\n" in tidy(sum_of("mul", 0, 2, "\\x [1:0]"))
    long = tidy(sum_of("add", 1, 6, "{ \\x [1:0] \\x }"))
    assert "connect \\A { \\x [3] \\x [3] \\x [3:0] }\n" in long and "connect \\B { \\x [1:0] \\x }\n" in long


PARTS = """\
module \\top

  wire width 8 $1

  wire width 8 \\port$2

  wire width 1 $3

  cell \\leaf \\west
    connect \\a $1
    connect \\b \\port$2
    connect \\c $3
  end

  cell \\leaf \\east
    connect \\a \\port$2
    connect \\b $1
  end

end
"""


def test_wires_between_parts_get_the_names_of_part_and_port():
    text = tidy(PARTS)
    assert "$" not in text
    assert "connect \\a \\west_a\n" in text and "connect \\b \\west_a\n" in text
    assert "connect \\b \\west_b\n" in text and "wire width 8 \\west_b\n" in text
    assert "wire width 1 \\unused_west_c\n" in text and "connect \\c \\unused_west_c\n" in text


def test_second_names_that_nobody_reads_go():
    wires = "".join(f"  wire width 2 \\{name}\n\n" for name in ("last$36", "y.data", "z[1]", "x"))
    module = f"module \\top\n\n{wires}"
    module += "connect \\last$36 \\x [1:0]\nconnect \\y.data \\x\nconnect \\x \\z[1] [1:0]\nend\n"
    text = tidy(module)
    assert "last$36" not in text
    assert "wire width 2 \\x\n" in text and "connect \\x \\z_1 [1:0]\n" in text and "connect \\y_data \\x\n" in text


def test_a_port_is_no_second_name():
    module = "module \\part\n\n  wire width 1 output 6  \\port$4$0\n\n  wire width 1 \\x\n\nconnect \\port$4$0 \\x [0]\nend\n"
    assert "connect \\port_4_0 \\x [0]\n" in tidy(module)


def test_a_port_for_a_part_of_a_signal_has_the_same_name_on_both_sides():
    inner = "module \\part\n\n  wire width 3 input 0  \\port$12$0\n\nend\n"
    outer = "module \\top\n\n  cell \\part \\first\n    connect \\port$12$0 \\first_port$12$0\n  end\nend\n"
    text = tidy(inner + outer)
    assert "input 0  \\port_12_0\n" in text and "connect \\port_12_0 \\first_port_12_0\n" in text
