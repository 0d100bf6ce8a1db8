"""Whether the packages of the extra ``clinic`` are installed."""

from __future__ import annotations

from importlib.util import find_spec

from radscribe.core.errors import RadscribeError

PACKAGES = ("highdicom", "fhir", "reportlab")


def require_clinic() -> None:
    """Raises ``RadscribeError`` where a package of the extra is missing."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise RadscribeError(f"{missing[0]}: not installed; pip install 'radscribe[clinic]'")
