"""Put tensors under the names of a network, and report everything that found no partner."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from torch import Tensor, nn

COUNTER = ".num_batches_tracked"  # of batch norms; older checkpoints lack it, inference ignores it


@dataclass(frozen=True)
class Report:
    """Which tensors of a checkpoint found their place in a network.

    Attributes:
        loaded: Names in the network that were filled.
        missing: Names in the network that the checkpoint does not fill.
        unused: Names in the checkpoint that have no place in the network.
        misshapen: Names in the checkpoint whose place has another shape, with both shapes.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    misshapen: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every name on both sides found its partner."""
        return not (self.missing or self.unused or self.misshapen)

    def text(self) -> str:
        """Say how many tensors were matched, and name each one that was not."""
        lines = [f"{len(self.loaded)} tensors fit"]
        for what in ("missing", "unused", "misshapen"):
            names = getattr(self, what)
            if names:
                lines.append(f"{len(names)} {what}: {', '.join(names)}")
        return "; ".join(lines)


def match(
    network: nn.Module,
    state: Mapping[str, Tensor],
    rename: Callable[[str], str | None],
    own: Collection[str] = (),
) -> tuple[dict[str, Tensor], Report]:
    """Find the place of each tensor, without changing the network.

    Args:
        network: Where the tensors shall go.
        state: Tensors by the names of the checkpoint.
        rename: Gives the network's name for the checkpoint's, or None if there is none.
        own: Names in the network that no checkpoint of this kind has.

    Returns:
        Tensors by the names of the network, and the report.
    """
    places = network.state_dict()
    found: dict[str, Tensor] = {}
    unused, misshapen = [], []
    wrong: set[str] = set()
    for name, value in state.items():
        place = rename(name)
        if place is None or place not in places:
            if not name.endswith(COUNTER):
                unused.append(name)
        elif places[place].shape != value.shape:
            given, expected = tuple(value.shape), tuple(places[place].shape)
            misshapen.append(f"{name} {given} for {place} {expected}")
            wrong.add(place)
        else:
            found[place] = value
    known = found.keys() | wrong | set(own)
    missing = [place for place in places if place not in known and not place.endswith(COUNTER)]
    return found, Report(tuple(found), tuple(missing), tuple(unused), tuple(misshapen))
