"""The network of the masks on disk: one ONNX graph, and a card that says what it is."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from siamtrack.core.config import from_dict, parse_json
from siamtrack.core.files import bytes_of, text_of
from siamtrack.errors import SiamtrackError, WeightsError

PACKAGED = Path(__file__).parents[1] / "pretrained" / "mask"
CARD, GRAPH = "mask.json", "mask.onnx"


@dataclass(frozen=True)
class MaskCard:
    """What is known of a network of masks; `mask.json` in its folder.

    Attributes:
        name: Name of these weights.
        summary: One sentence on what it is.
        sha256: Full hash of `mask.onnx`.
        license: License of the weights.
        trained_on: Data, and for how long.
        scores: Measured figures, and how they were measured.
    """

    name: str
    summary: str
    sha256: str
    license: str = ""
    trained_on: str = ""
    scores: dict[str, float] = field(default_factory=dict)


def read_mask_graph(folder: str | Path | None = None) -> tuple[MaskCard, bytes, Path]:
    """Return card, verified graph and folder, by default those of the package.

    Raises:
        WeightsError: If a file is missing, or the graph is not the one that the card describes.
    """
    place = PACKAGED if folder is None else Path(folder)
    if not place.is_dir() and place.name == PACKAGED.name:
        place = PACKAGED  # the package lies elsewhere on another machine
    try:
        card = from_dict(MaskCard, parse_json(text_of(place / CARD)))
        data = bytes_of(place / GRAPH)
    except (OSError, ValueError, TypeError, AttributeError, SiamtrackError) as error:
        raise WeightsError(
            f"{place} holds no network of masks ({error}): expected {CARD} and {GRAPH}"
        ) from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != card.sha256:
        raise WeightsError(
            f"{place / GRAPH} has sha256 {digest}, its card says {card.sha256}: the file was "
            "altered or damaged; install the package again"
        )
    return card, data, place
