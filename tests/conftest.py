"""Settings of every test run."""

import os

import pytest
from hypothesis import settings

# The tests run in as many processes as there are cores; threads of torch's on top would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# The same examples in every run, and no time limit for one: the machine may be busy.
settings.register_profile("narrowgate", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("narrowgate")


@pytest.fixture(scope="session")
def synth_build(tmp_path_factory):
    """The folder for what synthesis keeps in this run."""
    return tmp_path_factory.mktemp("synth")


@pytest.fixture(scope="module", autouse=True)
def synth_cache(request):
    """Tests of synth start from an empty cache: the one under build/ may hold what the code no longer makes."""
    if not request.path.name.startswith("test_synth_"):
        yield
        return
    from synth import flow

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flow, "BUILD", request.getfixturevalue("synth_build"))
        yield
