"""Designs that are wrong at one port, to prove that a bench sees it."""

import re

from tb.harness import stream_parts

__all__ = ["with_faults"]

OUTPUT_MANNERS = ("late", "restless", "withdrawn", "shy", "awake")


def with_faults(verilog, sidecar):
    """The design behind a wrapper that breaks one thing at its ports, chosen by the plus argument ``fault``.

    Returns
    -------
    verilog : str
        A module of the same name and ports.
    faults : dict
        What makes the beats wrong -> value of ``fault``: for each output, ``valid low``, ``last low``,
        ``last inverted`` and the inversion of each bit of its data; for each input, ``ready low``. 0 breaks nothing.
    manners : dict
        What leaves every beat right and is wrong all the same -> value of ``fault``. For each output: ``late``, all
        beats a cycle late; ``restless``, other data while it stalls; ``withdrawn``, not valid in every other cycle of
        a stall; ``shy``, valid only when ready; ``awake``, valid during reset. And ``reset ignored``: any but the
        first, and outputs are not valid during it, so that only what is left behind shows.
    """
    module = sidecar["module"]
    faults, manners, ports, wires, links, breaks = {}, {}, ["input aclk", "input aresetn"], [], [], []

    def number(name, kind):
        return kind.setdefault(name, len(faults) + len(manners) + 1)

    deaf = number("reset ignored", manners)
    for stream in sidecar["streams"]:
        port, inwards = stream_parts(stream)
        bits = 8 * stream["bytes"]
        parts = {"tvalid": 1, "tready": 1, "tdata": bits} | ({"tlast": 1} if stream["last"] else {})
        for part, width in parts.items():
            name = f"{port}_{part}"
            driven = inwards == (part == "tready")
            ports.append(f"{'output' if driven else 'input'} {f'[{width - 1}:0] ' if width > 1 else ''}{name}")
            links.append(f".{name}({'' if inwards and not driven else 'sound_'}{name})")
            if driven or not inwards:
                wires.append(f"    wire [{width - 1}:0] sound_{name};")
        if inwards:
            low = number(f"{port}_tready low", faults)
            breaks.append(f"    assign {port}_tready = sound_{port}_tready && fault != {low};")
            continue
        numbers = {name: number(f"{port} {name}", manners) for name in OUTPUT_MANNERS}
        for part in ("tvalid", "tlast"):
            if part in parts:
                numbers[f"{part}_low"] = number(f"{port}_{part} low", faults)
        flips = [number(f"{port}_tdata bit {bit} inverted", faults) for bit in range(bits)]
        breaks.append(OUTPUT.format(port=port, bits=bits, first=flips[0], stop=flips[-1] + 1, deaf=deaf, **numbers))
        if "tlast" in parts:
            inverted = number(f"{port}_tlast inverted", faults)
            breaks.append(LAST.format(port=port, inverted=inverted, **numbers))
    wrapper = [
        f"module {module}(",
        ",\n".join(f"    {port}" for port in ports),
        ");",
        *wires,
        "    reg [31:0] fault;",
        '    initial if (!$value$plusargs("fault=%d", fault)) fault = 0;',
        "    reg started;",
        "    initial started = 0;",
        "    always @(posedge aclk) if (aresetn) started <= 1;",
        f"    wire sound_aresetn = aresetn || fault == {deaf} && started;",
        f"    {module}_sound sound(.aclk(aclk), .aresetn(sound_aresetn), {', '.join(links)});",
        *breaks,
        "endmodule",
    ]
    sound = re.sub(rf"^module {module}\b", f"module {module}_sound", verilog, flags=re.M)
    return "\n".join(wrapper) + "\n\n" + sound, faults, manners


# An output: a register slice for the late one, then what is wrong with valid and data.
OUTPUT = """\
    wire {port}_late = fault == {late};
    reg {port}_full, {port}_stalled;
    reg [{bits}-1:0] {port}_kept;
    assign sound_{port}_tready = {port}_late ? !{port}_full || {port}_tready : {port}_tready;
    always @(posedge aclk) begin
        {port}_stalled <= {port}_tvalid && !{port}_tready;
        if (!aresetn) {port}_full <= 0;
        else if (sound_{port}_tready) begin
            {port}_full <= sound_{port}_tvalid;
            {port}_kept <= sound_{port}_tdata;
        end
    end
    wire {port}_any = {port}_late ? {port}_full : sound_{port}_tvalid;
    assign {port}_tvalid = fault == {awake} && !aresetn || {port}_any && fault != {tvalid_low}
        && !(fault == {withdrawn} && {port}_stalled && !{port}_tready)
        && !(fault == {shy} && !{port}_tready)
        && !(fault == {deaf} && !aresetn);
    assign {port}_tdata = ({port}_late ? {port}_kept : sound_{port}_tdata)
        ^ (fault >= {first} && fault < {stop} ? {bits}'d1 << (fault - {first}) : {bits}'d0)
        ^ (fault == {restless} && !{port}_tready ? {bits}'d1 : {bits}'d0);
"""

LAST = """\
    reg {port}_kept_last;
    always @(posedge aclk) if (sound_{port}_tready) {port}_kept_last <= sound_{port}_tlast;
    assign {port}_tlast = fault != {tlast_low}
        && ({port}_late ? {port}_kept_last : sound_{port}_tlast) != (fault == {inverted});
"""
