"""What every request passes through: who may ask, how much may be sent, and what every answer carries."""

from __future__ import annotations

import json
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException

from radscribe.core.records import NOTICE
from radscribe.serve.metrics import Metrics
from radscribe.serve.page import is_page
from radscribe.serve.settings import LOCAL, ServeConfig

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# Of everything that is no upload of films.
SMALL_BODY = 2**20
OPEN = frozenset({"/healthz", "/readyz"})
METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
    "x-radscribe-notice": NOTICE,
}


class Guard:
    """Around ``app``: checks the token (or that a browser on this machine asks), limits bodies, adds headers, counts.

    A fault of the service is one line in the log with the places in the source, never with values.
    """

    def __init__(self, app: App, config: ServeConfig, metrics: Metrics) -> None:
        self._app, self._config, self._metrics = app, config, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, as ASGI asks."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = {name for name, _ in message.get("headers", ())}
                added = [(name.encode(), text.encode()) for name, text in HEADERS.items() if name.encode() not in own]
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal:
                await _answer(send_with_headers, *refusal)
            else:
                await self._app(scope, self._limited(scope, receive), send_with_headers)
        except Exception as error:
            _log(error)
            if not status:
                await _answer(send_with_headers, 500, "the service failed; its log names the place")
        finally:
            route = getattr(scope.get("route"), "path", "other")
            method = scope["method"] if scope["method"] in METHODS else "other"
            self._metrics.answered(method, route, status, time.perf_counter() - began)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Status and reason where the request may go no further; notes in ``scope`` who asks."""
        headers = {name.decode("latin-1").lower(): text.decode("latin-1") for name, text in scope["headers"]}
        if scope["path"] not in OPEN and not is_page(scope["path"]):
            if self._config.tokens.owners:
                scheme, _, token = headers.get("authorization", "").partition(" ")
                owner = self._config.tokens.owner(token.strip()) if scheme.lower() == "bearer" else None
                if owner is None:
                    return 401, "a token is needed: send the header Authorization: Bearer TOKEN"
                scope["radscribe.who"] = owner
            else:
                # Else any page that a browser on this machine shows could send films and read drafts.
                host = headers.get("host", "")
                if _without_port(host) not in self._config.hosts:
                    return 403, "the service answers to the name of this machine only; ask 127.0.0.1"
                if "origin" in headers and headers["origin"].partition("://")[2] != host:
                    return 403, "the request comes from a page of another site"
                scope["radscribe.who"] = LOCAL
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length[:20]) > self._most(scope):
            return 413, _too_large(self._most(scope))
        return None

    def _most(self, scope: Scope) -> int:
        uploads = scope["method"] == "POST" and scope["path"] == "/v1/drafts"
        return self._config.request_bytes if uploads else SMALL_BODY

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        left, most = self._most(scope), self._most(scope)

        async def counted() -> Message:
            nonlocal left
            message = await receive()
            left -= len(message.get("body", b""))
            if left < 0:
                raise HTTPException(413, _too_large(most))
            return message

        return counted


def _too_large(most: int) -> str:
    return f"the request has more than {most:,} bytes"


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdecimal() else host).lower()


async def _answer(send: Send, status: int, reason: str) -> None:
    body = json.dumps({"detail": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _log(error: Exception) -> None:
    places = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-3:]]
    logging.getLogger("radscribe.serve").error("%s at %s", type(error).__name__, " < ".join(reversed(places)))
