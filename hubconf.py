"""Entry for `torch.hub`: `torch.hub.load(REPOSITORY, "lite")` returns a tracker.

The trackers need no torch; this is for those who find models this way.
"""

import sys
from pathlib import Path

dependencies = ["av", "cv2", "numpy", "onnxruntime"]

_SOURCE = str(Path(__file__).parent / "src")
sys.path.insert(0, _SOURCE)
try:
    import siamtrack as _siamtrack
finally:
    sys.path.remove(_SOURCE)


def base(**options):
    """Load the default tracker; `options` are those of `siamtrack.load`."""
    return _siamtrack.load("base", **options)


def lite(**options):
    """Load the same without its refiner: faster, boxes less exact where targets change."""
    return _siamtrack.load("lite", **options)


def siamfc_plus(**options):
    """Load SiamFC+ on a slim CIResNet-22, with the classifier."""
    return _siamtrack.load("siamfc-plus", **options)


def siamrpn_plus(**options):
    """Load SiamRPN+ on the same backbone, to study."""
    return _siamtrack.load("siamrpn-plus", **options)


def ciresnet22_slim(**options):
    """Load SiamFC on a slim CIResNet-22; `options` are those of `siamtrack.load`."""
    return _siamtrack.load("ciresnet22-slim", **options)


def ciresnet22_slim_contrastive(**options):
    """Load the same, trained on with the contrastive loss."""
    return _siamtrack.load("ciresnet22-slim-contrastive", **options)


def ciresnet22_slim_triplet(**options):
    """Load the same, trained on with the triplet loss."""
    return _siamtrack.load("ciresnet22-slim-triplet", **options)
