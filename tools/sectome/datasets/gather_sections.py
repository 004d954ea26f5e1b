"""One volume from sections that an archive keeps in several folders, or together with others."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sectome.checks import InputError
from sectome.volumes import Volume, open_volume


def gather_sections(unpacked: Path, patterns: tuple[str, ...]) -> Volume:
    """Move the matching sections into a folder of their own and open it as a volume.

    Args:
        unpacked: Folder of unpacked archives, out of which the sections are moved.
        patterns: Globs relative to it, such as "mito-train-v2/*.tif".

    Raises:
        InputError: If a pattern matches nothing, two sections share a name, or they do not form a volume.
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
