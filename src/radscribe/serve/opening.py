"""Films that are drafted when the service starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from radscribe.core.errors import RadscribeError
from radscribe.serve.service import DraftService
from radscribe.serve.settings import LOCAL


async def open_films(service: DraftService, films: Sequence[Path], say: Callable[[str], None]) -> None:
    """Draft each of ``films`` as a study of its own, so that the list shows them in this order.

    A film that has a draft keeps it; ``say`` gets a line for one that cannot be read.
    """
    for path in reversed(films):
        try:
            with path.open("rb") as file:
                await service.create([file], LOCAL)
        except (RadscribeError, OSError) as error:
            reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
            say(f"{path}: {reason}; it has no draft")
