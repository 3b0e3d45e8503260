"""A Verilog test bench, for any target and simulator, that feeds a design's streams from files."""

__all__ = ["harness"]

SOURCE = """\
// Sends the records of a file: the bytes of tdata, high byte first, and a byte whose lowest bit is tlast.
module beat_source #(
    parameter BYTES = 1,
    parameter ARG = "role=%s",
    parameter SEED = 1
) (
    input aclk,
    input aresetn,
    input [8:0] stall,  // beats that wait, of 256
    input [7:0] burst,  // mask of how long they do
    output reg tvalid,
    input tready,
    output reg [8*BYTES-1:0] tdata,
    output reg tlast,
    output reg done
);
    localparam DEPTH = 1024;
    localparam WIDTH = 8 * BYTES + 8;
    reg [WIDTH-1:0] block [0:DEPTH-1];
    reg [WIDTH-1:0] beat;
    reg [8*1024-1:0] path;
    reg [31:0] random, seed;
    reg [7:0] wait_for;
    integer file, count, index, skip;
    initial begin
        if (!$value$plusargs("seed=%d", seed)) seed = 1;
        if (!$value$plusargs(ARG, path)) path = "";
        random = SEED * 32'h9e3779b9 ^ seed * 32'h85ebca6b | 1;
        file = $fopen(path, "rb");
        tvalid = 0;
        tdata = 0;
        tlast = 0;
        done = 0;
        count = 0;
        index = 0;
        wait_for = 0;
    end
    always @(posedge aclk) begin
        random = random ^ (random << 13);
        random = random ^ (random >> 17);
        random = random ^ (random << 5);
        if (!aresetn) begin
            skip = $fseek(file, 0, 0);
            count = 0;
            index = 0;
            wait_for = 0;
            tvalid <= 0;
            done <= 0;
        end else if (!tvalid || tready === 1'b1) begin
            if (tvalid) index = index + 1;
            if (index == count) begin
                count = $fread(block, file) / (BYTES + 1);
                index = 0;
            end
            beat = index < count ? block[index] : {WIDTH{1'b0}};
            if (wait_for != 0) wait_for = wait_for - 1;
            else if ({1'b0, random[31:24]} < stall) wait_for = 1 + (random[23:16] & burst);
            if (index < count && wait_for == 0) begin
                tvalid <= 1;
                tdata <= beat[WIDTH-1:8];
                tlast <= beat[0];
            end else begin  // what waits is not to be looked at
                tvalid <= 0;
                tdata <= ~beat[WIDTH-1:8];
                tlast <= ~beat[0];
                done <= index == count;
            end
        end
    end
endmodule
"""

SINK = """\
// Writes a line for each beat, tdata in hexadecimal and tlast, and counts offences against the rules of streams.
module beat_sink #(
    parameter BYTES = 1,
    parameter ARG = "role=%s",
    parameter SEED = 1
) (
    input aclk,
    input aresetn,
    input [8:0] stall,
    input [7:0] burst,
    input lazy,  // to wait for tvalid
    input tvalid,
    output reg tready,
    input [8*BYTES-1:0] tdata,
    input tlast,
    output reg [31:0] offences
);
    reg [8*BYTES-1:0] held_data;
    reg held, held_last, fresh;
    reg [8*1024-1:0] path;
    reg [31:0] random, seed;
    reg [7:0] wait_for;
    integer file;
    initial begin
        if (!$value$plusargs("seed=%d", seed)) seed = 1;
        if (!$value$plusargs(ARG, path)) path = "";
        random = SEED * 32'h9e3779b9 ^ seed * 32'h85ebca6b | 1;
        file = $fopen(path, "wb");
        fresh = 1;
        tready = 0;
        held = 0;
        held_last = 0;
        held_data = 0;
        offences = 0;
        wait_for = 0;
    end
    always @(posedge aclk) begin
        random = random ^ (random << 13);
        random = random ^ (random >> 17);
        random = random ^ (random << 5);
        if (wait_for != 0) wait_for = wait_for - 1;
        else if ({1'b0, random[31:24]} < stall) wait_for = 1 + (random[23:16] & burst);
        tready <= aresetn && wait_for == 0 && (!lazy || (tvalid === 1'b1 && !tready));
        if (!aresetn) begin
            held <= 0;
            if (!fresh) begin  // a reset ends what was under way
                $fclose(file);
                file = $fopen(path, "wb");
                fresh = 1;
            end
        end else begin
            if (tvalid === 1'b1 && tready) begin
                $fwrite(file, "%h %b\\n", tdata, tlast);
                fresh = 0;
            end
            held <= tvalid === 1'b1 && !tready;
            held_data <= tdata;
            held_last <= tlast;
            if ((tvalid !== 1'b0 && tvalid !== 1'b1)
                    || (held && (tvalid !== 1'b1 || tdata !== held_data || tlast !== held_last)))
                offences <= offences + 1;
        end
    end
endmodule
"""

BENCH = """\
module bench(input aclk);
    reg [63:0] cycle, opened, closed, deadline, reset_at;
    reg [31:0] quiet, patience;
    reg [8:0] idle, stall;
    reg [7:0] burst;
    reg aresetn, started, lazy;
{declarations}
    initial begin
        if (!$value$plusargs("deadline=%d", deadline)) deadline = 64'd1000000000000;
        if (!$value$plusargs("patience=%d", patience)) patience = 2000;
        if (!$value$plusargs("reset_at=%d", reset_at)) reset_at = 0;
        if (!$value$plusargs("idle=%d", idle)) idle = 0;
        if (!$value$plusargs("stall=%d", stall)) stall = 0;
        if (!$value$plusargs("burst=%d", burst)) burst = 0;
        if (!$value$plusargs("lazy=%d", lazy)) lazy = 0;
{settings}
        cycle = 0;
        opened = 0;
        closed = 0;
        quiet = 0;
        started = 0;
        aresetn = 0;
    end
{instances}
    {module} dut(
        .aclk(aclk),
        .aresetn(aresetn),
{connections}
    );
    wire taken = {taken};
    wire given = {given};
    wire done = {done};
    wire [31:0] offences = {offences};
    always @(posedge aclk) begin
        cycle <= cycle + 1;
        aresetn <= cycle >= 4 && (reset_at == 0 || cycle < reset_at || cycle >= reset_at + 2);
        if (!aresetn) begin
            started <= 0;
            quiet <= 0;
            opened <= 0;
            closed <= 0;
        end else begin
            quiet <= taken || given ? 0 : quiet + 1;
            if (taken && !started) begin
                started <= 1;
                opened <= cycle;
            end
            if (given) closed <= cycle + 1;
        end
        if (quiet > patience || cycle > deadline) begin
            $display("narrowgate %0d %0d %0d %0d", closed - opened, cycle, done && quiet > patience, offences);
            $finish;
        end
    end
endmodule
"""


def stream_parts(stream):
    """Port name of a stream (without ``_t…``), and whether it is an input of the design."""
    inwards = stream["direction"] == "input"
    return f"{'s' if inwards else 'm'}_axis_{stream['role']}", inwards


def harness(module, streams, controls=None):
    """Verilog of the module ``bench``, whose only port is ``aclk``.

    Every stream has a file, given as plus argument under its role; see `tb.memory` for the others. A design that is
    reset in the middle (``reset_at``) gets all its input again, and what it gave before is forgotten.

    Parameters
    ----------
    module : str
        The design, with AXI4-Stream ports.
    streams : list of dict
        The ``streams`` of its sidecar: role, direction, bytes, and whether there is ``tlast``.
    controls : dict, optional
        Further inputs of the design, name -> width, constant through a run, each set by a plus argument of its name.
    """
    controls = controls or {}
    declarations, settings, instances, connections = [], [], [], []
    taken, given, done, offences = [], [], [], []
    for number, stream in enumerate(streams, 1):
        port, inwards = stream_parts(stream)
        role = stream["role"]
        declarations += [
            f"    wire {role}_tvalid, {role}_tready, {role}_tlast;",
            f"    wire [{8 * stream['bytes'] - 1}:0] {role}_tdata;",
        ]
        parts = [f"t{part}" for part in ("valid", "ready", "data", "last")]
        connections += [f"        .{port}_{part}({role}_{part})" for part in parts[: 4 if stream["last"] else 3]]
        if not (inwards or stream["last"]):
            declarations.append(f"    assign {role}_tlast = 1;")
        extra = "done" if inwards else "offences"
        declarations.append(f"    wire {'' if inwards else '[31:0] '}{role}_{extra};")
        ports = ", ".join(f".{part}({role}_{part})" for part in (*parts, extra))
        ports += "" if inwards else ", .lazy(lazy)"
        instances.append(
            f"    beat_{'source' if inwards else 'sink'} "
            f'#(.BYTES({stream["bytes"]}), .ARG("{role}=%s"), .SEED({number})) {role}_beats(.aclk(aclk), '
            f".aresetn(aresetn), .stall({'idle' if inwards else 'stall'}), .burst(burst), {ports});"
        )
        (taken if inwards else given).append(f"({role}_tvalid === 1'b1 && {role}_tready === 1'b1)")
        (done if inwards else offences).append(f"{role}_{extra}")
    for name, width in controls.items():
        declarations.append(f"    reg [{width - 1}:0] {name};")
        settings.append(f'        if (!$value$plusargs("{name}=%d", {name})) {name} = 0;')
        connections.append(f"        .{name}({name})")
    bench = BENCH.format(
        module=module,
        declarations="\n".join(declarations),
        settings="\n".join(settings),
        instances="\n".join(instances),
        connections=",\n".join(connections),
        taken=" || ".join(taken),
        given=" || ".join(given),
        done=" && ".join(done),
        offences=" + ".join(offences),
    )
    return "`timescale 1ns / 1ns\n" + "\n".join((bench, SOURCE, SINK))
