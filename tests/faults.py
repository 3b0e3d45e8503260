"""Designs that are wrong at one port, to prove that a bench sees it."""

import re

from tb.harness import stream_parts

__all__ = ["with_faults"]


def with_faults(verilog, sidecar):
    """The design behind a wrapper that breaks one thing at its ports, chosen by the plus argument ``fault``.

    Returns
    -------
    verilog : str
        A module of the same name and ports.
    faults : dict
        What breaks -> value of ``fault``: for each output, ``valid low``, ``last low``, ``last inverted`` and the
        inversion of each bit of its data; for each input, ``ready low``. 0 breaks nothing.
    """
    module = sidecar["module"]
    faults, ports, wires, links, breaks = {}, ["input aclk", "input aresetn"], [], [], []

    def fault(name):
        return faults.setdefault(name, len(faults) + 1)

    for stream in sidecar["streams"]:
        port, inwards = stream_parts(stream)
        bits = 8 * stream["bytes"]
        for part, width in (("tvalid", 1), ("tready", 1), ("tdata", bits), ("tlast", 1)):
            if part == "tlast" and not stream["last"]:
                continue
            name = f"{port}_{part}"
            driven = inwards == (part == "tready")
            ports.append(f"{'output' if driven else 'input'} {f'[{width - 1}:0] ' if width > 1 else ''}{name}")
            links.append(f".{name}({'sound_' if driven else ''}{name})")
            if not driven:
                continue
            wires.append(f"    wire [{width - 1}:0] sound_{name};")
            if part == "tdata":
                first = [fault(f"{name} bit {bit} inverted") for bit in range(width)][0]
                flip = f"(fault >= {first} && fault < {first + width} ? {width}'d1 << (fault - {first}) : {width}'d0)"
                breaks.append(f"    assign {name} = sound_{name} ^ {flip};")
            elif part == "tlast":
                low, inverted = fault(f"{name} low"), fault(f"{name} inverted")
                breaks.append(f"    assign {name} = fault != {low} && sound_{name} != (fault == {inverted});")
            else:
                breaks.append(f"    assign {name} = sound_{name} && fault != {fault(f'{name} low')};")
    wrapper = [
        f"module {module}(",
        ",\n".join(f"    {port}" for port in ports),
        ");",
        *wires,
        "    reg [31:0] fault;",
        '    initial if (!$value$plusargs("fault=%d", fault)) fault = 0;',
        f"    {module}_sound sound(.aclk(aclk), .aresetn(aresetn), {', '.join(links)});",
        *breaks,
        "endmodule",
    ]
    sound = re.sub(rf"^module {module}\b", f"module {module}_sound", verilog, flags=re.M)
    return "\n".join(wrapper) + "\n\n" + sound, faults
