"""What a wrong input looks like: one exception, one line, exit status 2."""

import argparse
import contextlib
import os
import sys
import tempfile
from pathlib import Path

__all__ = ["InputError", "Parser", "assignments", "command", "replacing"]


class InputError(ValueError):
    """An input that cannot be used. Its message is one line: what was wrong and what is allowed."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line, without the usage text."""

    def error(self, message):
        raise InputError(message)


def assignments(words):
    """``name=value`` words, as parameters are typed, as a dictionary."""
    values = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise InputError(f"a parameter is written name=value, not {word!r}")
        if name in values:
            raise InputError(f"{name} is given twice")
        values[name] = value
    return values


def command(main):
    """Run `main()` as a program: an `InputError` or a missing package becomes one line on stderr and exit status 2."""
    try:
        sys.exit(main())
    except InputError as error:
        print(f"narrowgate: {error}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        print(f"narrowgate: the Python package {error.name} is not installed: run make tools", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("narrowgate: interrupted", file=sys.stderr)
        sys.exit(130)


@contextlib.contextmanager
def replacing(path):
    """Yield a temporary path beside `path`; rename it to `path` when the block ends, remove it when the block fails.

    Raises
    ------
    InputError
        If the folder of `path` cannot be made or written, or `path` is there and not a file.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise InputError(f"cannot write {path}: it is there and not a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}") from None
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
