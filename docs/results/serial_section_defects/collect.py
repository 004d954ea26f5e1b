"""Print the scores of run.sh as CSV: python collect.py WORK."""

import csv
import json
import sys
from pathlib import Path

COLUMNS = ("augmentation", "seed", "tissue", "are", "voi_split", "voi_merge", "voi")


def main(work: Path) -> None:
    """Write one row for each augmentation, seed and tissue: mean-affinity agglomeration, mean of the test volumes."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for path in sorted(work.glob("*_[0-9]*/*/scores.json")):
        augmentation, seed = path.parent.parent.name.split("_")
        scores = json.loads(path.read_text(encoding="utf-8"))["scores"]["mean agglomeration"]
        numbers = (scores["are"], scores["voi_split"], scores["voi_merge"], scores["voi_split"] + scores["voi_merge"])
        writer.writerow([augmentation, seed, path.parent.name, *(f"{number:.4f}" for number in numbers)])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
