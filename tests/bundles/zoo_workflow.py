"""Runs a workflow of a bundle from Python and prints what it offers; `scripts` is that bundle's in this process.

Its argument is JSON: "maker" ("create_workflow" or "ConfigWorkflow"), "config_file", "workflow_type", "overrides", and
"run".
"""

from __future__ import annotations

import json
import sys

import monai.bundle


def main() -> None:
    """Initialise, look at the properties, run and finalize."""
    request = json.loads(sys.argv[1])
    make = getattr(monai.bundle, request["maker"])
    workflow = make(config_file=request["config_file"], workflow_type=request["workflow_type"], **request["overrides"])
    if request["maker"] == "ConfigWorkflow":
        workflow.initialize()
    missing = workflow.check_properties()
    absent = [name for name in workflow.properties if getattr(workflow, name) is None]
    if request["run"]:
        workflow.run()
        workflow.finalize()
    print("RESULT " + json.dumps({"missing": missing, "absent": absent}))


if __name__ == "__main__":
    main()
