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
    "(?!clearly|fully|optimally|adequately|poorly|incompletely|part|near|most|large)[a-z]+ly) ){0,3}"
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
    "(?:enlarged|widened|wide|broad|elevated|dilated|tortuous|prominent|increased|large|big|hyperinflated|"
    "hyperexpanded|low|flattened|collapsed|consolidated|displaced|fractured)"
)
_EXCLUDE = "(?:exclude|excluded|rule out|ruled out)"
# Behind none of these is something gone altogether.
_NOT_PART = "".join(
    f"(?<!{words} )"
    for words in (
        "partial",
        "incomplete",
        "near",
        "near[- ]complete",
        "nearly complete",
        "almost complete",
        "not",
        "never",
        "not yet",
        "partly",
        "partially",
        "nearly",
        "almost",
        "mostly",
        "largely",
    )
)
_EXCEPT_PLACE = (
    "(?:except|other than|apart from|aside from|save)(?: for)? (?:in|at|within|over|along|an?|tiny|small|trace)"
)
_OTHER_VIEW = "(?! (?:on|in) (?:the )?(?:prior|previous|earlier|comparison|lateral|frontal))"

# What does not change is still there; what was not seen before, or from the side, may well be.
_NEUTRAL = any_of(
    rf"""
    (?:no|not|without|nor)(?: (?!or\b|degenerat|arthrit|emphysem|fibro|atelecta|inflam|infiltrat|cystic)[\w-]+){{0,5}}
        (?:changes?|changed|difference|improvement|progression|increase|decrease|worsening|growth)(?! (?:to suggest|
        suggest|concerning|suspicious|consistent|compatible));
    no enlargement of (?:the |this )?(?:[\w-]+ ){{0,2}}(?:nodule|mass|lesion|effusion|opacity|pneumothorax);
    not changed; not only; not without; not (?:\w+ )?(?:free|clear) (?:of|from);
    no (?:longer any |reason to )?(?:doubt|question);
    no comparisons?; no prior; (?:in|of|from|since|on|dated|early|late) may; may \d+;
    not (?:been )?(?:yet )?(?:[a-z]+ly )?(?:resolved|cleared);
    (?<!.)not {_SEEN} (?:before|previously|on (?:the )?prior);
    (?:no|without)(?: (?!or\b)[\w-]+){{1,5}},? {_EXCEPT_PLACE}(?!.*{FINDING})
    """
)
_DOUBTED = any_of(
    rf"""
    (?:cannot|can not|could not|may not|unable to|(?:difficult|impossible|hard) to|does not|do not|
        would not)(?: be)?(?: [\w-]+ly)?(?: be)? {_EXCLUDE};
    not excluding; without excluding; (?:no (?:\w+ )?)?exclusion of; failure to {_EXCLUDE};
    (?<=to )(?:exclude|rule out);
    (?<!.)not (?:excluded|ruled out)(?: is| are|: ?); no evidence against; nothing (?:rules out|excludes);
    rule[- ]out; with or without; no (?:definite |convincing |focal |acute )?new;
    not (?:well|clearly|fully|optimally) {_SEEN};
    neither (?:be )?(?:confirm|diagnose|establish|prove)\w* (?:n?or) (?:be )?(?:exclude|rule|ruled)\w*(?: out)?;
    (?:cannot|can not|could not|unable to|(?:difficult|impossible|hard) to) (?:tell|say|determine|know|
        be (?:certain|sure|confident))(?: whether| if| that)?;
    (?:not|un)[ -]?(?:clear|certain|sure|known) (?:whether|if|that); whether(?: or not)?;
    (?:evaluate|assess|evaluation|assessment|correlate|correlation)(?: clinically)? for
    """
)
_NEGATED = any_of(
    rf"""
    (?:no|without|neither|nor|never|denies|absence of|lack of|negative for|rather than|instead of|
        as opposed to)(?! longer);
    (?<!is )(?<!are )(?<!was )(?<!were )absent; nothing; zero; 0(?= {FINDING}); nowhere; none of; fail(?:s|ed)? to \w+;
    (?:rules|ruling) out; excludes; can (?:safely |confidently )?{_EXCLUDE};
    no longer (?:an?|any|the|has|have|shows?|demonstrates?|contains?); no longer(?= {_ABNORMAL});
    (?:free|clear|cleared|devoid) (?:of|from); clear(?= airspace| focal); non-?visuali[sz]ation of;
    {_NOT_PART}(?:resolution|disappearance|clearing|clearance) of;
    removal of; (?<!.)removed(?= (?:is|are)); history of; ruled out(?! by);
    (?:(?<!.)|(?<=, )|(?<=: )|(?<=and )|(?<=interval )|(?<=previously ))resolved(?! in);
    (?<!.)(?:not|no longer) {_ADVERBS}{_SEEN}(?:(?=.* (?:is|are) )|[^:]{{0,30}}: ?);
    not (?:those of|that of|consistent|compatible|suggestive|indicative|suspicious|concerning|diagnostic);
    not (?:been )?(?:\w+ )?(?:evidence|signs?|features?|findings?|development) (?:of|for);
    not (?:due|related|secondary|attributable) to; not (?:from|typical (?:of|for)|characteristic of);
    not (?:an? |any |[a-z]+ly |true |acute |active |overt |frank )*(?=(?:[\w-]+ )?{FINDING});
    (?:does|do|did|is|are|was|were) not(?: [\w-]+)?
        (?:show|demonstrate|suggest|reveal|have|indicate|represent|reflect|consistent|compatible|suggestive|
        demonstrating|contain|see|find|identify);
    (?:cannot|can not|could not|unable to) (?:see|find|identify|detect|appreciate|visuali[sz]e);
    (?:does|do) not (?:appear|seem|look)(?: to(?: be)?| like)?;
    not(?: [a-z]+ly| overtly| much| very| so)?(?= {_ABNORMAL});
    non(?=-? ?enlarged)
    """
)
_UNCERTAIN = any_of(
    rf"""
    may; might; could; would; possible; possibly; possibilit(?:y|ies); potential; potentially; probable; presumably;
    presumed; questionable; questionably; question; query; perhaps; equivocal; uncertain; doubt; doubtful; suspect;
    suspected; suspicious; suspicion; susp; worrisome; concern; concerns; concerning; favor; favors; favored; consider;
    considered; considerations?; suggestion of; differential; versus; vs; secondary to; maybe; indeterminate;
    (?:more|less) likely than; (?<!other )than(?: with)?(?= (?:[\w-]+ )?{FINDING}); less likely; unlikely;
    can be seen (?:with|in); can represent; correlate; obscuring;
    and/or; either
    """
)
CUES = re.compile(
    rf"(?P<neutral>{_NEUTRAL})|(?P<doubted>{_DOUBTED})|(?P<negated>{_NEGATED})|(?P<uncertain>{_UNCERTAIN})"
)

_DOUBTED_AFTER = any_of(
    rf"""
    (?:cannot|can not|could not) {_ADVERBS}(?:{_EXCLUDE}|confirmed|established|determined|assessed|evaluated|proven|
        guaranteed|assured);
    (?:(?:can|is|are|was|were) )?neither (?:be )?(?:confirmed|proven|established) nor (?:excluded|ruled out);
    not (?:be |been )?(?:[\w-]+ly )?{_EXCLUDE}; not (?:[\w-]+ly )?absent; rule out(?=$);
    (?:is|are|was|were) not (?:certain|assured|guaranteed|established|confirmed|proven|impossible);
    (?:is|are|was|were) (?:poorly|incompletely|suboptimally) \w+;
    (?:difficult|impossible|hard) to (?:exclude|evaluate|rule out); not (?:well|clearly|fully|optimally)[ -]{_SEEN}
    """
)
_NEGATED_AFTER = any_of(
    rf"""
    (?:(?:is|are|was|were) )?(?:not|no longer) {_ADVERBS}{_SEEN}{_OTHER_VIEW};
    (?:is|are|was|were|has|have|had) {_ADVERBS}(?:absent|excluded|ruled out|resolved|removed|explanted|cleared|subsided|
        vanished|reabsorbed|disappeared|gone|withdrawn(?! (?:in|to|into|by|slightly|\d)));
    (?:is|are|was|were|has been|have been) {_ADVERBS}(?:negative(?! for)|out(?! of)|pulled(?! back)|taken out|
        discontinued);
    (?:has|have|had) not {_ADVERBS}(?:recurred|come back|returned|reappeared|re-?accumulated|developed);
    (?:does|do|did) not persist; with (?:interval |complete )resolution; (?<!not )removed;
    {_NOT_PART}(?:resolved|subsided|vanished)(?=$|,| after| following| since);
    (?:ruled out|excluded)(?! by)(?=$|,); (?<!ruled )out(?=$|,); neg(?:ative)?(?=$|,)
    """
)
_UNCERTAIN_AFTER = any_of(
    """
    (?:is|are|remains?|was) (?:also |felt |thought )?(?:possible|questionable|suspected|unlikely|less likely|favored|
        questioned|in question|in doubt|in the differential|(?:a |another )?(?:possibility|consideration|concern)|
        of concern|obscured);
    (?:may|might|could|can|should) (?:also )?(?:be (?:present|considered|seen)|have (?:a similar|this)|coexist|appear);
    less likely; unlikely; suspected; (?<!as )possible(?=$|,)
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
        save;
        whereas; which; following; after; status post; superimposed on; in the setting of; otherwise;
        (?<!whether )(?<!if )(?<!sure )(?<!certain )(?<!that )there (?:is|are|was|were|has|have);
        (?<!consistent )(?<!compatible )(?<!associated )(?<!seen )(?<!possibly )with
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
        new; interval; hyperexpanded; hyperinflated; emphysema\w*; streaky; linear; only; positive for
        """
    )
)
# "No pneumothorax, effusion on the left": a place is given to what is there.
PLACED = pattern(r"on the (?:left|right); in place; in situ")
NEW_NEGATION = re.compile(r"[\s,]*(?:and )?(?:no|without)\b")
FINITE_VERB = pattern("is; are; was; were; has; have; remains?; persists?; appears?; shows?; demonstrates?")
ASSERTING_VERB = re.compile(rf"{FINITE_VERB.pattern}(?! (?:also |now |clearly )?{_SEEN})")
SINGULAR_VERB = re.compile(r"(?:is|was|has)\b")
