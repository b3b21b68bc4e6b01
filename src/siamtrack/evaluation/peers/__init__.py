"""Trackers of others, to compare with; none of their networks comes with this package.

Each registers itself; `siamtrack.evaluation.open_tracker("nanotrack-v3:FOLDER")`
makes one.
"""

from siamtrack.evaluation.peers import centers as centers
from siamtrack.evaluation.peers import nanotrack as nanotrack
from siamtrack.evaluation.peers import opencv as opencv
from siamtrack.evaluation.peers import trax as trax
from siamtrack.evaluation.peers.base import PEERS, Seen

__all__ = ["PEERS", "Seen"]
