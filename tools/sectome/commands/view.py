"""`sectome view`: volumes in a browser."""

from __future__ import annotations

import webbrowser
from collections.abc import Sequence
from threading import Event

from sectome.checks import InputError, check_installed


def view(
    *volumes: str,
    voxel_size_nm: Sequence[float] | None = None,
    bind: str = "127.0.0.1",
    port: int = 0,
    browser: bool = True,
) -> None:
    """Show volumes and labels overlaid in a browser (Neuroglancer); only the parts in view are read from the files.

    Args:
        volumes: paths or addresses, as for `sectome info`, or what `sectome predict` wrote. What looks like labels gets
            a colour per id; affinities and maps are shown in red, green and blue.
        voxel_size_nm: z,y,x in nm, for volumes that do not state it.
        bind: address to serve at; with 0.0.0.0, anyone on other machines who knows the link can view them, too.
        port: port to serve at; 0 takes any free one.
        browser: whether to open the page; its link is printed in any case.
    """
    if not volumes:
        raise InputError("expected a volume to view, got none")
    check_installed("neuroglancer", "viewing", "view")
    # The system takes ports modulo 65536: 99999 would be served at 34463.
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port < 2**16:
        raise InputError(f"port must be a whole number from 0 to 65535, got {port!r}")
    from neuroglancer import server

    from sectome.shown_volumes import open_shown, show_volumes

    opened = [open_shown(path, voxel_size_nm) for path in volumes]
    server.set_server_bind_address(bind, port)
    try:
        server.start()
    except OSError as error:
        raise InputError(
            f"bind and port must be an address and a port to serve at, got {bind} and {port}: {error}"
        ) from None
    try:
        # The server drops a viewer that nobody references, and its page is then not found.
        viewer = show_volumes(dict(zip(_layer_names(volumes), opened, strict=True)))
        print(f"{viewer}\nPress Ctrl-C to end", flush=True)
        if browser:
            webbrowser.open(str(viewer))
        Event().wait()
    except KeyboardInterrupt:
        print("closed")
    finally:
        server.stop()


def _layer_names(paths: Sequence[str]) -> list[str]:
    """Return the last part of each path, numbered where several paths share it."""
    names = [path.rstrip("/").rpartition("/")[2] for path in paths]
    return [name if names.count(name) == 1 else f"{name} ({index + 1})" for index, name in enumerate(names)]
