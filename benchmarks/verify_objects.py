"""Learn whether two crops show the same object, and test it on objects never seen in training.

python benchmarks/verify_objects.py --data data/mine --loss triplet --out distances.png

Without --data, objects are generated.
"""

import argparse

import numpy as np
import torch

from siamtrack.data.objects import ObjectViews, generated_views, manifest_views
from siamtrack.evaluation.metrics import roc_auc
from siamtrack.evaluation.report.plots import plot_distances
from siamtrack.losses import ContrastiveLoss, TripletLoss
from siamtrack.models.backbones import BACKBONES, Embedder
from siamtrack.models.network import Network


def images(views: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(views).permute(0, 3, 1, 2).float() / 127.5 - 1


def train(model: Network, objects: ObjectViews, loss: str, steps: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    contrastive, triplet = ContrastiveLoss(margin=1.0), TripletLoss(margin=0.2, mining="hard")
    model.train()
    for _ in range(steps):
        if loss == "contrastive":  # 32 pairs
            first, second, dissimilar = objects.pairs(32, rng)
            distance = model.distance(images(first), images(second))
            cost = contrastive(distance, torch.from_numpy(dissimilar))
        else:  # 16 objects, 4 views of each
            views, identities = objects.batch(16, 4, rng)
            cost = triplet(model.embed(images(views)).flatten(1), torch.from_numpy(identities))
        optimizer.zero_grad()
        cost.backward()
        optimizer.step()
    model.eval()


@torch.no_grad()
def distances(model: Network, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    chunks = [slice(i, i + 50) for i in range(0, len(first), 50)]
    return torch.cat([model.distance(images(first[c]), images(second[c])) for c in chunks]).numpy()


def verify(objects: ObjectViews, loss: str, steps: int, seed: int, out: str | None = None) -> dict:
    torch.manual_seed(seed)
    seen, unseen = objects.split(share=0.3)
    first, second, dissimilar = unseen.pairs(1000, np.random.default_rng(0))
    model = Network(Embedder(BACKBONES["ciresnet16"](width=0.25))).eval()
    found = {"raw pixels": np.sqrt(((first / 255.0 - second / 255.0) ** 2).mean((1, 2, 3)))}
    found["untrained"] = distances(model, first, second)
    train(model, seen, loss, steps, seed)
    found[loss] = distances(model, first, second)
    if out:
        plot_distances(found, dissimilar, out)
    return {name: roc_auc(distance, dissimilar) for name, distance in found.items()}


def main(*arguments: str) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="manifest with tracks; generated objects if not given")
    parser.add_argument("--loss", choices=["contrastive", "triplet"], default="triplet")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", help="picture of the distances")
    given = parser.parse_args(arguments or None)
    objects = manifest_views(given.data) if given.data else generated_views()
    for name, area in verify(objects, given.loss, given.steps, given.seed, given.out).items():
        print(f"{name}: ROC AUC {area:.3f}")


if __name__ == "__main__":
    main()
