"""torch.export's programs, `.pt2`, for what is built on them: AOTInductor, ExecuTorch, Core ML.

No runtime here reads them: `torch.export.load` unpickles weights where the file asks for it, and so
runs whatever code a file brings.
"""

from __future__ import annotations

from siamtrack.errors import MissingExtraError
from siamtrack.packages.card import GRAPHS
from siamtrack.packages.formats.base import FORMATS, Source


class ExportedProgram:
    """Two files: `template.pt2` and `search.pt2`."""

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
        import io

        import torch

        from siamtrack.models.export_graphs import split
        from siamtrack.models.tracing import traced

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


FORMATS.register("pt2")(ExportedProgram())
