"""The phrases by which reports mention each condition.

The first 13 conditions follow the published mention lists of the CheXpert labeler (Irvin et al., AAAI 2019): a scar is
a lung opacity, a calcified nodule is no lesion, fibrosis is "pleural other", clips are no support devices. Where such
a list only matches by accident (the "plate" of plate-like atelectasis, the "line" of a fracture) the accident is
excluded; plain synonyms are added. The last four conditions (aorta, bone/spine, hemidiaphragm, lung volume abnormal)
are this project's own.

A *finding* is abnormal by being named, and its scope decides its state. A *structure* is named in health and disease
alike (heart size, mediastinal contour): what is said of it decides.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from radscribe.labels.wording import any_of, pattern


@dataclass(frozen=True)
class Finding:
    """Phrases that name a finding of ``condition``; mentions that touch ``excluded`` do not count.

    A finding that is ``at_most_uncertain`` is a sign of its condition rather than the condition itself.
    """

    condition: str
    mentions: re.Pattern[str]
    excluded: re.Pattern[str] | None = None
    at_most_uncertain: bool = False


@dataclass(frozen=True)
class Structure:
    """A structure, the words that make it abnormal, and whether "stable" alone leaves its state uncertain."""

    condition: str
    names: re.Pattern[str]
    abnormal: re.Pattern[str]
    stable_is_uncertain: bool = False


# Parts of devices that break as bones do.
_FITTING = (
    "(?:\\w*catheters?|leads?|wires?|tub(?:e|es|ing)|lines?|screws?|rods?|plates?|stents?|hardware|prosthe\\w+|clips?)"
)

FINDINGS: tuple[Finding, ...] = (
    Finding(
        "enlarged cardiomediastinum",
        pattern(
            r"""
            mediastinal (?:widening|enlargement|prominence|fullness); wide(?:ned|r)? (?:\w+ )?(?:cardio)?mediastin\w+;
            (?:widening|prominence|fullness|enlargement) of the (?:\w+ )?(?:cardio)?mediastin\w+
            """
        ),
    ),
    Finding(
        "cardiomegaly",
        pattern(r"cardiomegaly; cardiac enlargement; enlarge(?:d|ment of the) (?:\w+ )?(?:heart|cardiac)(?! chamber)"),
    ),
    Finding(
        "lung opacity",
        pattern(
            r"""
            opaci\w+; opaque; decreased translucency; increased densit\w+; air[ -]?space (?:disease|process)\w*;
            infiltrat\w+; interstitial (?:lung|marking|pattern|disease|infiltrat|pulmonary pattern)\w*; reticulation\w*;
            reticular (?:pattern|marking)\w*; reticulo-?nodular\w*; ground[ -]glass; ggos?;
            scar(?:s|red|ring)?; (?:peribronchial|wall) thickening
            """
        ),
        pattern(
            r"""
            opaque (?:markers?|materials?|foreign|contrast|catheters?|tubes?|objects?|clips?);
            pleural scar\w*; normal (?:\w+ )?interstitial markings; (?:gastric|bowel|bladder|skin) wall thickening;
            interstitial markings (?:are|appear) (?:\w+ )?(?:normal|unremarkable|within)
            """
        ),
    ),
    Finding(
        "lung lesion",
        pattern(
            r"""
            mass(?:es|like)?; nodular (?:densit|opaci|lesion)\w*; nodules?; lumps?; carcinoma\w*; neoplas\w+; tumou?rs?;
            (?:cavitary|lung|pulmonary|parenchymal) lesions?
            """
        ),
        pattern(
            r"""
            (?<!non )(?<!non-)(?<!not )(?<!partially )(?<!partly )calcified nodul\w*;
            (?:body|bone|muscle) mass; mass effect
            """
        ),
    ),
    Finding(
        "edema",
        pattern("o?edema(?:tous)?; heart failure; cardiac failure; chf"),
        pattern(
            """
            (?:soft tissue|subcutaneous|peripheral|ankle|leg|pedal|chest wall|cerebral|laryngeal|marrow) o?edema;
            o?edema (?:of|in) (?:the |both )?(?:chest wall|ankles?|legs?|soft tissues?|extremities)
            """
        ),
    ),
    Finding(
        "edema",
        pattern("(?:vascular|pulmonary|venous) congestion; indistinctness; vascular prominence"),
        at_most_uncertain=True,
    ),
    Finding("consolidation", pattern(r"consolidat\w+; consol")),
    Finding(
        "pneumonia",
        pattern(r"(?:broncho)?pneumonia\w*; pnas?; infections?; infectious"),
        pattern("(?:granulomatous|histoplasmosis) infections?"),
    ),
    Finding(
        "atelectasis",
        pattern(r"atelecta\w+; atx; collapsed?"),
        pattern(
            r"""
            (?:vertebral(?: body)?|endplate) collapse; patient (?:had |has )?collapsed;
            collapse of (?:the )?(?:[tl]\d|\w+ vertebra)
            """
        ),
    ),
    Finding("pneumothorax", pattern(r"\w*pneumo[ -]?thora(?:x|ces|xes); ptxs?; pnx")),
    Finding(
        "pleural effusion",
        pattern(
            r"(?:pleural)?effusions?; effs?; pleural fluid; fluid in the (?:\w+ )?pleural space; hydropneumothorax"
        ),
        pattern("(?:pericardial|joint|knee|elbow|hip|shoulder|subdural) effusions?"),
    ),
    Finding(
        "pleural other",
        pattern(
            r"""
            pleural (?:\w+ )?thickening; thickening of the (?:\w+ )?pleura; fibrosis; fibrothorax; pleural plaques?;
            pleur(?:al|o)[ -]?(?:parenchymal|pericardial)? ?scar\w*
            """
        ),
        pattern("cystic fibrosis"),
    ),
    Finding(
        "fracture",
        pattern(r"fractur\w+; fxs?"),
        pattern(
            rf"""
            fractures may not be \w+; fractured (?:\w+ ){{0,2}}{_FITTING};
            {_FITTING} (?:is |are |tip |has |have )?fractur\w+;
            fractur\w+ (?:of|in|through|involving) (?:(?!with\b|and\b|by\b|near\b|status\b)\w+ ){{0,4}}?{_FITTING}
            """
        ),
    ),
    Finding(
        "support devices",
        pattern(
            r"""
            pacers?; pacemaker\w*; lines?; piccs?; tub(?:e|es|ing); ports?; pigtails?; trach(?:eostom\w+|s)?; leads?;
            electrodes?; (?:et|ng|og|nj|dh)ts?; cv[cl]s?; iabps?; [lr]vads?; ecmo; ppms?; balloon pump; dobb?hoff;
            hickman; groshong; broviac; quinton;
            impella; loop recorders?; (?:vp|ventriculoperitoneal) shunts?; valves?; \w*catheter\w*; hardware;
            arthroplast\w+; markers?; a?icds?; \w*defib\w*; devices?; drains?; plates?; screws?; cannula\w*;
            apparatus; coils?; support; equipment; mediport\w*; port-?a-?cath\w*; swan(?:[ -]ganz)?;
            wires?; ijs?; u[av]cs?; prosthe(?:sis|tic); \w*stimulators?
            """
        ),
        pattern(
            r"""
            (?:fracture|suture|kerley|kerley b|pleural|fissural|paratracheal|paraspinal|paraspinous|junction|azygos|
                reflection|lung|lucent|fat|staple|or|mediastinal|azygo\w*|fissure|interlobar) lines?;
                tube (?:current|feed\w*); (?:in|a) line with; line of; b[ -]lines?; plate(?:[ -]?like)? atelect\w+;
                plate[ -]?like;
            (?:mitral|aortic|tricuspid) valve (?:is |calcif|annul)\w*; of the (?:mitral|aortic) valve(?! repl);
            support (?:the|this|a diagnosis); muscles? support; leads? to; port (?:wine|site|film);
            lead (?:apron|poisoning)
            """
        ),
    ),
    Finding(
        "aorta",
        pattern(
            r"""
            (?:tortuous|ectatic|unfolded|calcified|atherosclerotic|dilated|aneurysmal|uncoiled|
                elongated)(?:,| and| or)?(?: \w+){0,3} aort(?:a|ic);
            aortic (?:\w+ )?(?:tortuosity|ectasia|calcifications?|atherosclerosis|aneurysm|unfolding|dilat\w+);
            (?:tortuosity|ectasia|calcifications?|unfolding|atherosclerosis|dilat\w+|uncoiling)
                (?:of|in|within|along|involving) the (?:\w+ ){0,3}aort(?:a|ic);
            atherosclero\w+
            """
        ),
        pattern(r"coronary (?:\w+ )?atherosclero\w+; aortic valv\w+(?: \w+){0,2}"),
    ),
    Finding(
        "bone/spine",
        pattern(
            r"""
            degenerat\w+; spondylo\w+; osteophyt\w+; \w*scolio\w+; \w*kypho\w+; osteope\w+; osteopor\w+; spurring;
            deminerali[sz]\w+; (?:osteo)?arthr(?:itis|itic|osis|opathy); hyperostosis; dis[ck] space (?:narrowing|loss);
            (?:wedg(?:e|ing)|compression) (?:\w+ )?(?:deformit|fractur)\w+; (?:vertebral|anterior) (?:\w+ )?wedging;
            (?:vertebral|bony|rib|spinal|clavicular) deformit\w+;
            (?:lytic|sclerotic|blastic)(?: or \w+)? (?:bone |bony |osseous )?lesions?
            """
        ),
    ),
    Finding(
        "hemidiaphragm",
        pattern(
            r"""
            eventrat\w+; (?:elevat\w+|raised|high)(?: of)?(?: the)?(?: \w+){0,2} (?:hemi)?-?diaphragms?;
            (?:hemi)?-?diaphragm(?:s|atic)? (?:elevation|paralysis)
            """
        ),
    ),
    Finding(
        "lung volume abnormal",
        pattern(
            r"""
            (?:low|decreased|diminished|reduced|small|shallow) (?:lung |inspiratory )?volumes?;
            hypo-?(?:inflat|expan|ventilat|aerat)\w*; (?:hyper|over)-?(?:inflat|expan|aerat|distend)\w*; underinflat\w*;
            (?:poor|low|shallow|suboptimal|decreased|limited|diminished) (?:level of |depth of )?inspirat\w+;
            flatten(?:ed|ing)(?: of)?(?: the)?(?: \w+){0,2} (?:hemi)?-?diaphragms?
            """
        ),
    ),
)

# What the CheXpert labeler's "no finding" list names beside the 13 conditions: a chest with any of these is not normal.
OTHER_ABNORMAL = pattern(
    r"""
    emphysem\w*; blunt\w*; (?<!normal )(?<!bone )densit(?:y|ies); elevat(?:ed|ion); eventrat\w*; \w*scolio\w*;
    degenerat\w*; (?:micro)?calcifi\w*; (?:hyper|over)-?(?:inflat|expan|aerat)\w*; bronchospasm\w*; asthma\w*;
    hernia\w*; copd; (?<!normal )interstitial markings(?! (?:are|appear) (?:\w+ )?(?:normal|unremarkable|within));
    plaques?; (?:osteo|spondylo|syndesmo)phyt\w*; aortic disease; bronchiolitis; airways? disease; thicken(?:ed|ing);
    cephali[sz]ation; aspirat\w*; bulla\w*; bullous; contusions?; atherosclero\w*; osteopeni\w*; osteoporo\w*;
    metasta\w*; granulom\w*; pneumomediastinum; pneumoperitoneum; osteodystroph\w*; cuffing; irregular lucenc\w*;
    inflamm\w*; fissures?; hypertensi\w*; prominen\w*; \w*kypho\w*; \w*defib\w*; bullets?; reticula\w*; thoracentesis;
    bronchitis; volume loss; deformit\w*; ha?emorrhag\w*; ha?ematoma\w*; radi-?opaque; aerophagia; \w*arthropath\w*;
    tracheostom\w*
    """
)

# "Clips over the mediastinum" says where the clips are and nothing of the mediastinum.
_NOT_A_PLACE = "(?<!over the )(?<!overlying the )(?<!behind the )(?<!adjacent to the )(?<!near the )(?<!in the )"
_LARGER = r"enlarg\w+; prominen\w+; dilat\w+; increased in size; globular"
_NOT_ITS_OUTLINE = (
    "(?:(?:and |or )?(?:hilar )?(?:lymph|adenop|calcif)|clips?|surg|drain|shift|air|mass|fat|xxxx|opacity|widening|"
    "enlargement|prominence|fullness)"
)
STRUCTURES: tuple[Structure, ...] = (
    Structure(
        "cardiomegaly",
        pattern(
            rf"""
            {_NOT_A_PLACE}heart(?! failure| rate); cardiothoracic ratio; cardiac(?=,| and|/| ?$);
            cardiac xxxx(?= (?:is|are|within|normal));
            cardiac (?:and mediastinal )?(?:silhouettes?|contours?|shadows?|size|configuration|outlines?|borders?|width)
            """
        ),
        pattern(
            rf"""
            {_LARGER}; cardiomegaly; (?:is|are|remains?|appears?) (?:\w+ ){{0,2}}(?:large|big|increased);
            large (?:heart|cardiac); increased? (?:in )?(?:the )?(?:heart|cardiac)
            """
        ),
        stable_is_uncertain=True,
    ),
    Structure(
        "enlarged cardiomediastinum",
        pattern(
            rf"""
            {_NOT_A_PLACE}(?:cardio[ -]?)?mediastin(?:al|um)(?! {_NOT_ITS_OUTLINE})
            """
        ),
        pattern(rf"{_LARGER}; wide(?:ned|ning|r)?; fullness; increased in width; broad"),
        stable_is_uncertain=True,
    ),
    Structure(
        "aorta",
        pattern(r"aort(?:a|ic)(?! valv| insuff| stenosis| regurg)"),
        pattern(rf"{_LARGER}; tortuo\w+; ecta\w+; calcif\w+; athero\w+; unfold\w+; aneurysm\w*; uncoil\w+; elongat\w+"),
    ),
    Structure(
        "bone/spine",
        pattern(r"bon(?:e|es|y); osse?ous; skelet\w+; spin(?:e|al); vertebra\w*; (?:rib|thoracic) cage; ribs"),
        pattern("abnormalit(?:y|ies); lesions?"),
    ),
    Structure("hemidiaphragm", pattern(r"(?:hemi)?-?diaphragm(?:s|atic)?"), pattern(r"elevat\w+; eventrat\w+; raised")),
    Structure(
        "lung volume abnormal",
        pattern("(?:lung|inspiratory) volumes?; inspirat(?:ion|ory effort)"),
        pattern("low; decreased; diminished; reduced; small; shallow; increased; large; poor"),
    ),
)

# What is said of a structure in health.
NORMAL = pattern(
    r"""
    normal; normally; w?nl; non-?(?:dilated|enlarged); unremarkable; intact; preserved; maintained; negative;
    satisfactory; adequate; sharp;
    within (?:\w+ )?(?:normal )?(?:limits?|range); without (?:\w+ ){0,2}(?:abnormalit|change)\w*;
    (?:no|any) (?:[\w-]+ ){0,3}(?:abnormalit|finding|process|disease|lesion|change)\w*; good inspirat\w+
    """
)
BORDERLINE = pattern("borderline")
STABLE = pattern(
    r"stable(?! (?:position|postsurg|postop)); unchanged; similar; not changed; no (?:\w+ )?(?:interval )?change"
)
HEART_FAILURE = pattern("chf; (?:heart|cardiac) failure")

_AIRED = "(?:expanded|inflated|aerated)"
# Whole statements that deny a condition without naming it.
DENIALS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "lung opacity",
        pattern(
            r"""
            (?:lungs?|hemithorax|hemithoraces)\b:?[^,:]{0,60}?(?<!not )\b(?:clear|clr);
            clear (?:and \S+ )?(?:\w+ )?lungs?
            """
        ),
    ),
    (
        "lung volume abnormal",
        pattern(
            rf"""
            lungs?\b[^,:]{{0,40}}\b(?<!not )(?:well|fully|adequately|symmetrically|normally)[ -]{_AIRED};
            lungs?\b[^,:]{{0,20}}\b(?:clear and expanded|expanded and clear|are expanded);
            (?:well|fully|normally)[ -]{_AIRED}\b[^,:]{{0,20}}\blungs?
            """
        ),
    ),
)
_NORMAL_STATEMENT = any_of(
    r"""
    (?:normal|negative|unremarkable) (?:\w+ ){0,2}(?:chest|study|examination|exam|radiograph|film);
    nad; napd; no (?:\w+ ){0,3}(?:acute|active|significant)(?: [\w,]+){0,4}?
        (?:abnormalit\w*|diseases?|process\w*|findings?|pathology)
    """
)
_OTHER_THAN_CHEST = any_of(r"bone; bony; osseous; skeletal; abdom\w+; fracture; airspace; air space")
NORMAL_CHEST = re.compile(rf"^(?!.*{_OTHER_THAN_CHEST}).*{_NORMAL_STATEMENT}")
