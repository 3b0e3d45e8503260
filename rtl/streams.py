"""Streams of packets inside, AXI4-Stream outside."""

from amaranth import ClockDomain, ClockSignal, Module, ResetSignal, Signal, Value
from amaranth.hdl import Shape
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In

from rtl.beats import stream_bytes

__all__ = ["packets", "singles", "streams", "has_last", "stream_width", "AxiStream"]


def packets(shape):
    """Signature of a stream whose beats hold `data` of `shape` and `last`, the end of a packet."""
    return stream.Signature(data.StructLayout({"data": shape, "last": 1}))


def singles(shape):
    """Signature of a stream whose beats hold `data` of `shape` and stand alone: no ``last``, no ``tlast``."""
    return stream.Signature(data.StructLayout({"data": shape}))


def has_last(component, role):
    """Whether a stream's beats carry `last`."""
    return "last" in getattr(component, role).payload.shape().members


def streams(component):
    """The streams of a component: pairs (role, direction) in order of its signature."""
    return [(role, member.flow) for role, member in component.signature.members.items()]


def stream_width(component, role):
    """Bits of `data` in a beat of a stream."""
    return Shape.cast(getattr(component, role).payload.shape().members["data"]).width


def port_prefix(role, flow):
    """What the names of a stream's AXI ports begin with."""
    return f"{'s' if flow == In else 'm'}_axis_{role}_t"


class AxiStream(wiring.Component):
    """A component whose ports are streams, behind AXI4-Stream ports. No logic, no latency.

    Parameters
    ----------
    core : wiring.Component
        Every member of its signature is a stream of `packets` or `singles`.

    Attributes
    ----------
    aclk, aresetn : In(1)
        Clock, and synchronous reset, active low.
    s_axis_<role>_t{valid,ready,data,last}, m_axis_<role>_t{valid,ready,data,last}
        Input and output streams; ``tdata`` is padded to bytes with zeros, the first element in the low bits.

    Source: AMBA AXI-Stream Protocol Specification, IHI 0051.
    """

    def __init__(self, core):
        self.core = core
        self.blocks = core.blocks
        ports = {"aclk": In(1), "aresetn": In(1)}
        for role, flow in streams(core):
            prefix = port_prefix(role, flow)
            ports |= {
                f"{prefix}valid": flow(1),
                f"{prefix}ready": flow.flip()(1),
                f"{prefix}data": flow(8 * stream_bytes(stream_width(core, role))),
            }
            if has_last(core, role):
                ports[f"{prefix}last"] = flow(1)
        super().__init__(ports)

    def elaborate(self, platform):
        m = Module()
        m.domains.sync = ClockDomain(local=True)
        m.d.comb += [ClockSignal().eq(self.aclk), ResetSignal().eq(~self.aresetn)]
        m.submodules.core = self.core
        for role, flow in streams(self.core):
            inner = getattr(self.core, role)
            prefix = port_prefix(role, flow)
            wires = [("valid", inner.valid), ("data", inner.payload.data)]
            if has_last(self.core, role):
                wires.append(("last", inner.payload.last))
            for part, value in wires:
                port, value = getattr(self, prefix + part), Value.cast(value)
                m.d.comb += value.eq(port) if flow == In else port.eq(value)
                if flow == In and len(port) > len(value):  # says to linters that the padding is not read
                    padding = Signal(len(port) - len(value), name=f"unused_{role}_padding", attrs={"keep": 1})
                    m.d.comb += padding.eq(port[len(value) :])
            port = getattr(self, prefix + "ready")
            m.d.comb += port.eq(inner.ready) if flow == In else inner.ready.eq(port)
        return m
