"""HTTP to an archive: who asks, and how much of an answer is taken."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from radscribe.core.errors import RadscribeError, WrongUse
from radscribe.core.text_files import read_text
from radscribe.imaging.film import MAXIMUM_FILE_BYTES

BLOCK = 2**20
ANSWER_BYTES = MAXIMUM_FILE_BYTES + BLOCK  # a film and what is around it


class TooLarge(RadscribeError):
    """An answer of more bytes than a film may have."""


@dataclass(frozen=True)
class Login:
    """What opens the archive: a token, a name and a password, or nothing; raises ``WrongUse`` for a mix of them."""

    token: str | None = field(default=None, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if (self.user is None) != (self.password is None):
            raise WrongUse("--user and --password-file go together; give both or neither")
        if self.token is not None and self.user is not None:
            raise WrongUse("--token-file and --user: the archive takes one of them; leave the other out")


def read_login(token_file: Path | None, user: str | None, password_file: Path | None) -> Login:
    """The login in the files that a user names; raises ``WrongUse`` for one that holds no single line."""
    return Login(_secret(token_file, "token"), user, _secret(password_file, "password"))


def _secret(path: Path | None, what: str) -> str | None:
    if path is None:
        return None
    secret = read_text(path, f"write the {what} into it").strip()
    if not secret or len(secret.splitlines()) > 1 or not secret.isprintable():
        raise WrongUse(f"{path}: it is no {what}; write the {what} into it, on one line")
    return secret


class _Bearer(requests.auth.AuthBase):
    """The header alone would give way to a line of ~/.netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class ArchiveSession(requests.Session):
    """A session that names its user and reads no answer longer than ``most`` bytes."""

    def __init__(self, login: Login, most: int = ANSWER_BYTES) -> None:
        super().__init__()
        self._most = most
        self.headers["Accept"] = "application/dicom+json"
        if login.token is not None:
            self.auth = _Bearer(login.token)
        if login.user is not None and login.password is not None:
            self.auth = requests.auth.HTTPBasicAuth(login.user.encode(), login.password.encode())

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """As ``requests.Session.send``, but the whole answer is read; raises ``TooLarge``."""
        response = super().send(request, **{**options, "stream": True})
        content = bytearray()
        for block in response.iter_content(BLOCK):
            content += block
            if len(content) > self._most:
                response.close()
                raise TooLarge(f"its answer has more than {self._most:,} bytes")
        response._content = bytes(content)  # where requests keeps what it has read
        return response
