"""Choose the settings of a tracker on declared sequences, and check them on others."""

from siamtrack.tuning.clips import Clip, clips_of, split
from siamtrack.tuning.optimizer import Range, changed, default_space, read_space
from siamtrack.tuning.replay import EXACT, Grid, Replay, ResponseStore
from siamtrack.tuning.study import Plan, Tuned, search, tune

__all__ = [
    "EXACT",
    "Clip",
    "Grid",
    "Plan",
    "Range",
    "Replay",
    "ResponseStore",
    "Tuned",
    "changed",
    "clips_of",
    "default_space",
    "read_space",
    "search",
    "split",
    "tune",
]
