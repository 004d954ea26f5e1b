"""Run a command, and kill it with all its child processes if the study that started it is gone.

A separate program: the study passes the command as arguments and holds the other end of the standard input, which
closes however the study ends. Only the standard library is imported, for a fast start.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    """Run the command and return its exit status."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_study, daemon=True).start()
    return child.wait()


def _end_with_study() -> None:
    # Do not use sys.stdin: this thread would hold its lock, which the interpreter needs at exit.
    os.read(0, 1)
    # The study made this process a group leader.
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
