"""Finds the names of a patient in a text, in any script, as people write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, permutations

from radscribe.imaging.name_words import BEGINNINGS, ORDINARY, PARTICLES, PLACEHOLDERS
from radscribe.imaging.spelling import LETTER, UNSPACED, plain, shortened, spelled_out

_UNSPACED_LETTER = re.compile(f"[{UNSPACED}]")
# Words that Hebrew and Arabic write together with the next.
_PREFIX = r"(?:[وف]?[بلك]?(?:ال)?|[ושהבלמכ]{1,3})"
_SEMITIC, _CYRILLIC = re.compile(r"[\u0590-\u06ff\u0750-\u077f]"), re.compile(r"[\u0400-\u04ff]")
_PART = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
# Within McDonald, XuWu and O'Brien, where others write a space or an apostrophe.
_SEAM = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])|'")
_BETWEEN_PARTS = r"[\s,.;_·・'-]*+"
_APART = r"[\s,_·'-]++"
_INITIALS = r"(?:[A-Z]\.\s*+){0,4}"
_BREAK = r"[\s.'-]{0,2}"  # within a word that others write as two
# The particles of a name, and letters such as that of "O Brien": others write them together with the next word.
_LEADING = re.compile(rf"\b(?:{'|'.join(sorted(PARTICLES))}|[dlo](?=[\s']+[^\W\d_]{{2}}))\b", re.IGNORECASE)
_ARTICLES = {"al", "el", "ul"}  # one Arabic word

_TITLES = (
    r"(?:mr|mrs|ms|miss|mx|sir|madam|dr|prof|herr|herrn|hr|frau|fr|monsieur|madame|mademoiselle|mme|mlle|senor|senora|"
    r"sr|sra|srta|don|dona|signor|signora|sig|dhr|mevr|mevrouw|meneer|pan|pani|г-н|г-жа)"
)
_LABELS = (
    r"(?:patient(?:in|e|en)?|pat|pt|name|nom|nombre|nome|naam|paciente|paziente|пациент(?:ка)?|"
    r"患者|病人|姓名|名前|氏名|환자|성명|이름)"
)
_HONORIFICS = r"(?:様|さま|さん|殿|氏|君|くん|ちゃん|先生|女士|小姐|太太|老师|某|씨|님|คุณ)"


@dataclass(frozen=True)
class NamePart:
    """One word of a name."""

    spellings: tuple[str, ...]  # its plain one first; all without accents
    leading: tuple[str, ...] = ()  # the particles of its name, such as "van" and "der", which may lead it in a text

    @property
    def unspaced(self) -> bool:
        """Whether it is of a script without spaces between words."""
        return bool(_UNSPACED_LETTER.search(self.spellings[0]))

    @property
    def telling(self) -> bool:
        """Whether the word can hardly stand in a report without meaning a person.

        It has three letters (two in scripts such as Chinese) and is no ordinary word of reports.
        """
        shortest = 2 if self.unspaced else 3
        ordinary = {spelling.lower() for spelling in self.spellings} & (ORDINARY | PARTICLES)
        return len(self.spellings[0]) >= shortest and not ordinary

    @cached_property
    def letters(self) -> str:
        """A pattern of the word's letters, wherever they stand."""
        return f"{self._led(_BREAK, 0)}(?:{'|'.join(_letters(spelling) for spelling in self.spellings)})"

    @cached_property
    def word(self) -> str:
        """A pattern of the word: in scripts with spaces, as a word of its own or with a usual ending."""
        return f"(?:{'|'.join(_word(spelling, self._led(_BREAK, 0)) for spelling in self.spellings)})"

    @cached_property
    def joined(self) -> str:
        """A pattern of the word written together with particles, as in Leblanc, which tells what "blanc" does not."""
        return f"(?:{'|'.join(_word(spelling, self._led('', 1)) for spelling in self.spellings)})"

    def _led(self, gap: str, least: int) -> str:
        """A pattern of the particles that stand before the word, ``least`` of them at least."""
        return f"(?:(?:{'|'.join(self.leading)}){gap}){{{least},3}}" if self.leading else ""

    @property
    def initial(self) -> str:
        """A pattern of its first letter, a capital or before a full stop."""
        letter = re.escape(self.spellings[0][0].upper())
        return rf"(?:(?-i:{letter})(?=\W|$)|{letter}\.)"


def _letters(spelling: str) -> str:
    if _UNSPACED_LETTER.search(spelling):
        return r"[\s·・]*".join(map(re.escape, spelling))
    first, *rest = _SEAM.split(spelling)
    return _BREAK.join(map(re.escape, [*_without_beginnings(first, 0 if rest else 3), *rest]))


def _without_beginnings(word: str, least: int) -> list[str]:
    """The pieces of a word that begins as VANDERBERG and MACDONALD do; ``least`` letters are left of the last."""
    cuts = [0]
    for cut in cuts:
        ends = (cut + len(begin) for begin in PARTICLES | BEGINNINGS if word.lower().startswith(begin, cut))
        cuts += [end for end in ends if end not in cuts and end <= len(word) - least]
    cuts.sort()
    return [word[start:end] for start, end in pairwise(sorted({*cuts, len(word)}))]


def _word(spelling: str, before: str) -> str:
    letters = _letters(spelling)
    if _UNSPACED_LETTER.search(spelling):
        return letters
    if _SEMITIC.search(spelling):
        return rf"(?<!{LETTER}){_PREFIX}{letters}(?!{LETTER})"
    ending = ""
    if len(spelling) > 3:
        ending = "[а-я]{0,3}" if _CYRILLIC.search(spelling) else "(?:e?s)?"
    return rf"(?<!{LETTER}){before}{letters}{ending}(?!{LETTER})"


def name_parts(name: str) -> tuple[NamePart, ...]:
    """The words of one name as DICOM writes it ("Müster^Zoë"), in any script, without titles, suffixes, placeholders.

    A word of one letter is a part only in scripts in which that is a name ("孔^虚无子").
    """
    leading = {word.lower() for word in _LEADING.findall(plain(name))}
    leading |= _ARTICLES if leading & _ARTICLES else set()
    parts: list[NamePart] = []
    for component in name.split("^")[:3]:
        found = []
        for words in zip(*(_PART.findall(fold(component)) for fold in (plain, spelled_out, shortened)), strict=True):
            first, spelled, short = words
            if len(first) > 1 or _UNSPACED_LETTER.match(first):
                # A short word without an "e" is too often another word.
                written = tuple(dict.fromkeys((first, spelled, short if len(short) > 4 else first)))
                found.append(NamePart(written, tuple(sorted(leading))))
        named = [part for part in found if part.spellings[0].lower() not in PLACEHOLDERS]
        own = [part for part in named if part.spellings[0].lower() not in PARTICLES]
        parts += own or ([] if parts else named)  # Le and Do are family names, too
    return tuple(dict.fromkeys(parts))


@dataclass(frozen=True)
class PatientNames:
    """The names of one patient: in the header's scripts, at birth, and others."""

    names: tuple[tuple[NamePart, ...], ...]

    def stand_in(self, texts: Sequence[str]) -> bool:
        """Whether one of ``texts``, the spellings of one text (``spelling.spellings``), names the patient.

        A text does so that holds

        - the only word of a name, or any two words of the names, at least one of them ``NamePart.telling``;
        - two words of a name next to each other: in capitals where neither is telling;
        - a word after a title or a label ("Mrs. Small", "Name: Small"), or before a title as in "孔先生";
        - a word beside the initial of another ("J. Smith", "Smith, J."): where it is not telling, with a full stop.

        One word of several alone is not enough ("Hollerbach's sign"), nor are ordinary words that are a name, too
        ("small", "long"), two letters ("no", "an") or one character ("高"), which no report could do without.
        """
        parts = {part for name in self.names for part in name}
        if not any(part.unspaced or _found(part.letters, texts) for part in parts):
            return False  # the patterns below need one of them, and take longer to make
        found = {part for part in parts if _found(part.word, texts)}
        telling = {part for part in found if part.telling or (part.leading and _found(part.joined, texts))}
        words = {part.spellings[0].lower() for part in found}  # of several names, one word once
        if telling and (len(words) > 1 or any(len(name) == 1 and name[0] in telling for name in self.names)):
            return True
        return _found(self._in_context, texts)

    @cached_property
    def _in_context(self) -> str:
        """A pattern of a word of a name where the words around it show that it is one."""
        parts = dict.fromkeys(part for name in self.names for part in name)
        pairs = dict.fromkeys(pair for name in self.names for pair in permutations(name, 2))
        written = [*map(_addressed, parts), *(_adjacent(*pair) for pair in pairs)]
        written += [_initialled(*pair) for pair in pairs if not (pair[0].unspaced or pair[1].unspaced)]
        for name in self.names:  # a name without a caret: its family name is the first character or two
            if len(name) == 1 and name[0].unspaced:
                written += [re.escape(name[0].spellings[0][:count]) + rf"\s*+{_HONORIFICS}" for count in (1, 2)]
        return "|".join(written)


def _found(pattern: str, texts: Sequence[str]) -> bool:
    return any(re.search(pattern, text, re.IGNORECASE) for text in texts)


def _addressed(part: NamePart) -> str:
    title = rf"{_TITLES}(?:\.\s*+|\s++)|(?<![ap]\.)m\.\s*+"
    label = rf"{_LABELS}\s*+[:=]\s*+" + (rf"|{_LABELS}\s*+" if part.telling else "")
    return rf"(?<!{LETTER})(?:{title}|{label}){_INITIALS}{part.word}|{part.word}\s*+{_HONORIFICS}"


def _adjacent(first: NamePart, second: NamePart) -> str:
    if first.unspaced or second.unspaced:
        return rf"{first.letters}{_BETWEEN_PARTS}{second.letters}"
    if first.telling or second.telling:
        return rf"(?<!{LETTER}){first.letters}{_BETWEEN_PARTS}{second.letters}(?!{LETTER})"
    capital = "(?-i:(?![a-z]))"
    return rf"{capital}{first.word}{_APART}{capital}{second.word}"


def _initialled(part: NamePart, other: NamePart) -> str:
    if part.telling:
        comma = r"\s*+(?:,\s*+)?"
        return rf"(?<!{LETTER}){other.initial}\s*+{_INITIALS}{part.word}|{part.word}{comma}{other.initial}"
    initial = rf"{re.escape(other.spellings[0][0])}\."
    return rf"(?<!{LETTER}){initial}\s*+{_INITIALS}{part.word}|{part.word},\s*+{initial}"
