"""The reading page: its files, and what it asks the service beside drafts."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field

from radscribe.imaging.crop import FilmConfig
from radscribe.labels.conditions import BLANK, CONDITIONS, STATES
from radscribe.labels.rules import label_sentence
from radscribe.serve.messages import SentenceText

FOLDER = Path(str(files("radscribe"))) / "serve" / "page"
ADDRESS = "/page"
MOST_SENTENCES = 100


class ModelView(BaseModel):
    """What the model sees of a film."""

    resize: int = Field(description="Side in pixels of the square that the whole film is fitted into.")
    crop: int = Field(description="Side in pixels of the square that is cut from its middle: the model's view.")


class ModelAnswer(BaseModel):
    """The model that drafts."""

    name: str
    fingerprint: str
    view: ModelView


class SentencesGiven(BaseModel):
    """Sentences to be read."""

    model_config = ConfigDict(extra="forbid")

    sentences: list[SentenceText] = Field(max_length=MOST_SENTENCES)


class StatementsAnswer(BaseModel):
    """What each sentence states: positive, negative or uncertain, of the conditions that it names."""

    statements: list[dict[str, str]]


def is_page(path: str) -> bool:
    """Whether ``path`` is a file of the page: those hold no data, and the token is asked for by one of them."""
    return path == "/" or path.startswith(f"{ADDRESS}/")


def add_page(app: FastAPI, name: str, fingerprint: str, film: FilmConfig) -> None:
    """Serve the page of a model called ``name`` that sees films as ``film`` says."""

    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(FOLDER / "index.html")

    @app.get("/v1/model")
    async def model() -> ModelAnswer:
        """The model that drafts, and what it sees of a film: maps and boxes are in shares of that."""
        return ModelAnswer(name=name, fingerprint=fingerprint, view=ModelView(resize=film.resize, crop=film.crop))

    @app.post("/v1/statements")
    def statements(given: SentencesGiven) -> StatementsAnswer:
        """What sentences state of the conditions, by the rules that read training reports."""
        return StatementsAnswer(statements=[stated(sentence) for sentence in given.sentences])

    app.mount(ADDRESS, StaticFiles(directory=FOLDER))


def stated(sentence: str) -> dict[str, str]:
    """The conditions that a sentence names, with their states; "no finding" is none of them."""
    states = zip(CONDITIONS, label_sentence(sentence), strict=True)
    return {name: STATES[state] for name, state in states if state != BLANK and name != "no finding"}
