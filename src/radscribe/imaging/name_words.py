"""Words that may stand where a header has a name but identify nobody."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What replaces a name in files that are already de-identified.
PLACEHOLDERS = _words(
    """
    anonymous anonymized anonymised anonym anon patient name unknown test none null removed deidentified xxx xxxx
    """
)

# Words before a family name that are no part of it alone.
PARTICLES = _words(
    """
    von vom van der den de del dela della dello dei degli delle di da dal dalla do dos das du des la le los las les lo
    el al ul bin binti bint ibn zu zum zur ter ten te af av
    """
)
# Other beginnings of family names that some write as a word of their own: Mac Donald, St Clair, Ben Ali, O Brien.
BEGINNINGS = _words("mac mc fitz saint sainte st ste san santa ben abu abou abd abdul abdel d l o")

# Names that are words of reports, or of any text: English, then German, French, Spanish and Portuguese, Italian.
ORDINARY = _words(
    """
    small little large big great long short young old good best strong white black brown green grey gray red
    gold rose early late may will march april june august mark day summer winter north south east west bone rib
    heart hart chest lung spine head foot hand arm neck bell ball case page line lines field fields hill wall
    hall bush wood woods stone sharp light bright dark clear normal stable still just full high low lower upper
    middle mid left right new more moore much many wise read reading price rice rich power rush lake bank park
    port ray film view views base bases cross wedge tube ring tip marks man major minor coarse fine frank grade
    stent block blunt dense drain post love hope limit limits size space apex top area region level position
    process present prior past since age aged soft free firm marked mild moderate severe acute chronic active
    negative positive significant change changes typical slight given known seen noted done loss body tissue
    disease failure finding findings question patient image images side sided contour density mass lobe lobar
    hernia edema air disc dome trace fusion contrast clip clips lead leads wire wires pin crack bass pleura
    aorta and the for not was has had are were with from than then this that these those there here one two
    three did does can could might must should would been being see some any all both each only also very most
    same other none less no
    klein gross lang kurz weiss schwarz rot alt neu jung herz rippe lunge links rechts oben unten ohne mit und
    petit grand blanc noir gros coeur gauche droit haut bas sans avec bon grande blanco delgado izquierdo
    derecho costa corazon alto bajo bueno pequeno leve bravo sin con piccolo grosso bianco basso cuore polmone
    destro sinistro
    """
)
