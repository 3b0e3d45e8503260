"""Local response normalisation in a trace, which writes it as a chain of simpler operations."""

__all__ = ["VIEWS", "normalisation"]

VIEWS = [
    f"aten.{name}"
    for name in (
        "view.default",
        "reshape.default",
        "_unsafe_view.default",
        "flatten.using_ints",
        "squeeze.default",
        "squeeze.dim",
        "squeeze.dims",
        "unsqueeze.default",
    )
]

# From x / (k + alpha * mean)**beta back to x * x, each the first argument of the one before.
NORMALISATION = (
    ("aten.pow.Tensor_Scalar",),
    ("aten.add.Tensor",),
    ("aten.mul.Tensor",),
    VIEWS,
    VIEWS,
    ("aten.avg_pool3d.default",),
    ("aten.pad.default", "aten.constant_pad_nd.default"),
    VIEWS,
    ("aten.mul.Tensor",),
)


def normalisation(node):
    """Nodes and attributes of the local response normalisation that ends in the division `node`, or None."""
    x, step, nodes = node.args[0], node.args[1], []
    for allowed in NORMALISATION:
        if str(getattr(step, "target", None)) not in allowed or len(step.users) != 1:
            return None
        nodes.append(step)
        step = step.args[0]
    power, plus, times, _, _, pool, pad, _, square = nodes
    size, numbers = pool.args[1][0], {"alpha": times.args[1], "beta": power.args[1], "k": plus.args[1]}
    fits = (
        square.args == (x, x)
        and list(pool.args[1:]) == [[size, 1, 1], [1, 1, 1]]
        and list(pad.args[1]) == [0, 0, 0, 0, size // 2, (size - 1) // 2]
        and not any(node.kwargs for node in nodes)
        and all(isinstance(value, (int, float)) for value in numbers.values())
    )
    return (nodes, {"size": size} | {name: float(value) for name, value in numbers.items()}) if fits else None
