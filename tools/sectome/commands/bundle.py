"""`sectome bundle`: a trained model as a standalone bundle."""

from __future__ import annotations

from collections.abc import Sequence


def bundle(
    source: str,
    output: str,
    checkpoint: str | None = None,
    overlays: Sequence[str] = (),
    label: str = "neuron",
) -> None:
    """Put a trained model into a bundle that needs no overlays, for MONAI Label or to share.

    Args:
        source: folder of the bundle that the model was trained with.
        output: folder or .zip file to write.
        checkpoint: the model, such as runs/a/model.pt; by default the source's own.
        overlays: overlays it was trained with besides the data set's, such as targets/boundary_contour.json.
        label: what one object of the result is, as MONAI Label shows it.
    """
    from sectome.standalone_bundle import make_standalone_bundle

    make_standalone_bundle(source, output, checkpoint, overlays, label)
    print(f"wrote {output}")
