"""``python -m golden c ARTEFACT --output net.c [--name lenet]``: a network as one file of C99."""

from golden.errors import Parser, command, replacing


def parser():
    """The command line."""
    program = Parser(prog="python -m golden", description="What golden makes of the artefact of a network.")
    commands = program.add_subparsers(dest="command", required=True, parser_class=Parser, metavar="c")
    export = commands.add_parser("c", help="write the network as one file of C99, with its parameters")
    export.add_argument("artefact", help="a .safetensors file that quant exported")
    export.add_argument("--output", required=True, help="the C file")
    export.add_argument("--name", default="network", help="of its function, without _run; network if left out")
    return program


def main():
    given = parser().parse_args()
    from golden.artefact import load  # not above: without safetensors, `command` says what is missing
    from golden.c99 import source

    text = source(load(given.artefact), given.name)
    with replacing(given.output) as temporary:
        temporary.write_text(text)
    print(f"{given.output}: {len(text.splitlines()):,} lines, {given.name}_run(input, logits)")


if __name__ == "__main__":
    command(main)
