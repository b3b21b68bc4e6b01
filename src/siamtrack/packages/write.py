"""Writing model folders: graphs, further formats, their hashes and the card, or nothing of them.

Every folder with a card is written here, by `writing`: exports, copies, and what is added to a
model, such as a graph in int8 or a further format. Every model has ONNX; `FORMATS` are the others:

>>> sorted(FORMATS)
['openvino', 'pt2', 'torch']
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from siamtrack.core.config import to_dict
from siamtrack.core.registry import Registry
from siamtrack.core.settings import TrackerSettings
from siamtrack.core.writing import check_outputs, write_together, write_whole
from siamtrack.errors import MissingExtraError, WeightsError
from siamtrack.packages.card import CARD, GRAPHS, Card, file_key, model_files, read_file
from siamtrack.runtimes.openvino import import_openvino
from siamtrack.runtimes.torch import FILE

if TYPE_CHECKING:
    from siamtrack.models.network import Network


@dataclass
class Draft:
    """A model's folder while it is written.

    Its card has hashes only after `writing` has ended; files are in the order of the card.
    """

    folder: Path
    card: Card
    files: dict[str, None] = field(default_factory=dict)

    def add(self, *names: str) -> None:
        """Take files that were written into the folder as files of the model."""
        self.files.update(dict.fromkeys(names))

    def put(self, name: str, data: bytes) -> None:
        """Write a file of the model, in place of one that is there."""
        (self.folder / name).write_bytes(data)
        self.add(name)


@contextmanager
def writing(
    out: str | Path, card: Card, source: Path | None = None, inputs: Iterable[Path] = ()
) -> Iterator[Draft]:
    """Give the draft of a model's folder; after the block it is at `out` as a whole.

    If the block fails, or the disk is full, `out` stays what it was. Files there that the draft
    does not have are kept; with `source`, a model's folder, the draft begins with its files.
    None of the model's files may replace one of `inputs`.

    Raises:
        ValueError: If one of the files would replace one of `inputs`.
        OSError: If a file cannot be written.
        WeightsError: If a file of `source` is missing or altered.
    """
    with write_together(Path(out), CARD) as folder:
        draft = Draft(folder, card)
        if source is not None:
            for name in model_files(card):
                draft.put(name, read_file(source, card, name))
        yield draft
        check_outputs([Path(out) / name for name in (CARD, *draft.files)], inputs)
        hashes = {
            file_key(name): hashlib.sha256((folder / name).read_bytes()).hexdigest()
            for name in draft.files
        }
        draft.card = replace(draft.card, sha256=hashes, shares="")
        write_card(folder, draft.card)


def write_card(folder: Path, card: Card) -> None:
    """Write `card.json` into a model's folder; its files stay as they are."""
    text = json.dumps(to_dict(card), indent=2) + "\n"
    write_whole(folder / CARD, text.encode())


def card_of(network: Network, name: str, tracker: TrackerSettings | None = None) -> Card:
    """Return the card of a network, without files, with the settings of its head by default.

    Raises:
        WeightsError: If no tracker here reads what the head answers.
    """
    head = network.own_head
    if not head.kind:
        raise WeightsError(
            f"a network with {type(head).__name__}: trackers here read boxes and response maps, so "
            "that only networks with such a head can be exported"
        )
    template, search = network.sides
    return Card(
        name=name,
        summary="",
        kind=head.kind,
        template=template,
        search=search,
        stride=network.backbone.stride,
        sha256={},
        tracker=tracker or head.settings,
    )


if TYPE_CHECKING:
    from siamtrack.models.network import Network


@dataclass(frozen=True)
class Source:
    """What a format is made from.

    Attributes:
        folder: The model's folder, with its ONNX graphs.
        network: None where the model was copied from another folder.
        original: Tensors of another project's checkpoint, if it comes from one.
        batch: The only batch size that the graphs take; None if they take any.
    """

    folder: Path
    network: Network | None = None
    original: Mapping[str, Any] | None = None
    batch: int | None = None


class Format(Protocol):
    """Writes a model's graphs in one more format.

    Attributes:
        needs_network: Whether it is made from the network, and not from the ONNX graphs.
    """

    needs_network: bool

    def check(self) -> None:
        """Raise `MissingExtraError` if what it needs is not installed."""
        ...

    def write(self, source: Source) -> list[str]:
        """Write into the folder and return the names of the files."""
        ...


FORMATS: Registry[Format] = Registry("export format", "siamtrack.export_formats")
"""Formats beside ONNX."""


def check_formats(names: Sequence[str], *, network: bool) -> None:
    """Refuse formats that cannot be written here, before anything is.

    Args:
        names: Names of formats.
        network: Whether there is a network, and not only the graphs of one.

    Raises:
        UnknownNameError: If there is no such format.
        MissingExtraError: If what it needs is not installed.
        WeightsError: If the format needs the network, and there is none.
    """
    for name in names:
        FORMATS[name].check()
        if FORMATS[name].needs_network and not network:
            raise WeightsError(
                f"format {name!r} is made from the network, and a model's folder has only its "
                "graphs: export the checkpoint instead"
            )


def write_formats(source: Source, names: Sequence[str]) -> list[str]:
    """Write a model in further formats; return the names of the files. Errors: `check_formats`."""
    check_formats(names, network=source.network is not None)
    return [file for name in names for file in FORMATS[name].write(source)]


class OpenVinoIr:
    """OpenVINO's IR in float32: `.xml` and `.bin` of both graphs, from the ONNX graphs."""

    needs_network = False

    def check(self) -> None:
        """Raise `MissingExtraError` if OpenVINO is not installed."""
        import_openvino()

    def write(self, source: Source) -> list[str]:
        """Write into the folder and return the names of the files.

        Raises:
            OSError: If they cannot be written.
        """
        openvino = import_openvino()
        core = openvino.Core()
        for name in GRAPHS:
            model = core.read_model(model=(source.folder / f"{name}.onnx").read_bytes())
            # its own default halves the weights to float16, which costs digits
            try:
                openvino.save_model(model, source.folder / f"{name}.xml", compress_to_fp16=False)
            except RuntimeError as error:  # all that it says of a full disk
                raise OSError(errno.EIO, f"OpenVINO: {error}") from error
        return [f"{name}.{ending}" for name in GRAPHS for ending in ("xml", "bin")]


class ExportedProgram:
    """torch.export's programs, `template.pt2` and `search.pt2`.

    For what is built on them: AOTInductor, ExecuTorch, Core ML. No runtime here reads them:
    `torch.export.load` unpickles weights where the file asks for it, and so runs whatever code a
    file brings.
    """

    needs_network = True

    def check(self) -> None:
        """Raise `MissingExtraError` if torch is not installed."""
        try:
            import torch  # noqa: F401
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise MissingExtraError("format 'pt2'", "torch", "train") from error

    def write(self, source: Source) -> list[str]:
        """Write into the folder and return the names of the files."""
        import torch

        from siamtrack.models.files import split
        from siamtrack.models.units import traced

        assert source.network is not None
        for name, half in zip(GRAPHS, split(source.network), strict=True):
            # a batch of one would be taken for a constant
            example = tuple(torch.cat([part] * (source.batch or 2)) for part in half.example)
            free = {0: torch.export.Dim("batch", min=1)}
            shapes = None if source.batch else tuple(free for _ in example)
            with traced(), torch.no_grad():
                program = torch.export.export(half.module, example, dynamic_shapes=shapes)
            data = io.BytesIO()  # on a full disk torch itself says nothing of disks
            torch.export.save(program, data)
            (source.folder / f"{name}.pt2").write_bytes(data.getvalue())
        return [f"{name}.pt2" for name in GRAPHS]


class TorchNetwork:
    """The network itself, weights and structure, for the runtime `torch`: one file."""

    needs_network = True

    def check(self) -> None:
        """Raise `MissingExtraError` if torch or safetensors is not installed."""
        try:
            import safetensors  # noqa: F401
            import torch  # noqa: F401
        except ModuleNotFoundError as error:
            if error.name not in ("torch", "safetensors"):
                raise
            raise MissingExtraError("format 'torch'", error.name, "train") from error

    def write(self, source: Source) -> list[str]:
        """Write into the folder and return the name of the file."""
        from siamtrack.models.files import to_bytes

        assert source.network is not None
        (source.folder / FILE).write_bytes(to_bytes(source.network, source.original))
        return [FILE]


FORMATS.register("openvino")(OpenVinoIr())
FORMATS.register("pt2")(ExportedProgram())
FORMATS.register("torch")(TorchNetwork())
