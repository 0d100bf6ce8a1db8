"""What can go wrong with an archive or a peer; no message names a patient or a study."""

from __future__ import annotations

from radscribe.core.errors import RadscribeError


class ArchiveError(RadscribeError):
    """A study could not be fetched or its documents could not be stored; it is tried again later."""


class ArchiveUnreachable(ArchiveError):
    """Nobody answers, or access is denied: no other study would fare better now."""
