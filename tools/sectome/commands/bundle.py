"""`sectome bundle`: a trained model as a bundle that stands alone."""

from __future__ import annotations

from collections.abc import Sequence


def bundle(
    source: str,
    output: str,
    checkpoint: str | None = None,
    overlays: Sequence[str] = (),
    label: str = "neuron",
) -> None:
    """Put a trained model into a bundle whose configs fit it without overlays: for MONAI Label, and to hand it on.

    Args:
        source: folder of the bundle that the model was trained with.
        output: the folder, or the .zip, to write.
        checkpoint: the model, as runs/a/model.pt; without, the source's own.
        overlays: configs that it was trained with beyond the data set, as in targets/boundary_contour.json.
        label: what one object of the result is, as MONAI Label shows it.
    """
    from sectome.standalone_bundle import make_standalone_bundle

    make_standalone_bundle(source, output, checkpoint, overlays, label)
    print(f"wrote {output}")
