"""The words by which reports name the 51 places, and the default places of entities.

A family is one kind of place with its left, right and unsided member; for a place without sides the three are the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from radscribe.labels.entities import PLACES
from radscribe.labels.wording import pattern


@dataclass(frozen=True)
class PlaceFamily:
    """A kind of place: the words that name it, and the indices into PLACES of its left, right and unsided member."""

    words: str
    left: int
    right: int
    unsided: int


def _sided(words: str, left: str, right: str, unsided: str) -> PlaceFamily:
    return PlaceFamily(words, PLACES.index(left), PLACES.index(right), PLACES.index(unsided))


def _single(words: str, place: str) -> PlaceFamily:
    return _sided(words, place, place, place)


PLEURAL = _sided(r"pleura\w*", "left_pleural", "right_pleural", "pleural_unspec")
LUNG = _sided(r"lungs?|pulmonary|airspace|air space|hemithorax", "left_lung_unspec", "right_lung_unspec", "pulmonary")
DIAPHRAGM = _sided(r"(?:hemi)?-?diaphragm\w*", "left_diaphragm", "right_diaphragm", "diaphragm_unspec")
COSTOPHRENIC = _sided(r"costophrenic", "left_costophrenic", "right_costophrenic", "costophrenic_unspec")
HEART_SIZE = _single(r"heart|cardiac|cardiomediastinal", "heart_size")
SPINE = _single(r"spin(?:e|al)|vertebra\w*", "spine")
VOLUMES = _single(r"lung volumes?|volumes?|inspirat\w+", "lung_volumes")
AORTA = _single(r"aort(?:a|ic)", "aorta")
UNSPECIFIED = _single(r"(?!)", "unspecified")

# Where two families match the same words, the more specific one comes first.
FAMILIES: tuple[PlaceFamily, ...] = (
    VOLUMES,
    _single(r"retrocardiac", "retrocardiac"),
    _single(r"(?:heart|cardiac) borders?", "heart_border"),
    _single(r"cardiophrenic", "cardiophrenic_sulcus"),
    _single(r"cardiopulmonary", "cardiopulmonary"),
    _single(r"cavo-?atrial", "cavoatrial_junction"),
    _single(r"right atri(?:um|al)", "right_atrium"),
    _single(r"right ventric\w+", "right_ventricle"),
    COSTOPHRENIC,
    DIAPHRAGM,
    _sided(r"hil(?:ar|um|a)", "left_hilar", "right_hilar", "hilar_unspec"),
    _sided(r"lower lobes?", "lower_left_lobe", "lower_right_lobe", "lung_bases"),
    _sided(r"upper lobes?", "upper_left_lobe", "upper_right_lobe", "pulmonary"),
    _single(r"middle lobe", "middle_right_lobe"),
    _single(r"lingula\w*", "upper_left_lobe"),
    _sided(r"mid[ -]?lungs?|mid zones?", "left_mid_lung", "right_mid_lung", "pulmonary"),
    _sided(r"upper (?:lungs?|zones?)", "left_upper_lung", "right_upper_lung", "lung_apices"),
    _sided(r"(?:bi)?bas(?:e|es|al|ilar)|lower (?:lungs?|zones?)", "left_lower_lung", "right_lower_lung", "lung_bases"),
    _sided(r"(?:bi)?apical|apex|apices", "left_apical_lung", "right_apical_lung", "lung_apices"),
    PLEURAL,
    HEART_SIZE,
    _single(r"mediastin\w+", "mediastinal"),
    _single(r"trache\w+", "trachea"),
    SPINE,
    _single(r"clavic\w+", "clavicle"),
    _single(r"ribs?", "rib"),
    _single(r"stomach|gastric", "stomach"),
    AORTA,
    _single(r"svc|superior vena cava", "svc"),
    _single(r"interstiti\w+", "interstitium"),
    _single(r"parenchyma\w*", "parenchymal"),
    LUNG,
    _single(r"bon(?:e|es|y)|osse?ous|skelet\w+|soft tissues?|abdom\w+|shoulders?|humer\w+", "other"),
)
PLACE_WORDS = pattern(";".join(f"(?P<f{index}>{family.words})" for index, family in enumerate(FAMILIES)))

# Place -> the same place on the other side of the body; an unsided place maps to itself.
_SIDES = [(family.left, family.right) for family in FAMILIES if family.left != family.right]
MIRRORED: dict[int, int] = (
    {place: place for place in range(len(PLACES))} | dict(_SIDES) | {right: left for left, right in _SIDES}
)

LEFT_WORDS = re.compile(r"\bleft\b")
RIGHT_WORDS = re.compile(r"\bright\b")
BOTH_WORDS = re.compile(r"\b(?:bilateral(?:ly)?|both|bibasilar|bibasal|biapical)\b")

# Entities with a fixed kind of place, whatever place the clause names.
FIXED: dict[str, PlaceFamily] = {
    "effusion": PLEURAL,
    "pneumothorax": PLEURAL,
    "cardiomegaly": HEART_SIZE,
    "hyperinflate": VOLUMES,
    "blunt": COSTOPHRENIC,
    "tortuous": AORTA,
}
# The place of an entity whose clause names none.
DEFAULTS: dict[str, PlaceFamily] = {
    **dict.fromkeys(("opacity", "atelectasis", "consolidation", "pneumonia", "edema", "infiltrate", "nodule"), LUNG),
    **dict.fromkeys(("mass", "density", "emphysema", "aerate", "expand", "aspiration", "collapse", "congestion"), LUNG),
    **dict.fromkeys(("scar", "clear"), LUNG),
    "enlarge": HEART_SIZE,
    "elevation": DIAPHRAGM,
    "degenerative": SPINE,
    "fluid": PLEURAL,
}
