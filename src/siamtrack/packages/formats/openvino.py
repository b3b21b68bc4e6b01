"""OpenVINO's IR, `.xml` and `.bin`, from the ONNX graphs, in float32."""

from __future__ import annotations

import errno

from siamtrack.packages.card import GRAPHS
from siamtrack.packages.formats.base import FORMATS, Source
from siamtrack.runtimes.openvino import import_openvino


class OpenVinoIr:
    """Four files: `template.xml`, `template.bin`, `search.xml`, `search.bin`."""

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


FORMATS.register("openvino")(OpenVinoIr())
