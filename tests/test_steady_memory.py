"""What a network's steps leave in memory: kept for the next ones, and given back when that is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc keeps memory, on Linux")

STEPS = """
import ctypes, resource, sys
from pathlib import Path
from sectome.steady_memory import give_back_memory, keep_freed_memory
if not hasattr(ctypes.CDLL(None), "mallopt"):
    sys.exit(5)
def pages():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def held_mib():
    return int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) / 1024
def step():
    arrays = [b"1" * (mib * 2**20) for mib in (20, 60, 30, 10)]
    keep = b"1" * 2**12
    return keep
if sys.argv[1] == "keep":
    keep_freed_memory()
held = [step()]
before = pages()
held += [step() for _ in range(5)]
paged_in = (pages() - before) * resource.getpagesize() / 2**20
full = held_mib()
give_back_memory()
print(paged_in, full - held_mib())
"""


def steps(how):
    """Return how many MiB five steps paged in, each with 120 MiB of arrays, and how many were given back then."""
    done = subprocess.run([sys.executable, "-c", STEPS, how], capture_output=True, text=True)
    if done.returncode == 5:
        pytest.skip("the C library has no mallopt")
    assert done.returncode == 0, done.stderr
    return map(float, done.stdout.split())


def test_memory_of_a_step_serves_the_next_one_and_goes_back_when_it_is_asked_for():
    paged_in, given_back = steps("keep")
    assert paged_in < 60
    assert given_back > 100


def test_without_that_each_step_is_paged_in_anew():
    paged_in, given_back = steps("leave")
    assert paged_in > 300
    assert given_back < 100
