"""What long training says in a worker: a line at most once a minute, of an epoch or of how far a bar is."""

import contextlib
import io
import re
import sys
import time

__all__ = ["SECONDS", "Lines", "minutely"]

SECONDS = 60


class Lines(io.TextIOBase):
    """Text that is passed on a line at a time, none sooner than `SECONDS` behind the one before or the start.

    What a bar draws anew is a line each time.

    Parameters
    ----------
    target : text stream
    """

    def __init__(self, target):
        self.target, self.line, self.said = target, "", time.monotonic()

    def write(self, text):
        """Take `text`; lines that come too soon are dropped."""
        *lines, self.line = re.split("[\r\n]", self.line + text)
        for line in lines:
            if line.strip() and time.monotonic() - self.said >= SECONDS:
                print(line.rstrip(), file=self.target, flush=True)
                self.said = time.monotonic()
        return len(text)


@contextlib.contextmanager
def minutely():
    """Inside the block what is printed, and what progress bars draw on the error output, goes through one `Lines`."""
    with contextlib.redirect_stdout(Lines(sys.stdout)) as lines, contextlib.redirect_stderr(lines):
        yield
