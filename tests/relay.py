"""A small design with AXI4-Stream ports, for tests of the test benches: a register stage that adds one to each byte."""

import numpy as np

from rtl.beats import Beats

__all__ = ["RELAY", "SIDECAR", "relay_beats"]

SIDECAR = {
    "module": "relay",
    "streams": [
        {"role": "x", "direction": "input", "width": 16, "bytes": 2, "last": True},
        {"role": "y", "direction": "output", "width": 16, "bytes": 2, "last": True},
    ],
}

RELAY = """
module relay(
    input aclk, input aresetn,
    input s_axis_x_tvalid, output s_axis_x_tready, input [15:0] s_axis_x_tdata, input s_axis_x_tlast,
    output reg m_axis_y_tvalid, input m_axis_y_tready, output reg [15:0] m_axis_y_tdata, output reg m_axis_y_tlast
);
    assign s_axis_x_tready = !m_axis_y_tvalid || m_axis_y_tready;
    always @(posedge aclk) begin
        if (!aresetn) m_axis_y_tvalid <= 0;
        else if (s_axis_x_tready) begin
            m_axis_y_tvalid <= s_axis_x_tvalid;
            m_axis_y_tdata[7:0] <= s_axis_x_tdata[7:0] + 8'd1;
            m_axis_y_tdata[15:8] <= s_axis_x_tdata[15:8] + 8'd1;
            m_axis_y_tlast <= s_axis_x_tlast;
        end
    end
endmodule
"""


def relay_beats(count, seed=1):
    """Random beats for ``x`` and what ``y`` must give."""
    rng = np.random.default_rng(seed)
    data, last = rng.integers(0, 256, (count, 2), dtype=np.uint8), rng.random(count) < 0.3
    return {"x": Beats(data, last)}, Beats(data + np.uint8(1), last)
