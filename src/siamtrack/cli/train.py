"""`siamtrack train`: train a model on images and boxes."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import UseAppendAction

from siamtrack.config import from_dict


@dataclass(frozen=True)
class Train:
    """Train a tracker on your own boxes; needs the extra `train`."""

    data: UseAppendAction[tuple[str, ...]]
    """NAME:PATH of a public data set in its own layout, such as got10k:/data/GOT-10k, or a manifest
    (JSON Lines: image, box, track, frame, label) or its folder. Repeat for more."""
    out: Path
    """Folder of the run."""
    config: Path | None = None
    """JSON file with settings of `siamtrack.training.TrainConfig`."""
    steps: int | None = None
    """Optimiser steps; replaces the config's."""
    resume: bool = False
    """Go on with the run in `out`."""

    def run(self) -> None:
        """Train and print where the checkpoint is."""
        from siamtrack.data.manifest import Pool
        from siamtrack.data.pairs import PairSampler
        from siamtrack.data.training import read_all
        from siamtrack.training import TrainConfig, train

        logging.getLogger("siamtrack").setLevel(logging.INFO)
        values = json.loads(self.config.read_text(encoding="utf-8")) if self.config else {}
        if self.steps is not None:
            values["steps"] = self.steps
        config = from_dict(TrainConfig, values)
        sampler = PairSampler(Pool(read_all(self.data)), config.pairs, seed=config.seed)
        path = train(config, sampler, self.out, resume=self.resume)
        print(f"wrote {path}: siamtrack export {path} MODEL_FOLDER")
