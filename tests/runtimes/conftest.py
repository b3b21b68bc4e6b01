import pytest

from siamtrack.training.export import export
from tests.runtimes.small import KINDS, write_checkpoint


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Folders of a small model of each kind, with the network for the runtime torch."""
    root = tmp_path_factory.mktemp("small")
    for kind in KINDS:
        checkpoint = write_checkpoint(root / f"{kind}.pt", kind)
        export(checkpoint, root / kind, formats=["torch"])
    return {kind: root / kind for kind in KINDS}
