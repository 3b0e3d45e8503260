"""Library cells as Verilog modules, for simulation."""

from synth.functions import to_verilog

__all__ = ["model"]

MEANINGS = ("clocked_on", "next_state", "enable", "data_in", "clear", "preset")


def model(cell):
    """The behaviour of a library cell as a Verilog module. Gates have the library's typical delay, so that nets glitch.

    Registers start at 0 and answer after 1 ns: later than a clock gate, as a clock tree would have it.
    """
    names = ", ".join((*cell.inputs, *cell.outputs))
    lines = [f"module {cell.name}({names});"]
    lines += [f"  input {pin};" for pin in cell.inputs] + [f"  output {pin};" for pin in cell.outputs]
    delay = f"#{cell.delay:.3f}"
    if cell.state is not None:
        state, inverse = cell.state.arguments
        given = {key: to_verilog(text) for key, text in cell.state.attributes.items() if key in MEANINGS}
        lines += [f"  reg {state} = 0;", f"  wire {inverse} = ~{state};"]
        lines += [f"  wire {key} = {text};" for key, text in given.items()]
        forced = [(key, value) for key, value in (("clear", 0), ("preset", 1)) if key in given]
        events = "".join(f" or posedge {key}" for key, _ in forced)
        body = "".join(f"if ({key}) {state} <= #1 {value}; else " for key, value in forced)
        if cell.kind == "ff":
            lines.append(f"  always @(posedge clocked_on{events}) {body}{state} <= #1 next_state;")
        else:
            lines.append(f"  always @* {body}if (enable) {state} <= data_in;")
        delay = ""
    lines += [f"  assign {delay} {pin} = {to_verilog(function)};" for pin, function in cell.outputs.items()]
    return "\n".join((*lines, "endmodule", ""))
