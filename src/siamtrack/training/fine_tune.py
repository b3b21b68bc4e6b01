"""Fine-tuning on a handful of own videos, and an honest answer to whether it helped.

The last part of every video is held out: tracked before and after, never trained on.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from siamtrack.core.config import from_dict, spelled, to_dict
from siamtrack.core.images import Image
from siamtrack.core.writing import write_text
from siamtrack.data.cache import image_size, read_image
from siamtrack.data.manifest import Entry, Pool
from siamtrack.data.pairs import build_sampler
from siamtrack.data.sequence import Sequence
from siamtrack.errors import DatasetError
from siamtrack.packages.card import Model
from siamtrack.training import checkpoint as checkpoints
from siamtrack.training.config import TrainConfig
from siamtrack.training.loop import train
from siamtrack.training.monitor import Watch, live_model, track_sequences

logger = logging.getLogger(__name__)

SHORTEST = 5
"""Frames that a held-out part needs; shorter videos are trained on whole."""


class EntryFrames:
    """The frames of a track, read when asked for.

    Args:
        entries: One for each frame, in order.
    """

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self.files = tuple(Path(entry.image) for entry in entries)

    def missing(self) -> tuple[Path, ...]:
        """Return the files that do not exist."""
        return tuple(path for path in self.files if not path.exists())

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> Image:
        return read_image(self.entries[index].image)

    def __iter__(self) -> Iterator[Image]:
        return (self[index] for index in range(len(self)))


def hold_out(entries: list[Entry], share: float = 0.3) -> tuple[list[Entry], list[Sequence]]:
    """Divide videos: their beginnings to train on, their ends (a `share` in (0, 1)) to track.

    An image that is in the end of one track is in no training entry of another, so that nothing of
    what is tracked has been seen.

    Returns:
        Entries to train on, and one sequence for each held-out end of at least 5 frames.

    Raises:
        ValueError: If the share lies outside (0, 1).
        DatasetError: If no track is long enough, or nothing is left to train on.
    """
    if not 0 < share < 1:
        raise ValueError(f"share {share}: expected a part in (0, 1)")
    pool = Pool(entries)
    ends: list[Sequence] = []
    seen_later: set[str] = set()
    for name, members in pool.by_track.items():
        track = [entries[index] for index in members]
        count = round(share * len(track))
        if count >= SHORTEST:
            end = track[-count:]
            seen_later.update(entry.image for entry in end)
            ends.append(Sequence(name, EntryFrames(end), [entry.box for entry in end]))
    if not ends:
        raise DatasetError(
            f"no track is long enough to hold out {share:.0%} of it and track that: expected at "
            f"least one of {int(np.ceil(SHORTEST / share))} frames (entries with one `track` and "
            "rising `frame`)"
        )
    rest = [entry for entry in entries if entry.image not in seen_later]
    if not rest:
        raise DatasetError("nothing is left to train on: hold out less")
    return rest, ends


def _check_frames(ends: list[Sequence]) -> None:
    """Refuse tracks of crops, which can be trained on but not tracked."""
    for end in ends:
        sizes = {image_size(file): file.name for file in end.files}
        if len(sizes) > 1:
            (one, other), names = list(sizes)[:2], list(sizes.values())
            raise DatasetError(
                f"track {end.name}: {names[0]} has {one[0]}x{one[1]} pixels and {names[1]} "
                f"{other[0]}x{other[1]}; its end is held out and tracked, for which the pictures "
                "must be whole frames of one video: give the frames, not crops of them"
            )


def fine_tune_config(
    before: TrainConfig, initial: str, changes: Mapping[str, Any] | None = None
) -> TrainConfig:
    """Return the config of a short run that starts from the weights of an earlier one.

    300 steps of 16 pairs at a tenth of the rate, most of them from videos; the last third of the
    backbone's stages trains, and batch statistics stay frozen.
    """
    stages = len(before.network().backbone.stages())
    # own videos are few: more of their pairs, and no teacher
    config = replace(
        before,
        pairs=replace(before.pairs, video=0.8, weights=()),
        steps=300,
        batch=16,
        rate=before.rate / 10,
        average=0.98,
        initial=initial,
        backbone_only=False,
        pretrained="",
        unfreeze=((0.0, -(-stages // 3)),),
        norms="frozen",
        teacher="",
        save_every=60.0,
    )
    values, given = to_dict(config), spelled(changes or {})
    values["pairs"] = {**values["pairs"], **given.pop("pairs", {})}
    return from_dict(TrainConfig, {**values, **given})


@dataclass(frozen=True)
class Helped:
    """Scores of the held-out ends of tracks before and after fine-tuning.

    Success AUC of each in [0, 1], and mean precisions at 20 px.
    """

    names: tuple[str, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]
    precision_before: float
    precision_after: float

    @property
    def gain(self) -> float:
        """Mean change of the success AUC."""
        return float(np.mean(self.after) - np.mean(self.before))

    def verdict(self) -> str:
        """Say in one sentence whether it helped."""
        better = sum(a > b + 0.01 for a, b in zip(self.after, self.before, strict=True))
        worse = sum(a < b - 0.01 for a, b in zip(self.after, self.before, strict=True))
        count = f"{better} of {len(self.names)} held-out parts better, {worse} worse"
        if self.gain > 0.01 and better > worse:
            return f"it helped: mean success AUC {self.gain:+.3f}; {count}"
        if self.gain < -0.01:
            return f"it hurt: mean success AUC {self.gain:+.3f}; {count}. Keep the old checkpoint"
        return f"no clear change: mean success AUC {self.gain:+.3f}; {count}"

    def table(self) -> str:
        """Return the scores as Markdown, the mean last, and the verdict."""
        rows = ["| held-out part | success AUC before | after | change |", "|---|---|---|---|"]
        means = (float(np.mean(self.before)), float(np.mean(self.after)))
        for name, before, after in (
            *zip(self.names, self.before, self.after, strict=True),
            ("mean", *means),
        ):
            rows.append(f"| {name} | {before:.3f} | {after:.3f} | {after - before:+.3f} |")
        precision = f"{self.precision_before:.3f} before, {self.precision_after:.3f} after"
        return "\n".join([*rows, "", f"Mean precision at 20 px: {precision}.", self.verdict()])


def fine_tune(
    checkpoint: Path,
    entries: list[Entry],
    out: Path,
    *,
    changes: Mapping[str, Any] | None = None,
    share: float = 0.3,
    watch: Watch | None = None,
) -> Helped:
    """Continue training from a checkpoint on your videos, and track their held-out ends twice.

    Writes a run to `out`, as `train` does, and `report.json`.

    Args:
        checkpoint: Of the run to start from.
        entries: Objects of the own videos.
        out: Folder of the new run.
        changes: Settings that replace those of `fine_tune_config`.
        share: Share of each track that is held out.
        watch: What a person sees of the run.

    Returns:
        The scores before and after.

    Raises:
        FileExistsError: If `out` holds a run.
        WeightsError: If the checkpoint is none.
        DatasetError: If no video is long enough, or pictures of a track differ in size.
    """
    if (out / "checkpoint.pt").exists():
        raise FileExistsError(f"{out} holds a run: give another folder")
    state = checkpoints.read(checkpoint)
    config = fine_tune_config(checkpoints.config_of(state), str(checkpoint), changes)
    rest, ends = hold_out(entries, share)
    _check_frames(ends)
    network = config.network()
    network.load_state_dict(state["average"])
    watch = watch or Watch()
    before = _scores(live_model(network), ends, "before", watch)
    logger.info("training %d steps of %d pairs", config.steps, config.batch)
    sampler = build_sampler(config.sampler, Pool(rest), config.pairs, config.seed)
    path = train(config, sampler, out, watch=watch)
    network.load_state_dict(checkpoints.read(path)["average"])
    after = _scores(live_model(network), ends, "after", watch)
    helped = Helped(
        tuple(end.name for end in ends),
        tuple(score["success"] for score in before),
        tuple(score["success"] for score in after),
        float(np.mean([score["precision"] for score in before])),
        float(np.mean([score["precision"] for score in after])),
    )
    text = json.dumps({**asdict(helped), "verdict": helped.verdict()}, indent=1) + "\n"
    write_text(out / "report.json", text, "checkpoint.pt stays")
    return helped


def _scores(model: Model, ends: list[Sequence], when: str, watch: Watch) -> list[dict[str, float]]:
    """Track the held-out ends, and say so: this can take longer than a short run."""
    count = sum(len(end) for end in ends)
    logger.info("tracking %d held-out parts, %d frames, %s training", len(ends), count, when)
    bar = tqdm(total=count, unit=" frames", disable=not watch.bar, file=sys.stderr, leave=False)
    scores = []
    with bar:
        for number, end in enumerate(ends, start=1):
            scores.append(track_sequences(model, [end]))
            bar.update(len(end))
            if not watch.bar:
                logger.info("tracked %d of %d: %s", number, len(ends), end.name)
    return scores
