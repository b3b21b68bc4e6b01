"""What a person sees of a run: metrics, a progress bar or log lines, pictures, validation."""

from __future__ import annotations

import copy
import json
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from tqdm import tqdm

from siamtrack.core.images import Image
from siamtrack.core.writing import append, naming, write_whole
from siamtrack.data.sequence import Dataset, Frames, Sequence
from siamtrack.errors import MissingExtraError
from siamtrack.evaluation.run import run_tracker
from siamtrack.evaluation.scores import score_sequence
from siamtrack.models.network import Network
from siamtrack.packages.card import Model
from siamtrack.packages.write import card_of
from siamtrack.runtimes.torch import TorchRuntime
from siamtrack.tracking.tracker import SiamTracker
from siamtrack.training.batches import Batch
from siamtrack.training.config import TrainConfig
from siamtrack.training.pictures import answers, write_picture

logger = logging.getLogger(__name__)

PACED = 2
"""Steps after which a run says how long it will take; the first one alone would mislead."""


@dataclass(frozen=True)
class Watch:
    """What to show; nothing here changes the result of a run.

    Attributes:
        bar: A progress bar on standard error, with pairs per second and the time left; otherwise
            these are logged.
        every: Steps between two lines of metrics.
        pictures: Steps between two pictures `pictures/step_N.png`; 0: none.
        validate: Data set whose sequences are tracked during training; None: none.
        validate_every: Steps between two validations; the last step has one, too.
        sequences: Sequences that are tracked, spread over the data set.
        frames: Frames of each.
        tensorboard: Write the metrics for TensorBoard as well.
    """

    bar: bool = False
    every: int = 20
    pictures: int = 0
    validate: Dataset | None = None
    validate_every: int = 500
    sequences: int = 4
    frames: int = 100
    tensorboard: bool = False

    def __post_init__(self) -> None:
        if min(self.every, self.validate_every, self.sequences, self.frames) < 1:
            raise ValueError("every, validate_every, sequences and frames must be at least 1")
        if self.pictures < 0:
            raise ValueError(f"pictures {self.pictures}: expected a number of steps, or 0")


class Log:
    """The metrics of one run: `metrics.jsonl` and, if asked for, a bar and TensorBoard.

    Lines of steps after `first`, from before a kill, are taken out.

    Raises:
        MissingExtraError: If TensorBoard is asked for and not installed.
    """

    def __init__(self, out: Path, config: TrainConfig, first: int, watch: Watch) -> None:
        self.out, self.config, self.watch = out, config, watch
        self._board = _board(out) if watch.tensorboard else None
        file = out / "metrics.jsonl"
        _forget_after(file, first)
        self._path, self._file = file, file.open("ab", buffering=0)
        self._sums: dict[str, Any] = {}
        self._count, self._waited, self._began = 0, 0.0, time.monotonic()
        self._paced = False
        self._sequences = (
            excerpt(watch.validate, watch.sequences, watch.frames) if watch.validate else []
        )
        self._bar = tqdm(
            total=config.steps * config.batch,
            initial=first * config.batch,
            unit=" pairs",
            disable=not watch.bar,
            file=sys.stderr,
            mininterval=0.5,
        )

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.close()
        self._file.close()
        if self._board is not None:
            self._board.close()

    def step(self, done: int, parts: Mapping[str, Tensor], waited: float, **facts: float) -> None:
        """Take in what a step gave; every `watch.every` steps the means of its parts become a line.

        `waited` are the seconds that it waited for its batch; `facts` go to the line as they are.
        """
        for name, value in parts.items():
            # a sum on the device: to read a number is to wait for all that computes it
            self._sums[name] = self._sums.get(name, 0.0) + value.detach().double()
        self._count += 1
        self._waited += waited
        self._bar.update(self.config.batch)
        if self._count == PACED and not self._paced:
            self._say_how_long(done)
        if done % self.watch.every and done != self.config.steps:
            return
        # The means since the last line, and how fast these steps were
        now, count = time.monotonic(), self._count
        seconds = max(now - self._began, 1e-9)
        means = {name: round(float(value) / count, 4) for name, value in self._sums.items()}
        speed = count * self.config.batch / seconds
        share = self._waited / seconds
        left = (self.config.steps - done) * seconds / count
        pace = {"step": done, "pairs_per_second": round(speed, 1), "data_share": round(share, 3)}
        self.write({**means, **pace, **facts})
        if self.watch.bar:
            self._bar.set_postfix(loss=f"{means['loss']:.4f}", data=f"{share:.0%}", refresh=False)
        else:
            logger.info(
                "step %d of %d: loss %.4f, %.1f pairs/s, %.0f %% of the time for data, %s left",
                done,
                self.config.steps,
                means["loss"],
                speed,
                100 * share,
                _clock(left),
            )
        self._sums, self._count, self._waited, self._began = {}, 0, 0.0, now

    def _say_how_long(self, done: int) -> None:
        """Say what the run will take on this machine, after the first steps of it."""
        self._paced = True
        each = (time.monotonic() - self._began) / self._count
        logger.info(
            "%d steps of %d pairs are left: about %s on this machine, by the first %d",
            self.config.steps - done,
            self.config.batch,
            _clock(each * (self.config.steps - done)),
            self._count,
        )

    def write(self, line: Mapping[str, Any]) -> None:
        """Append a line to the metrics; it has a `step`.

        Raises:
            OSError: If it cannot be written; the lines before it stay whole.
        """
        with naming(self._path, "the last checkpoint is whole, resume the run after that"):
            append(self._file, json.dumps(line).encode() + b"\n")
        if self._board is not None:
            for name, value in line.items():
                if name != "step":
                    self._board.add_scalar(name, value, line["step"])

    def is_shown(self, done: int) -> bool:
        """Whether this step has a picture or a validation."""
        return self._draws(done) or self._validates(done)

    def show(self, done: int, model: Model, batch: Batch) -> None:
        """Draw what the network answers to a batch, and track the sequences, where it is time.

        The time that this takes counts neither as training nor as waiting.
        """
        pause = time.monotonic()
        if self._draws(done):
            write_picture(self.out / "pictures" / f"step_{done:06d}.png", answers(model, batch))
        if self._validates(done):
            scores = track_sequences(model, self._sequences)
            self.write({"step": done} | {f"validation_{k}": v for k, v in scores.items()})
            text = f"step {done}: success AUC {scores['success']:.3f}, precision "
            text += f"{scores['precision']:.3f} on {len(self._sequences)} sequences"
            if self.watch.bar:
                tqdm.write(text, file=sys.stderr)
            else:
                logger.info("%s", text)
        self._began += time.monotonic() - pause

    def _draws(self, done: int) -> bool:
        return self.watch.pictures > 0 and done % self.watch.pictures == 0

    def _validates(self, done: int) -> bool:
        last = done == self.config.steps
        return bool(self._sequences) and (last or done % self.watch.validate_every == 0)


def _forget_after(file: Path, step: int) -> None:
    """Take lines of steps after `step`, and broken ones, out of the metrics."""
    if not file.exists():
        return
    kept = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            if json.loads(line)["step"] <= step:
                kept.append(line + "\n")
        except (ValueError, LookupError, TypeError):
            continue
    write_whole(file, "".join(kept).encode())


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def _board(out: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("--tensorboard", "tensorboard", "tensorboard") from error
    return SummaryWriter(str(out))


def live_model(network: Network, weights: Mapping[str, Tensor] | None = None) -> Model:
    """Return a model that `SiamTracker` takes, of a copy of a network, with `weights` if given."""
    twin = copy.deepcopy(network)
    if weights is not None:
        twin.load_state_dict(dict(weights))
    twin.eval()
    return Model(card_of(twin, "training"), TorchRuntime(twin))


class FirstFrames:
    """The first frames of a longer series."""

    def __init__(self, frames: Frames, count: int) -> None:
        self.frames, self.count = frames, min(count, len(frames))
        self.files: tuple[Path, ...] = frames.files[: self.count]

    def missing(self) -> tuple[Path, ...]:
        """Return the files that should be there and are not."""
        return tuple(set(self.frames.missing()) & set(self.files))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Image:
        return self.frames[range(self.count)[index]]

    def __iter__(self) -> Iterator[Image]:
        return (self[index] for index in range(self.count))


def excerpt(dataset: Dataset, sequences: int, frames: int) -> list[Sequence]:
    """Return the beginnings of some sequences, spread evenly over a data set.

    So many `frames` of each at most, counted from its first annotated one.

    Raises:
        ValueError: If either number is below 1.
    """
    if sequences < 1 or frames < 1:
        raise ValueError(f"{sequences} sequences of {frames} frames: expected at least 1 of both")
    count = min(sequences, len(dataset))
    picked = [dataset[int(index)] for index in np.linspace(0, len(dataset) - 1, count).round()]
    short = []
    for sequence in picked:
        length = min(len(sequence), sequence.init_frame + frames)
        part = FirstFrames(sequence.frames, length)
        short.append(Sequence(sequence.name, part, sequence.boxes[:length]))
    return short


def track_sequences(model: Model, sequences: Iterable[Sequence]) -> dict[str, float]:
    """Track each sequence once and return the mean scores.

    Returns:
        `success` (AUC) and `precision` (at 20 px), means over the sequences in [0, 1], and
        `frames`, the number of frames tracked.

    Raises:
        DatasetError: If a frame cannot be read.
    """
    tracker = SiamTracker(model)
    scores = [
        score_sequence(sequence.name, run_tracker(tracker, sequence).boxes, sequence.boxes)
        for sequence in sequences
    ]
    return {
        "success": round(float(np.mean([score.success for score in scores])), 4),
        "precision": round(float(np.mean([score.precision for score in scores])), 4),
        "frames": sum(score.frames for score in scores),
    }
