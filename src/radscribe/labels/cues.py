"""The words that negate a finding, put it in doubt, or only seem to.

A *cue* speaks of what follows it ("no ...", "may represent ..."), a *predicate* of what stands before it ("... is not
seen"). The tables follow the published negation and uncertainty rules of the CheXpert labeler (Irvin et al., AAAI
2019), to which "unlikely", a test's purpose ("evaluate for"), the limits of a view and everyday forms are added.
Groups in order of precedence: a doubted negation, a negation, an uncertainty; ``neutral`` looks like a cue and is none.
"""

from __future__ import annotations

import re

from radscribe.labels.conditions import NEGATIVE, UNCERTAIN
from radscribe.labels.wording import any_of, pattern

GROUP_STATES: dict[str, int] = {"doubted": UNCERTAIN, "negated": NEGATIVE, "uncertain": UNCERTAIN}

_ADVERBS = (
    "(?:(?:now|since|also|again|still|been|be|"
    "(?!clearly|fully|optimally|adequately|poorly|incompletely)[a-z]+ly) ){0,3}"
)
_SEEN = (
    "(?:seen|identified|demonstrated|present|visuali[sz]ed|visible|evident|apparent|noted|detected|found|shown|"
    "observed|suspected|recogni[sz]ed|appreciated|discernible|in evidence)"
)
# How the findings that "not" denies and a stroke joins begin.
FINDING = (
    "(?:pneumo|bronchopneumo|effusion|edema|oedema|atelecta|collaps|consolidat|opaci|air ?space|mass|nodul|lesion|"
    "fractur|infiltrat|infect|cardiomeg|chf|heart failure|congesti|scar|fibro|aspirat|contus|thicken|fluid|tumou?r|"
    "ptx|pna)"
)
_ABNORMAL = (
    "(?:enlarged|widened|elevated|dilated|tortuous|prominent|increased|large|hyperinflated|hyperexpanded|low|flattened|"
    "collapsed|consolidated|displaced|fractured)"
)
_EXCLUDE = "(?:exclude|excluded|rule out|ruled out)"
_OTHER_VIEW = "(?! (?:on|in) (?:the )?(?:prior|previous|earlier|comparison|lateral|frontal))"

# What does not change is still there; what was not seen before, or from the side, may well be.
_NEUTRAL = any_of(
    r"""
    (?:no|not|without|nor)(?: (?!or\b|degenerat|arthrit|emphysem|fibro|atelecta|inflam|infiltrat|cystic)[\w-]+){0,5}
        (?:changes?|changed|difference|improvement|progression|increase|decrease|worsening)(?! (?:to suggest|
        suggest|concerning|suspicious|consistent|compatible));
    not changed; not only; no doubt; no comparisons?; no prior; (?:in|of|from|since|on|dated|early|late) may; may \d+;
    not (?:been )?(?:yet )?(?:[a-z]+ly )?(?:resolved|cleared)
    """
)
_DOUBTED = any_of(
    rf"""
    (?:cannot|can not|could not|may not|unable to|difficult to|does not|
        do not|would not)(?: be)?(?: [\w-]+ly)?(?: be)?
        {_EXCLUDE};
    not excluding; without excluding; no (?:definite |convincing |focal |acute )?new; with or without;
    not (?:well|clearly|fully|optimally) {_SEEN}; rule[- ]out; neither (?:confirm|diagnose|establish)\w* (?:n?or)
        (?:exclude|rule out)\w*;
    (?:cannot|can not|could not|unable to|impossible to|difficult to) (?:tell|say|determine|know|be (?:certain|sure))
        (?:whether|if); (?:not|un)[ -]?(?:clear|certain|sure|known) (?:whether|if); whether(?: or not)?;
    (?:evaluate|assess|evaluation|assessment|correlate|correlation)(?: clinically)? for
    """
)
_NEGATED = any_of(
    rf"""
    (?:no|without|neither|nor|never|denies|absent|absence of|lack of|negative for|rather than|instead of|
        as opposed to)(?! longer);
    (?:free|clear|cleared) (?:of|from); clear(?= airspace| focal);
    (?<!partial )(?<!incomplete )(?<!near )(?<!near-complete )(?:resolution|disappearance|clearing) of;
    removal of; history of; ruled out(?! by);
    (?:(?<!.)|(?<=, )|(?<=and )|(?<=interval )|(?<=previously ))resolved(?! in);
    (?<!.)not {_ADVERBS}{_SEEN}(?=.* (?:is|are) );
    not (?:due|related|secondary|attributable) to; not (?:from|typical (?:of|for)|characteristic of);
    not (?:an? |any |true |acute |really |truly |actually |active |overt |frank )*(?=(?:[\w-]+ )?{FINDING});
    (?:does|do|did|is|are|was|were) not(?: [\w-]+)?
        (?:show|demonstrate|suggest|reveal|have|indicate|represent|reflect|consistent|compatible|suggestive|
        demonstrating|contain|see);
    (?:does|do) not (?:appear|seem) to;
    not(?: [a-z]+ly| overtly| much| very| so)?(?= {_ABNORMAL});
    non(?=-? ?enlarged)
    """
)
_UNCERTAIN = any_of(
    """
    may; might; could; would; possible; possibly; possibilit(?:y|ies); probable; presumably; presumed;
    questionable; questionably; question; perhaps; equivocal; suspect; suspected;
    suspicious; suspicion; worrisome; concern; concerns; concerning; favor; favors;
    favored; consider; considered; considerations?; suggestion of; differential; versus; vs; secondary to; maybe;
    indeterminate; less likely; unlikely; can be seen (?:with|in); can represent; correlate; obscuring; and/or; either
    """
)
CUES = re.compile(
    rf"(?P<neutral>{_NEUTRAL})|(?P<doubted>{_DOUBTED})|(?P<negated>{_NEGATED})|(?P<uncertain>{_UNCERTAIN})"
)

_DOUBTED_AFTER = any_of(
    rf"""
    (?:cannot|can not|could not) {_ADVERBS}(?:{_EXCLUDE}|confirmed|established|determined|assessed|evaluated);
    not (?:be |been )?(?:[\w-]+ly )?{_EXCLUDE};
    (?:is|are|was|were) (?:poorly|incompletely|suboptimally) \w+; difficult to (?:exclude|evaluate);
    not (?:well|clearly|fully|optimally)[ -]{_SEEN}
    """
)
_NEGATED_AFTER = any_of(
    rf"""
    (?:(?:is|are|was|were) )?(?:not|no longer) {_ADVERBS}{_SEEN}{_OTHER_VIEW};
    (?:is|are|was|were|has|have|had) {_ADVERBS}(?:absent|excluded|ruled out|resolved|removed|cleared|withdrawn|
        disappeared|gone);
    (?:is|are|was|were|has been|have been) {_ADVERBS}(?:negative(?! for)|out(?! of)|pulled|taken out|discontinued);
    (?:has|have|had) not {_ADVERBS}(?:recurred|returned|reappeared|re-?accumulated|developed);
    with (?:interval |complete )resolution; (?<!not )removed; (?:ruled out|excluded)(?! by)(?=$|,)
    """
)
_UNCERTAIN_AFTER = any_of(
    """
    (?:is|are|remains?|was) (?:also |felt |thought )?(?:possible|questionable|suspected|unlikely|less likely|favored|
        questioned|in question|in doubt|in the differential|(?:a |another )?(?:possibility|consideration|concern)|
        of concern|obscured);
    (?:may|might|could|can) (?:also )?(?:be (?:present|considered|seen)|have (?:a similar|this)|coexist|appear);
    less likely; unlikely; suspected
    """
)
PREDICATES = re.compile(
    rf"(?P<doubted>{_DOUBTED_AFTER})|(?P<negated>{_NEGATED_AFTER})|(?P<uncertain>{_UNCERTAIN_AFTER})"
)

# What always ends a scope.
HARD_END = re.compile(
    "[;:]|"
    + any_of(
        """
        but; however; although; though; except; excepting; aside from; apart from; other than; besides; yet; while;
        whereas; which; following; after; status post; superimposed on; in the setting of; otherwise;
        there (?:is|are|was|were|has|have); (?<!consistent )(?<!compatible )(?<!associated )(?<!seen )with
        """
    )
)
# What ends a scope only where a new statement follows, and the words that begin one.
SOFT_END = re.compile(r",|\band\b|\bas well as\b| - ")
OR = re.compile(r"\b(?:or|nor|and/or)\b|/")
NEW_STATEMENT = re.compile(
    r"[\s,]*(?:and )?(?:an? |the )?"
    + any_of(
        r"""
        (?:there|it|this|these) \w+; stable; mild; mildly; moderate; moderately; small; tiny; minimal; minimally;
        severe; persistent; unchanged; chronic; low; enlarged; increased; increasing; decreased; left; right; bilateral;
        bibasilar; bibasal; biapical; borderline; slight; slightly; subtle; possible; probable; likely; again;
        scattered; patchy; residual; improved; improving; worsening; old; healed; healing; degenerative; calcified;
        tortuous; normal; clear; heart; cardiac; cardiomegaly; lungs; tip; overlying; remote; prior; multiple; several;
        new; interval; hyperexpanded; hyperinflated; emphysema\w*; streaky; linear
        """
    )
)
NEW_NEGATION = re.compile(r"[\s,]*(?:and )?(?:no|without)\b")
FINITE_VERB = pattern("is; are; was; were; has; have; remains?; appears?; shows?; demonstrates?")
ASSERTING_VERB = re.compile(rf"{FINITE_VERB.pattern}(?! (?:also |now |clearly )?{_SEEN})")
SINGULAR_VERB = re.compile(r"(?:is|was|has)\b")
