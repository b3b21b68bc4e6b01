"""Export SiamFC+ and SiamRPN+ of the joint run with their settings and cards.

python benchmarks/siamfc_plus/pack.py runs/joint/checkpoint.pt --out models
python benchmarks/refine/pack.py runs/refine/checkpoint.pt --model models/siamfc-plus \\
    --name siamfc-plus --feed 0.35 --rate 0.1 --shares base --out packaged/siamfc-plus
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from siamtrack.core.settings import SIAMRPN, MotionSettings, OnlineSettings
from siamtrack.packages.card import model_folder, read_card
from siamtrack.packages.quantize import halve
from siamtrack.packages.write import write_card
from siamtrack.training.checkpoint import export

TRAINED_ON = (
    "weights of ciresnet22-slim-triplet, then {uses:,} uses of pairs of 67,185 objects in 42 "
    "public sets with both heads at once (benchmarks/siamfc_plus/joint.json); score maps of "
    "LightFC (MIT) as an additional target, and boxes of 451 tracks that it labeled; none of its "
    "weights are copied"
)
ONLINE = OnlineSettings(weight=0.3, rate=0.02, ridge=0.1, learn_from=0.5, every=3)
MODELS = {
    "siamfc-plus": (
        "SiamFC+: the response head of SiamDW on a slim CIResNet-22, with the classifier and "
        "coarse scales; slower than `lite`, and its score is the height of a peak.",
        read_card(model_folder("ciresnet22-slim-triplet")).tracker,
    ),
    "siamrpn-plus": (
        "SiamRPN+: anchors on the same backbone. To study: it has seen far too few pairs, loses "
        "every fourth target, and says `tracked` all the same.",
        replace(SIAMRPN, online=ONLINE, motion=MotionSettings(weight=0.2)),
    ),
}
"""What each is, and its settings."""
SETS = ("20 development targets of OTB-100", "16 targets that change")
SCORES = {"siamfc-plus": (0.601, 0.870, 0.445, 0.655), "siamrpn-plus": (0.494, 0.743, 0.483, 0.660)}
"""Success AUC and precision on both sets, of `siamtrack eval`, without a refiner."""
USES = {"siamfc-plus": 83_000, "siamrpn-plus": 403_000}
"""Uses of pairs of the checkpoints that are packaged: the longer run made SiamFC+ no better."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", choices=MODELS, action="append", help="default: both")
    options = parser.parse_args()
    for name in options.model or MODELS:
        summary, settings = MODELS[name]
        folder = options.out / name
        export(
            options.checkpoint,
            folder,
            name=name,
            license="Apache-2.0",
            summary=summary,
            trained_on=TRAINED_ON.format(uses=USES[name]),
            tracker=settings,
            companion=name == "siamrpn-plus",
            overwrite=True,
        )
        if name == "siamrpn-plus":
            halve(folder)
        scores = {}
        for place, kind in enumerate(SETS):
            success, precision = SCORES[name][2 * place : 2 * place + 2]
            scores |= {f"success AUC, {kind}": success, f"precision at 20 px, {kind}": precision}
        write_card(folder, replace(read_card(folder), scores=scores))


if __name__ == "__main__":
    main()
