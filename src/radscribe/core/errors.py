"""The errors that users see: one line each."""

from __future__ import annotations


class RadscribeError(Exception):
    """A fault that the user can fix; its message is one line naming the thing, the reason and the fix."""


class WrongUse(RadscribeError):
    """The command, table or option itself is wrong (exit code 2), as against work that failed (exit code 1)."""
