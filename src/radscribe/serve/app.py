"""The HTTP interface: routes, and which answer each refusal gets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, BinaryIO

from fastapi import FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.telemetry import TelemetryConfig
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import UploadFile

from radscribe.core.errors import RadscribeError
from radscribe.core.records import NOTICE
from radscribe.core.version import __version__
from radscribe.imaging.refusal import RefusedFilm
from radscribe.serve.database import DraftRow
from radscribe.serve.decoding import FilmTooLarge
from radscribe.serve.documents import DOCUMENTS
from radscribe.serve.drafter import QueueFull
from radscribe.serve.editing import WrongEdit
from radscribe.serve.films import ID, EmptyFilm, LargeFilm
from radscribe.serve.guard import Guard
from radscribe.serve.messages import DraftAnswer, DraftChange, DraftList, DraftSummary, Edits, FilmLink, Problem, Status
from radscribe.serve.metrics import CONTENT_TYPE, present
from radscribe.serve.page import add_page
from radscribe.serve.service import DraftService, RefusedStudy
from radscribe.serve.settings import LOCAL
from radscribe.serve.store import NoSuchDraft, StaleVersion

RETRY_SECONDS = 2
NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
MOST_FIELDS, FIELD_BYTES = 16, 2**16
STATUSES: tuple[tuple[type[Exception], int], ...] = (
    (NoSuchDraft, 404),
    (StaleVersion, 409),
    (LargeFilm, 413),
    (FilmTooLarge, 413),
    (RefusedFilm, 422),
    (EmptyFilm, 422),
    (WrongEdit, 422),
    (QueueFull, 503),
)
FILES_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["files"],
                "properties": {
                    "files": {
                        "type": "array",
                        "minItems": 1,
                        "items": {"type": "string", "format": "binary"},
                        "description": "The films of one study: DICOM, PNG or JPEG.",
                    }
                },
            }
        }
    },
}
PNG_ANSWER = {
    "content": {"image/png": {}},
    "headers": {
        "film-window": {
            "description": "The levels to show as black and as white at first.",
            "schema": {"type": "string"},
        }
    },
}
Name = Annotated[str, Path(description="Id of a draft.")]


def _answers(*refusals: int, ok: dict[str, Any] | None = None) -> dict[int | str, dict[str, Any]]:
    """The refusals of a route, and where it needs more words its answer 200, for OpenAPI."""
    found: dict[int | str, dict[str, Any]] = {status: {"model": Problem} for status in (401, 403, *refusals)}
    return {**found, 200: ok} if ok else found


def create_app(service: DraftService, prepare: Callable[[], Awaitable[None]] | None = None) -> FastAPI:
    """The service over HTTP; it starts and stops with the application, and answers once ``prepare`` is done."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await service.start()
        try:
            if prepare:
                await prepare()
            yield
        finally:
            await service.stop()

    # No pages that fetch scripts from elsewhere, and no word on requests to whatever the environment names.
    app = FastAPI(
        title="radscribe",
        version=__version__,
        description=NOTICE,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        telemetry=NO_TELEMETRY,
    )
    app.add_middleware(Guard, config=service.config, metrics=service.metrics)
    app.add_exception_handler(RadscribeError, _refused)
    app.add_exception_handler(RequestValidationError, _misformed)
    _add_drafts(app, service)
    _add_documents(app, service)
    _add_state(app, service)
    add_page(app, *service.model)
    return app


def _add_drafts(app: FastAPI, service: DraftService) -> None:
    @app.post(
        "/v1/drafts",
        status_code=201,
        response_model=DraftAnswer,
        responses=_answers(
            *(400, 408, 413, 415, 422, 503), ok={"model": DraftAnswer, "description": "These films have a draft."}
        ),
        openapi_extra={"requestBody": FILES_BODY},
    )
    async def create_draft(request: Request, response: Response) -> DraftAnswer:
        """Draft a report for the films of one study; the same films give the same draft."""
        if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
            raise HTTPException(415, "send the films as multipart/form-data, in the field files")
        config = service.config
        try:
            async with asyncio.timeout(config.upload_seconds):
                form = await request.form(max_files=config.films, max_fields=MOST_FIELDS, max_part_size=FIELD_BYTES)
        except TimeoutError:
            raise HTTPException(408, f"the films did not arrive within {config.upload_seconds:g} s") from None
        try:
            row, new = await service.create(_uploads(form.multi_items()), _who(request))
        finally:
            await form.close()
        response.status_code = 201 if new else 200
        response.headers["location"] = f"/v1/drafts/{row.id}"
        return _answer(row)

    @app.get("/v1/drafts", responses=_answers(422))
    async def list_drafts(
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: Annotated[int | None, Query(ge=1, le=2**62, description="`next` of the page before.")] = None,
        status: Status | None = None,
    ) -> DraftList:
        """The drafts, the newest first."""
        rows = await asyncio.to_thread(service.store.page, limit + 1, cursor, status)
        shown = rows[:limit]
        return DraftList(
            drafts=[_summary(row) for row in shown], next=str(shown[-1].number) if len(rows) > limit else None
        )

    @app.get("/v1/drafts/{name}", responses=_answers(404))
    async def read_draft(name: Name) -> DraftAnswer:
        """One draft with its edits."""
        return _answer(await _found(service, name))

    @app.patch("/v1/drafts/{name}", responses=_answers(404, 409, 413, 422))
    async def change_draft(name: Name, change: DraftChange, request: Request) -> DraftAnswer:
        """Accept, edit or reject sentences, add some, and make the draft final."""
        await _found(service, name)
        return _answer(await service.change(name, change, _who(request)))

    @app.get(
        "/v1/drafts/{name}/films/{place}.png",
        response_class=Response,
        responses=_answers(404, 413, 422, ok=PNG_ANSWER),
    )
    async def read_film(name: Name, place: int) -> Response:
        """One film, as a grey PNG of 8 or 16 bits, upright, bright = dense."""
        row = await _found(service, name)
        if not 0 <= place < len(row.films):
            raise NoSuchDraft(f"the draft has no film {place}: it has {len(row.films)}")
        picture = await service.picture(row.id, place)
        window = f"{picture.black} {picture.white}"
        return Response(picture.png, media_type="image/png", headers={"film-window": window})


def _add_documents(app: FastAPI, service: DraftService) -> None:
    def add(document: str, kind: str) -> None:
        @app.get(
            f"/v1/drafts/{{name}}/{document}",
            name=f"read_{document}",
            response_class=Response,
            responses=_answers(404, 413, 422, ok={"content": {kind: {}}}),
        )
        async def read_document(name: Name) -> Response:
            """A hospital document of a draft, with the reader's words once it is final."""
            return Response(await service.document(await _found(service, name), document), media_type=kind)

    for document, kind in DOCUMENTS.items():
        add(document, kind)


def _add_state(app: FastAPI, service: DraftService) -> None:
    @app.get("/healthz")
    async def health() -> dict[str, str]:
        """Whether the service runs."""
        return {"status": "ok"}

    @app.get("/readyz", responses={503: {"model": Problem}})
    async def readiness() -> dict[str, str]:
        """Whether the service can draft: its model is loaded and its database can be written."""
        if not service.drafter.alive:
            raise HTTPException(503, "the model is not loaded")
        try:
            await asyncio.to_thread(service.store.check)
        except SQLAlchemyError:
            raise HTTPException(503, "the database cannot be written") from None
        return {"status": "ready"}

    @app.get("/metrics", response_class=Response, responses=_answers(ok={"content": {"text/plain": {}}}))
    async def metrics() -> Response:
        """Figures for Prometheus."""
        return Response(await asyncio.to_thread(service.metrics.text), headers={"content-type": CONTENT_TYPE})


def _uploads(items: list[tuple[str, Any]]) -> list[BinaryIO]:
    files = [upload.file for name, upload in items if name == "files" and isinstance(upload, UploadFile)]
    if not files or len(files) != len(items):
        raise HTTPException(422, "send films in the field files, each with a file name, and no other field")
    return files


async def _found(service: DraftService, name: str) -> DraftRow:
    if not ID.fullmatch(name):
        raise NoSuchDraft("there is no draft of this id: it is none that the service gives")
    return await asyncio.to_thread(service.store.get, name)


def _who(request: Request) -> str:
    return str(request.scope.get("radscribe.who", LOCAL))


def _answer(row: DraftRow) -> DraftAnswer:
    films = [
        FilmLink(
            url=f"/v1/drafts/{row.id}/films/{film.place}.png", width=film.width, height=film.height, bits=film.bits
        )
        for film in row.films
    ]
    return DraftAnswer(**_shared(row), draft=row.draft, edits=Edits(**row.edits), final=row.final, films=films)


def _summary(row: DraftRow) -> DraftSummary:
    return DraftSummary(**_shared(row), present=present(row.draft), films=len(row.films))


def _shared(row: DraftRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "created": row.created,
        "changed": row.changed,
        "status": row.status,
        "version": row.version,
        "abstain": row.draft["abstain"],
        "reasons": row.draft["reasons"],
    }


async def _refused(request: Request, error: Exception) -> Response:
    known = error.cause if isinstance(error, RefusedStudy) else error
    status = next((status for kind, status in STATUSES if isinstance(known, kind)), 500)
    headers = {"retry-after": str(RETRY_SECONDS)} if status == 503 else None
    detail = str(error) if status != 500 else "the service failed to draft these films"
    return JSONResponse({"detail": detail}, status, headers)


async def _misformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    # Where and why, without what was sent: it may be words of a report.
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"]))
    return JSONResponse({"detail": f"{place}: {first['msg']}"}, 422)
