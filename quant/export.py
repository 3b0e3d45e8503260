"""A trained network as golden's: integers, units and a graph."""

from golden.builder import Builder
from golden.errors import InputError
from quant.models import PIXEL, PIXEL_UNIT

__all__ = ["export"]


def export(model, info=None):
    """The `golden.network.Network` that computes what `model` computes in evaluation mode.

    The graph of a layer is conv or dense, requant and max_pool; a layer ``conv1`` makes the tensors ``conv1``,
    ``conv1_requant`` and ``conv1_pool``. The sums of the last layer are the logits. Each conv and dense names the RTL
    target of its weight scheme, ``<scheme>_gemm``.

    Parameters
    ----------
    info : dict
        JSON values for the reader of the artefact.

    Raises
    ------
    InputError
        If the model is float, or the affine map of a layer does not fit m, b and s.
    """
    if not model.quantised:
        raise InputError("a float network has no integers to export; choose a weight scheme")
    first = model.stages[0].layer
    network = Builder(PIXEL, (first.n, first.h, first.h), unit=PIXEL_UNIT)
    image = True
    for (stage, unit), scheme in zip(model.units(), model.schemes, strict=True):
        layer, exported = stage.layer, stage.exported(unit)
        if image and layer.kind == "fc":
            network.add("flatten", "flatten")
            image = False
        network.add(
            layer.name,
            "conv" if image else "dense",
            parameters={"weight": (stage.weights.format, exported.weights.numpy())},
            attributes={"stride": layer.s, "padding": layer.pad} if image else None,
            unit=exported.unit or None,  # weights that are all zero have none
            target=f"{scheme}_gemm",
        )
        if exported.requant is not None:
            spec, *vectors = exported.requant
            network.add(
                f"{layer.name}_requant",
                "requant",
                parameters={role: (None, p) for role, p in zip("mbs", vectors, strict=True)},
                attributes={"format": spec.y.name, "m_width": spec.m_width, "b_width": spec.b_width},
                unit=stage.unit,
            )
        if layer.pool > 1:
            network.add(f"{layer.name}_pool", "max_pool", attributes={"kernel": layer.pool})
    return network.build(info=info)
