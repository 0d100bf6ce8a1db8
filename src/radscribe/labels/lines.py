"""Lines and sections of a report: which line breaks end a statement, and which sections state nothing of the film."""

from __future__ import annotations

import re

# Sections that say why and how a film was taken, and what it was compared with: nothing of what it shows.
_SILENT = re.compile(
    r"(?:(?:\w+ ){0,2}history(?: of present illness)?|(?:clinical )?i?ndications?|comparisons?(?: \w+)?|"
    r"compared (?:to|with)|reasons? for (?:the |this )?\w+|techniques?|procedures?|(?:type of )?exam(?:ination)?|"
    r"(?:exam|examination|study) (?:type|date)|views?|date of \w+|symptoms?|signs? and symptoms?|"
    r"clinical (?:information|data|details|question|statement|context|background|notes?|diagnosis)|"
    r"(?:most recent )?priors?(?: \w+)?|question|contrast|request|(?:\w+ )?hx|pmhx?|cc|hpi|clinical|reason|"
    r"(?:ordering|admitting|presenting|working|chief) \w+)$",
    re.IGNORECASE,
)
# Those of them that are one statement, behind which findings may follow without a heading.
_SHORT = re.compile(r"compar|technique|procedure|exam|type|study|view|date|contrast", re.IGNORECASE)
# A heading stands where a line or a sentence begins, or is in capitals.
_HEADING = re.compile(
    r"(?:(?:^|(?<=\n)|(?<=[.!?;]\s))[ \t*#]*(?P<name>[A-Za-z][\w&/-]*(?: [\w&/-]+){0,4}?)|"
    r"(?<=\s)(?P<capitals>[A-Z]{4,}(?: [A-Z]{2,}){0,3}))[ \t]*:"
)
_BODY = re.compile(r"findings?|reports?|results?|description|chest|body|cxr|observations?", re.IGNORECASE)
_EMPTY_LINE = re.compile(r"(?<=\S)[ \t]*\n[ \t]*\n")
_NOTHING = re.compile(r"[ \t]*\n[ \t]*\n")
_FIRST_SENTENCE = re.compile(r"\s*[^\n]*?(?:[.!?](?=\s)|(?=\n)|$)")

_BULLET = re.compile(
    r"(?:[-*+>#~]+|[([]?\d{1,2}[.)\]]{1,2}|\d{1,2}/)(?=\s)|[-*+](?=[A-Za-z])|\(?\d{1,2}[.)](?=[A-Za-z])"
)
_LIST_MARK = re.compile(r"(?<=\S)[ \t]+\*[ \t]+(?=\w)")
# A line that ends so goes on, and so does one that begins so.
_OPEN_END = re.compile(
    r"(?:[,/(-]|\b(?:no|or|and|nor|of|the|an?|with|without|in|on|at|to|for|from|by|is|are|was|were|be|been|has|have|"
    r"had|not|may|can|could|might|would|than|as|which|that|there|this|these|either|neither|if|but|cannot|dr|mr|mrs|its|versus|vs|represents?|reflects?|suggests?|shows?|longer))$",
    re.IGNORECASE,
)
# So does one that ends so, where the next begins with a small letter.
_OPEN_ADJECTIVE = re.compile(
    r"\b(?:likely|possible|probable|new|focal|acute|left|right|small|large|mild|moderate|severe|pleural|pulmonary|lung|"
    r"lower|upper|middle|evidence|definite)$",
    re.IGNORECASE,
)
_OPEN_START = re.compile(
    r"(?:or|and|nor|of|with|without|in|on|at|to|for|from|by|is|are|was|were|has|have|than|which|that|as|may|cannot|"
    r"could|compatible|consistent|concerning|suspicious|versus|vs)\b"
)
_CAPITALIZED = re.compile(r"[A-Z][a-z]|[A-Z] [a-z]")
# Names that are written with a capital inside a sentence.
_NAME = re.compile(
    r"(?:Swan|Kerley|Dobb?hoff|Port|Dr|Mr|Mrs|January|February|March|April|May|June|July|August|September|October|"
    r"November|December|Hickman|Groshong|Quinton|Bochdalek|Morgagni|Harrington|Pleur[Xx])\b"
)
_LEADS = re.compile(r"\b(?:no|without|(?:evidence|signs?) (?:of|for)|negative for)\s*:?$", re.IGNORECASE)
_CUT_WORD = re.compile(r"[A-Za-z]-$")
_MARKS = (".", ",", ";", ":", "?", "!")
# A page is no narrower: shorter lines were ended by their writer.
_NARROWEST_PAGE = 50


def without_silent_sections(text: str) -> str:
    """``text`` without its sections of history, indication, comparison and technique.

    Such a section ends at the next heading or empty line; where there is neither, with its line or first sentence.
    """
    headings = list(_HEADING.finditer(text))
    names = [(heading["name"] or heading["capitals"]).strip() for heading in headings]
    kept, position = [], 0
    for number, heading in enumerate(headings):
        if not _SILENT.match(names[number]):
            continue
        limit = _end_of_silence(text, headings, names, number)
        if _SHORT.match(names[number]) and _NOTHING.match(text, heading.end()):
            limit = heading.end()
        empty = _EMPTY_LINE.search(text, heading.end(), limit)
        if empty and text[heading.end() : empty.start()].strip():
            limit = empty.start()
        kept += [text[position : heading.start()], "\n\n"]
        position = max(position, limit)
    return "".join([*kept, text[position:]])


def _end_of_silence(text: str, headings: list[re.Match[str]], names: list[str], number: int) -> int:
    """Where the silent section of a heading ends, empty lines aside."""
    start = headings[number].end()
    following = headings[number + 1] if number + 1 < len(headings) else None
    if following and (_BODY.fullmatch(names[number + 1]) or _SILENT.match(names[number + 1])):
        return following.start()
    first = _FIRST_SENTENCE.match(text, start)
    end = first.end() if first else len(text)
    if following is None:
        return end
    # "HISTORY: Cough. Fever. IMPRESSION:" goes on to its next heading, but not over a line that begins a statement.
    if not _SHORT.match(names[number]):
        end = _end_of_statement_lines(text, start, following.start())
    return min(end, following.start())


def _end_of_statement_lines(text: str, start: int, limit: int) -> int:
    """Where, from ``start``, a line begins another statement than the lines before it; ``limit`` where none does."""
    lines = text[start:limit].split("\n")
    width = max(_NARROWEST_PAGE, *map(len, lines))
    before, place = "", start
    for line in lines:
        said = line.strip()
        if before and said and (_BULLET.match(said) or _begins_statement(before, said, width)):
            return place
        before = said or before
        place += len(line) + 1
    return limit


def statement_lines(text: str) -> str:
    """``text`` with a line break where a statement ends, and a space where the width of a page cut a line.

    A line begins a statement with a bullet, a number or a capital letter, or where its first word had room on the line
    before it; not where either line is plainly half of a sentence.
    """
    if "*" in text:
        text = _LIST_MARK.sub("\n* ", text)
    if "\n" not in text:
        return text
    lines = [line.strip() for line in text.split("\n")]
    width = max(_NARROWEST_PAGE, *map(len, lines))
    parts: list[str] = []
    before, items = "", 0
    for line in lines:
        bullet = _BULLET.match(line)
        said = line[bullet.end() :].strip() if bullet else line
        # "No evidence of" over a list is said of each of its items.
        items = items + 1 if bullet and (items or _LEADS.search(before)) else 0
        if items:
            if items == 1:
                parts[-1] = parts[-1].removesuffix(":")
            parts += [" " if items == 1 else " or ", said]
            before = said
            continue
        new = not before or not said or bullet or _begins_statement(before, said, width)
        # A word that the page cut at its hyphen is one word again.
        parts += ["\n" if new else "" if _CUT_WORD.search(before) else " ", said]
        before = said and line
    return "".join(parts[1:])


def without_page_breaks(text: str) -> str:
    """``text`` without the line breaks that the width of a page made, else as it is.

    A break stays where ``statement_lines`` keeps it and no mark ends the line before; empty lines go.
    """
    lines = [line for line in text.split("\n") if line.strip()]
    width = max([_NARROWEST_PAGE, *map(len, lines)])
    parts, before = lines[:1], "".join(lines[:1])
    for line in lines[1:]:
        begins = _BULLET.match(line) or _begins_statement(before, line, width)
        parts += ["\n" if begins and not before.endswith(_MARKS) else " ", line]
        before = line
    return "".join(parts)


def _begins_statement(before: str, line: str, width: int) -> bool:
    if _OPEN_END.search(before) or _OPEN_START.match(line):
        return False
    capitalized = bool(_CAPITALIZED.match(line))
    if _OPEN_ADJECTIVE.search(before) and not capitalized:
        return False
    had_room = len(before) + 1 + len(line.split(maxsplit=1)[0]) <= width
    return had_room or (capitalized and not _NAME.match(line))
