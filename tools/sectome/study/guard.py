"""Run a command, and end it with all that it has started when the study that asked for it is gone.

A program of its own: the study gives the command as arguments and holds the other end of the standard input, which
closes however the study ends. Only the standard library is imported, so that it starts at once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading


def main() -> int:
    """Return the command's exit status."""
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_with_study, daemon=True).start()
    return child.wait()


def _end_with_study() -> None:
    # Not through sys.stdin, whose lock the interpreter would want when the command has ended first.
    os.read(0, 1)
    # The study made this process the leader of a group.
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
