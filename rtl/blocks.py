"""Components that keep a module of their own: written to Verilog once, instantiated by name as often as needed."""

from amaranth import ClockDomain, EnableInserter, Instance, Signal, Value
from amaranth.back import rtlil
from amaranth.hdl._ir import Fragment, PortDirection
from amaranth.lib.wiring import In

__all__ = ["place", "block_rtlil"]


def place(name, component, *, clk, run=None, **connections):
    """An instance of module `name`, made by `block_rtlil` of `component`.

    Parameters
    ----------
    clk, run : Value
        Clock and enable of every register in it; no enable of a component that is `free_running`.
    connections : Value
        What each port of the component's signature connects to.
    """
    ports = {"i_clk": clk} if run is None else {"i_clk": clk, "i_run": run}
    for port, member in component.signature.members.items():
        ports[f"{'i' if member.flow == In else 'o'}_{port}"] = Value.cast(connections[port])
    return Instance(name, **ports)


def block_rtlil(name, component):
    """RTLIL of `component`, with plain ports and no reset, as module `name` with ``clk`` and ``run`` beside them.

    A component with a true attribute ``free_running`` has no ``run``: its registers have no enable in common.
    """
    run, free = Signal(), getattr(component, "free_running", False)
    domain = ClockDomain("sync", reset_less=True)
    ports = {"clk": (domain.clk, PortDirection.Input)}
    if not free:
        ports["run"] = (run, PortDirection.Input)
    for port, member in component.signature.members.items():
        direction = PortDirection.Input if member.flow == In else PortDirection.Output
        ports[port] = (Value.cast(getattr(component, port)), direction)
    fragment = Fragment.get(component if free else EnableInserter(run)(component), None)
    fragment.add_domains(domain)
    return rtlil.convert_fragment(fragment, ports, name, emit_src=False)[0]
