"""Where a study's trials are, opened by several processes that may start at the same moment."""

from __future__ import annotations

import logging
import random
import time
from typing import TYPE_CHECKING, Any

from siamtrack.errors import SiamtrackError

if TYPE_CHECKING:
    import optuna

TRIES = 8
PATIENCE = 120.0
"""Seconds that a process waits for another one to let go of an SQLite file."""

logger = logging.getLogger(__name__)


def open_storage(url: str) -> optuna.storages.RDBStorage:
    """Open a database for a study, and make its tables if it has none.

    Processes that begin together all find no tables and all make them; all but one of them fail at
    one table or another. Everything is made only where it is missing, so they try again.

    Args:
        url: As SQLAlchemy takes it, such as `sqlite:////runs/study.db`.

    Raises:
        SiamtrackError: If it is no such address, the driver is not installed, the database cannot
            be reached, or another version of Optuna made it.
    """
    from optuna.storages import RDBStorage
    from sqlalchemy.exc import ArgumentError, DatabaseError

    options: dict[str, Any] = {}
    if url.startswith("sqlite"):
        options["connect_args"] = {"timeout": PATIENCE}
    advice = "give --storage an address such as postgresql://USER@HOST/NAME, or none for a file"
    for left in reversed(range(TRIES)):
        try:
            return RDBStorage(url, engine_kwargs=dict(options))
        except DatabaseError as error:
            if not left:
                raise SiamtrackError(f"storage {url} cannot be used ({error}): {advice}") from error
            logger.debug("storage %s: trying again after %s", url, error)
            time.sleep(random.uniform(0.1, 0.6))  # so that they do not meet again
        except (ArgumentError, ImportError, RuntimeError) as error:
            raise SiamtrackError(f"storage {url} cannot be used ({error}): {advice}") from error
    raise AssertionError("unreachable")
