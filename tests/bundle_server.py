"""Runs `python -m monai.bundle` again and again: each in a fork of one process that has imported torch and MONAI.

A bundle run imports for seven seconds and trains for three. Requests are lines of JSON on stdin, answers are exit
codes.
"""

from __future__ import annotations

import atexit
import json
import os
import runpy
import sys
from typing import Any

import monai.bundle
import monai.engines
import monai.handlers
import monai.inferers
import monai.optimizers
import monai.transforms  # noqa: F401
import torch

import sectome.crops
import sectome.metrics
import sectome.postprocess
import sectome.training
import sectome.transforms  # noqa: F401


def run(request: dict[str, Any]) -> int:
    """Do in this process what `python` does with the request's words; return the exit code."""
    for descriptor, path in ((1, request["out"]), (2, request["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    # Read when torch was imported, which is to be before the fork; results depend on it.
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    sys.path[0] = request["cwd"]
    sys.path[1:1] = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    module, *words = request["words"]
    sys.argv = [module, *words]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        try:
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        except SystemExit as end:
            return int(end.code or 0)
        return 1
    return 0


def main() -> None:
    """Answer requests until there are no more."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            code = run(json.loads(line))
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
