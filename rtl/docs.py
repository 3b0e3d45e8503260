"""The parts of the documentation that the registry determines."""

from pathlib import Path

from golden.errors import InputError, replacing
from rtl.targets import TARGETS

__all__ = ["targets_table", "write"]

OPEN, CLOSE = "<!-- targets -->\n", "<!-- /targets -->"


def targets_table():
    """The registry as a Markdown table: name, summary, parameters with their defaults."""
    lines = ["| target | what it is | parameters and defaults |", "|---|---|---|"]
    for row in TARGETS.values():
        settings = ", ".join(f"`{name}={value}`" for name, value in row.engine().settings().items())
        lines.append(f"| `{row.name}` | {row.summary} | {settings} |")
    return "\n".join(lines) + "\n"


def write(path="README.md"):
    """Put the table between the markers of `path`; whether it changed."""
    text = Path(path).read_text()
    if text.count(OPEN) != 1 or text.count(CLOSE) != 1:
        raise InputError(f"{path} must hold the markers {OPEN.strip()} and {CLOSE} once each")
    head, rest = text.split(OPEN)
    new = head + OPEN + targets_table() + CLOSE + rest.split(CLOSE)[1]
    if new != text:
        with replacing(path) as temporary:
            temporary.write_text(new)
    return new != text
