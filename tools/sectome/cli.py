"""The `sectome` command. Each public function here is a sub-command; fire makes its options from the signature."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from inspect import signature
from pathlib import Path
from typing import Any

import fire
from fire import decorators
from fire.parser import DefaultParseValue

from sectome.checks import EXIT_CODE, INTERRUPTED, InputError, check_choice, check_triple
from sectome.commands import (
    bundle,
    check_flags,
    dataset,
    evaluate,
    export,
    inflate,
    mitochondria,
    predict,
    segment,
    segment_volume,
    study,
    view,
)
from sectome.commands.check_flags import TRUTHS


def info(volume: str, voxel_size_nm: Sequence[float] | None = None) -> None:
    """Print a volume's shape, type, voxel size, offset, pyramid levels, and grey values or number of objects.

    Args:
        volume: a path, such as vol.h5:volumes/raw for a dataset in a container, or the s3://, gs:// or https:// address
            of a zarr, N5 or precomputed volume.
        voxel_size_nm: z,y,x in nm, for a file that does not state it.
    """
    from sectome.volumes import describe_volume, open_volume

    print(json.dumps(describe_volume(open_volume(volume, voxel_size_nm=voxel_size_nm)), indent=2))


def convert(
    source: str,
    output: str,
    voxel_size_nm: Sequence[float] | None = None,
    near_voxel_size_nm: Sequence[float] | None = None,
) -> None:
    """Convert a volume to another format, slab by slab, with its voxel size and offset.

    Formats: .tif .h5 .zarr .ome.zarr .n5 .precomputed .nii .nii.gz .mrc .npy .npz, or a folder of sections. If it is
    stopped, the same command resumes where it writes .zarr, .ome.zarr, .n5 or .precomputed to this machine.

    Args:
        source: volume to read; zarr, N5 and precomputed also from s3://, gs:// and https://.
        output: volume to write; its suffix selects the format. .zarr and .ome.zarr also to s3:// and gs://.
        voxel_size_nm: z,y,x in nm, for a source that does not state it.
        near_voxel_size_nm: z,y,x in nm; selects the pyramid level with the nearest voxel size, by default the finest.
    """
    from sectome.volumes import open_volume, write_volume

    volume = open_volume(source, voxel_size_nm=voxel_size_nm, near_voxel_size_nm=near_voxel_size_nm)
    write_volume(output, volume)
    print(f"wrote {output}")


def phantom(
    output: str,
    shape: Sequence[int] = (64, 256, 256),
    voxel_size_nm: Sequence[float] = (30, 6, 6),
    seed: int = 0,
    suffix: str = ".tif",
    defects: float = 0.0,
) -> None:
    """Make synthetic neural tissue with ground truth: OUTPUT/images, OUTPUT/labels and OUTPUT/mitochondria.

    Args:
        output: folder to write into.
        shape: voxels z,y,x.
        voxel_size_nm: z,y,x in nm.
        seed: random seed; the same seed makes the same tissue.
        suffix: format of the volumes.
        defects: share of sections that are lost, slipped, blurred, striped, charged, folded, torn or of other contrast.
    """
    from sectome.phantom import add_defects, make_phantom
    from sectome.volumes import write_volume

    size_nm = check_triple(voxel_size_nm, "voxel_size_nm")
    if suffix and not suffix.startswith("."):
        raise InputError(f"suffix must begin with a dot, such as .tif, got {suffix!r}")
    tissue = make_phantom(shape, size_nm, seed)
    if defects:
        tissue = add_defects(tissue, defects, seed)
    volumes = {"images": tissue.raw, "labels": tissue.neurons, "mitochondria": tissue.mitochondria}
    for kind, volume in volumes.items():
        path = Path(output) / kind / f"phantom_{seed}{suffix}"
        write_volume(path, volume, voxel_size_nm=size_nm)
        print(f"wrote {path}")


def fetch(name: str, to: str = "data", archives: str | None = None) -> None:
    """Download, check and unpack a public data set into TO/NAME, for use with the bundles' overlay of that name.

    Args:
        name: snemi3d, mitoem_r, mitoem_h, cremi, lucchi or fib25.
        to: folder that holds the sets; partial downloads are kept there, and the next call resumes them.
        archives: folder with archives that you downloaded yourself, for sets that need a login or a browser.
    """
    from sectome.datasets import ALL_SETS
    from sectome.datasets import fetch as fetch_set

    public = ALL_SETS[check_choice(name, sorted(ALL_SETS), "name")]
    print(f"{public.name}: {public.title}\nterms: {public.terms}\ncite: {public.citation}", flush=True)
    folder = fetch_set(public, to, archives)
    print("".join(f"note: {trap}\n" for trap in public.traps), end="")
    print(f"use: configs/datasets/{public.name}.json with --dataset_dir {folder.absolute()}")


def report(*runs: str, out: str = "report.html") -> None:
    """Write one self-contained HTML page about run folders: curves, pictures, overlays, scores.

    Args:
        runs: output folders of training and evaluation runs of both bundles.
        out: the page to write.
    """
    from sectome.report import write_report

    if not runs:
        raise InputError("expected at least one run folder, got none")
    print(f"wrote {write_report(runs, out)}")


def gallery(
    output: str,
    names: str | Sequence[str] | None = None,
    volume: str | None = None,
    labels: str | None = None,
    voxel_size_nm: Sequence[float] | None = None,
    seed: int = 0,
) -> None:
    """Write a picture of each transform, before and after, on synthetic tissue or your own.

    Args:
        output: folder to write NAME.png into.
        names: only these transforms, such as Fold,Crack.
        volume: volume whose middle is shown instead of synthetic tissue.
        labels: labels of that volume, for transforms that move or change them.
        voxel_size_nm: z,y,x in nm, for a volume that does not state it.
        seed: random seed of the synthetic tissue and of the transforms.
    """
    from sectome.report.gallery import make_gallery

    paths = make_gallery(output, names, volume, seed, labels, voxel_size_nm)
    print(f"wrote {len(paths)} pictures to {output}")


def demo(output: str = "demo", bundles: str = "bundles") -> None:
    """Pre-train, fine-tune, segment, score and report on synthetic tissue, in minutes on a laptop.

    Args:
        output: folder for data, runs and report.
        bundles: folder that holds the two bundles.
    """
    from sectome.demo import run_demo

    run_demo(Path(output), Path(bundles))


COMMANDS: dict[str, Callable[..., None]] = {
    "info": info,
    "convert": convert,
    "phantom": phantom,
    "dataset": dataset,
    "predict": predict,
    "segment": segment,
    "segment-volume": segment_volume,
    "mitochondria": mitochondria,
    "evaluate": evaluate,
    "fetch": fetch,
    "report": report,
    "view": view,
    "gallery": gallery,
    "study": study,
    "inflate": inflate,
    "bundle": bundle,
    "export": export,
    "demo": demo,
}


def parse_by_annotation(command: Callable[..., None]) -> None:
    """Let fire parse each word by its parameter's annotation: by itself it takes 2024 for a number and a#1 for a."""
    parsers = {
        name: PARSERS.get(one.annotation, DefaultParseValue) for name, one in signature(command).parameters.items()
    }
    decorators.SetParseFns(**parsers)(command)
    # For *volumes and *runs, which fire has no name for. All other parameters have a parser already.
    decorators.SetParseFn(str)(command)


def _text_or_none(word: str) -> str | None:
    return None if DefaultParseValue(word) is None else word


def _truth(word: str) -> Any:
    return TRUTHS.get(word, word)  # anything else was refused by `check_flags`


def _names(word: str) -> list[str]:
    """Return the names in a,b or [a,b]; a number such as 25 is a name, too."""
    value = DefaultParseValue(word)
    parts = value if isinstance(value, (list, tuple)) else str(value).split(",")
    return [name for part in parts if (name := str(part).strip())]


PARSERS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "str | None": _text_or_none,
    "bool": _truth,
    "bool | None": _truth,
    "Sequence[str]": _names,
}
"""Parsers of words by the annotation of their parameter; for other annotations fire guesses the type."""


def main() -> None:
    """Run a sub-command; a user's mistake ends with one sentence and exit code 2."""
    # Threads of torch spin for milliseconds while they wait, and keep other work from the cores. The variable is read
    # when torch is loaded, here and in the trainings that a command starts.
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    # fire keeps metadata in an attribute of each function. Under its default name, help lists it as a command group.
    decorators.FIRE_METADATA = "__fire_metadata__"
    for command in COMMANDS.values():
        parse_by_annotation(command)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        # As on Ctrl-C, so that partial output is removed.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        check_flags(COMMANDS, sys.argv[1:])
        fire.Fire(COMMANDS, sys.argv[1:], name="sectome")
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(EXIT_CODE) from None
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        raise SystemExit(INTERRUPTED) from None


if __name__ == "__main__":
    main()
