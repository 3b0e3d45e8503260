"""Settings of every test run."""

import os

from hypothesis import settings

# The tests run in as many processes as there are cores; threads of torch's on top would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples in every run, and no time limit for one: the machine may be busy.
settings.register_profile("narrowgate", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("narrowgate")
