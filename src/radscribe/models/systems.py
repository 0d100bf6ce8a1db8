"""The table of report systems: a recipe's ``model.method`` names a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from radscribe.models.mcsam import Mcsam, McsamConfig
from radscribe.models.report_model import ModelConfig, ReportModel
from radscribe.models.revtaf import Revtaf, RevtafConfig


class SystemKind(NamedTuple):
    """A row: the configuration that a recipe states under ``model``, and the network that it configures."""

    config: type[ModelConfig]
    model: type[ReportModel]


# The first row is what a recipe means that names no method.
SYSTEMS: Mapping[str, SystemKind] = {
    "revtaf": SystemKind(RevtafConfig, Revtaf),
    "mcsam": SystemKind(McsamConfig, Mcsam),
}
