"""The command `siamtrack`: one file for each verb."""

from siamtrack.cli.main import main

__all__ = ["main"]
