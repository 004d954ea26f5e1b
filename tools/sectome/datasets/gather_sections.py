"""Sections that an archive keeps in several folders, or together with others, as one volume."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sectome.checks import InputError
from sectome.volumes import Volume, open_volume


def gather_sections(unpacked: Path, patterns: tuple[str, ...]) -> Volume:
    """Move the sections that match into a folder of their own and open it.

    Args:
        unpacked: Folder of what was unpacked; the sections leave their place in it.
        patterns: Globs relative to it, as "mito-train-v2/*.tif".

    Raises:
        InputError: If a pattern matches nothing, two sections have one name, or they do not make a volume.
    """
    folder = Path(tempfile.mkdtemp(prefix="sections-", dir=unpacked))
    for pattern in patterns:
        sections = sorted(unpacked.glob(pattern))
        if not sections:
            raise InputError(f"expected sections {pattern} in the archives, got none")
        for section in sections:
            if (folder / section.name).exists():
                raise InputError(f"expected each section once in {' and '.join(patterns)}, got {section.name} twice")
            section.rename(folder / section.name)
    return open_volume(folder)
