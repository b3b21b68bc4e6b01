"""`siamtrack tune`: choose a tracker's settings on some sequences, and check them on others."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tqdm import tqdm
from tyro.conf import Positional, arg

from siamtrack.cli.train import read_settings
from siamtrack.core.config import to_dict
from siamtrack.core.files import noting_files
from siamtrack.core.provenance import differences, record
from siamtrack.core.writing import check_outputs, owning, write_text
from siamtrack.data import open_dataset
from siamtrack.data.sequence import Sequence as Frames
from siamtrack.errors import StaleResultsError
from siamtrack.evaluation.run import sequence_made
from siamtrack.packages.card import Model, load_model, model_folder, model_made, model_paths
from siamtrack.packages.write import writing
from siamtrack.tuning import (
    Grid,
    Plan,
    Replay,
    ResponseStore,
    Tuned,
    clips_of,
    default_space,
    read_space,
    search,
    split,
    tune,
)
from siamtrack.tuning.clips import Clip
from siamtrack.tuning.optimizer import Space

STUDY = "study.db"
MOST_GIB = 1_000_000
TUNED = "-tuned"
"""Ending of the name of a model with new settings, so that reports tell it from the old one."""


@dataclass(frozen=True)
class Tune:
    """Choose the settings of a tracker on sequences that you do not report results on.

    Needs the extra `tune`. The command resumes when run again. Processes and machines that run it
    with one --storage and different numbers as --worker share the trials.
    """

    model: Annotated[Positional[str], arg(metavar="MODEL")]
    """Name that `siamtrack models` lists, or folder written by `siamtrack export`."""
    dataset: Annotated[Positional[str], arg(metavar="DATASET")]
    """NAME:PATH of sequences with boxes, such as otb:/data/dev."""
    out: Path
    """Folder for the study, figures, a plot and the model with its new settings."""
    held_out: str = "0.3"
    """Sequences kept for checking: a share of all, or names separated by commas."""
    sequences: str = ""
    """Names of the sequences to use, separated by commas; all by default."""
    starts: int = 3
    """Number of frames of each sequence at which a trial starts tracking."""
    frames: int = 120
    """Frames from each start."""
    trials: int = 200
    """Number of trials, of all processes together."""
    sampler: str = "tpe"
    """Sampler: tpe, cma, genetic (NSGA-II) or random."""
    pruner: str = "median"
    """Rule that ends bad trials early: median, halving or none."""
    space: Path | None = None
    """JSON file of what to tune: {"window": [0, 0.6], "online.rate": [0.002, 0.1, "log"]}."""
    storage: str = ""
    """Optuna URL for several machines, such as postgresql://...; by default a file in --out."""
    seed: int = 0
    """Seed of the held-out share and of the sampler."""
    worker: int = 0
    """Number of this process among those that share the storage; 0 evaluates the result."""
    cache: Path | None = None
    """Folder for the network's responses; by default in --out."""
    cache_gib: float = 4.0
    """GiB that this process may add to it."""
    places: int = 48
    """Positions per side of the search window that the replay tells apart; 0 is all."""
    sizes: int = 16
    """Sizes between one window and its double that the replay tells apart; 0 is all."""
    threads: int = 1
    """Threads of the network."""
    json: bool = False
    """Print the figures as JSON."""
    quiet: bool = False
    """Show no progress bar."""

    def run(self) -> None:
        """Tune, check and write."""
        if not 0 <= self.cache_gib <= MOST_GIB:
            raise ValueError(f"cache-gib {self.cache_gib}: expected a size from 0 to {MOST_GIB}")
        space = default_space(load_card_kind(self.model))
        with noting_files() as read:
            if self.space is not None:
                space = read_space(read_settings(self.space))
            dataset = open_dataset(self.dataset, partial=True)
        self._check_files([*read, *(file for sequence in dataset for file in sequence.files)])
        if self.sequences:
            wanted = [dataset[name.strip()] for name in self.sequences.split(",")]
            dataset = type(dataset)(dataset.name, wanted, origin=dataset.origin)
        parts = split(dataset, self.held_out, self.seed)
        tuning, held_out = (clips_of(part, self.starts, self.frames) for part in parts)
        model = load_model(self.model, threads=self.threads)
        # processes that share the folder are told apart by their numbers
        with owning(self.out, f".siamtrack-worker-{self.worker}.lock"):
            self._same(model, space, parts)
            self._run(model, tuning, held_out, space)

    def _check_files(self, read: list[Path]) -> None:
        """Refuse to write to what is read."""
        models = model_paths(self.model)
        outputs = [self.out / "tuned.json", self.out / "study.png"]
        outputs += [self.out / "model" / file.name for file in models]
        check_outputs(outputs, [*read, *models])

    def _same(self, model: Model, space: Space, parts: Sequence[list[Frames]]) -> None:
        """Refuse to continue a study of another model or of other clips."""
        named = ("tuned_on", "held_out")
        clips = [{each.name: sequence_made(each) for each in part} for part in parts]
        made = {
            **model_made(self.model, "auto"),
            "precision": model.precision,
            "starts": self.starts,
            "frames": self.frames,
            "grid": [self.places, self.sizes],
            "space": {name: to_dict(each) for name, each in space.items()},
            **dict(zip(named, clips, strict=True)),
        }
        study = self.out / Path(STUDY).stem  # no file: the database changes with each trial
        differs = differences(study, made)
        if differs:
            raise StaleResultsError(
                f"{self.out} holds a study made with other settings ({'; '.join(differs[:4])}): "
                "give another --out (and --storage), or the same command as before"
            )
        record(study, made)

    def _run(
        self, model: Model, tuning: Sequence[Clip], held_out: Sequence[Clip], space: Space
    ) -> None:
        cache = self.cache or self.out / "responses"
        store = ResponseStore(cache, model, limit=int(self.cache_gib * 2**30))
        plan = Plan(
            self.trials,
            self.sampler,
            self.pruner,
            self.seed,
            self.worker,
            self.storage or f"sqlite:///{(self.out / STUDY).resolve()}",
        )
        replay = Replay(model, store, Grid(self.places, self.sizes))
        with tqdm(
            total=self.trials, unit=" trials", disable=self.quiet or None, file=sys.stderr
        ) as bar:

            def watch(ended: int, best: float) -> None:
                bar.set_postfix_str(f"best {best:.4f}", refresh=False)
                bar.update(ended - bar.n)

            if self.worker > 0:
                search(replay, model, tuning, space, plan, watch)
            else:
                tuned, study = tune(replay, model, tuning, held_out, space, plan, watch)
        store.close()
        if self.worker > 0:
            print(f"worker {self.worker} is done; worker 0 judges what was found")
            return
        from siamtrack.tuning.optimizer import draw, importance

        figures = to_dict(tuned) | {"importance": importance(study), "plan": to_dict(plan)}
        text = json.dumps(figures, indent=1)
        write_text(self.out / "tuned.json", text + "\n", "the study stays")
        draw(study, self.out / "study.png")
        folder = self.out / "model"
        name = model.card.name.removesuffix(TUNED) + TUNED
        card = dataclasses.replace(model.card, name=name, tracker=tuned.settings)
        with writing(folder, card, source=model_folder(self.model)):
            pass  # the files are those of the model, with another card
        print(text if self.json else as_text(tuned, folder))


def load_card_kind(model: str) -> str:
    """Return the kind of a model without loading its graphs."""
    from siamtrack.packages.card import read_card

    return read_card(model_folder(model)).kind


def as_text(tuned: Tuned, folder: Path) -> str:
    """Return the outcome in words."""
    rows = [
        ("success AUC", "before", "after"),
        ("tuned on, replayed", *(f"{x:.4f}" for x in tuned.replayed)),
        ("tuned on, tracked", *(f"{x:.4f}" for x in tuned.tuning)),
        ("held out, tracked", *(f"{x:.4f}" for x in tuned.held_out)),
    ]
    lines = [f"{a:<20} {b:>8} {c:>8}" for a, b, c in rows]
    point = ", ".join(f"{name} {value:.4g}" for name, value in tuned.point.items())
    (complete, pruned), (work, real) = tuned.trials, tuned.processor
    if tuned.replayed[0] == tuned.replayed[1]:
        lines.append("nothing better was found than the settings that the model had")
    lines += [
        f"held out: {', '.join(tuned.sequences.get('held_out', []))}",
        f"{complete} trials complete, {pruned} pruned; {tuned.hit_rate:.1%} of the windows known",
        f"{tuned.passes:.1f} passes over the clips in {work:.0f} processor seconds, {real:.1f} for "
        f"one of the real tracker: {tuned.cheaper:.1f} times less",
        f"best: {point}",
        f"wrote {folder}: give it as --model",
    ]
    if tuned.worse_held_out:
        lines.append("the held-out sequences got worse: keep the settings that you had")
    return "\n".join(lines)
