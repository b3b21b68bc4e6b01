"""The network itself, for the runtime `torch`: `network.safetensors`."""

from __future__ import annotations

from siamtrack.errors import MissingExtraError
from siamtrack.packages.formats.base import FORMATS, Source
from siamtrack.runtimes.torch import FILE


class TorchNetwork:
    """One file with weights and structure."""

    needs_network = True

    def check(self) -> None:
        """Raise `MissingExtraError` if torch or safetensors is not installed."""
        try:
            import siamtrack.models.saved  # noqa: F401
        except ModuleNotFoundError as error:
            if error.name not in ("torch", "safetensors"):
                raise
            raise MissingExtraError("format 'torch'", error.name, "train") from error

    def write(self, source: Source) -> list[str]:
        """Write into the folder and return the name of the file."""
        from siamtrack.models.saved import to_bytes

        assert source.network is not None
        (source.folder / FILE).write_bytes(to_bytes(source.network, source.original))
        return [FILE]


FORMATS.register("torch")(TorchNetwork())
