"""The 18 conditions and their 4 states, in the order that every label vector of this project uses."""

from __future__ import annotations

CONDITIONS: tuple[str, ...] = (
    "enlarged cardiomediastinum",
    "cardiomegaly",
    "lung opacity",
    "lung lesion",
    "edema",
    "consolidation",
    "pneumonia",
    "atelectasis",
    "pneumothorax",
    "pleural effusion",
    "pleural other",
    "fracture",
    "support devices",
    "no finding",
    "aorta",
    "bone/spine",
    "hemidiaphragm",
    "lung volume abnormal",
)

# The first 14 are CheXbert's; the other four are auxiliary.
CHEXBERT_COUNT = 14
CHEXBERT_CONDITIONS = CONDITIONS[:CHEXBERT_COUNT]
# The five that CheXpert is evaluated on (Irvin et al., AAAI 2019).
FIVE_CONDITIONS = ("cardiomegaly", "edema", "consolidation", "atelectasis", "pleural effusion")

STATES: tuple[str, ...] = ("blank", "positive", "negative", "uncertain")
BLANK, POSITIVE, NEGATIVE, UNCERTAIN = range(4)

NO_FINDING = CONDITIONS.index("no finding")
SUPPORT_DEVICES = CONDITIONS.index("support devices")
