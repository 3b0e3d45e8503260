"""What long training says in a worker: a line of an epoch, at most one a minute, and no bar."""

import contextlib
import io
import os
import sys
import time

__all__ = ["SECONDS", "Lines", "minutely"]

SECONDS = 60


class Lines(io.TextIOBase):
    """Text that is passed on a line at a time, none sooner than `SECONDS` behind the one before or the start.

    Parameters
    ----------
    target : text stream
    """

    def __init__(self, target):
        self.target, self.line, self.said = target, "", time.monotonic()

    def write(self, text):
        """Take `text`; lines that come too soon are dropped."""
        *lines, self.line = (self.line + text).split("\n")
        for line in lines:
            if time.monotonic() - self.said >= SECONDS:
                print(line, file=self.target, flush=True)
                self.said = time.monotonic()
        return len(text)


@contextlib.contextmanager
def minutely():
    """Inside the block what is printed goes through `Lines`, and progress bars, on the error output, nowhere."""
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        with contextlib.redirect_stdout(Lines(sys.stdout)):
            yield
