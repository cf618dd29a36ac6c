"""Settings of a run and the presets that fill them.

A preset is a TOML file in `looptool_kit/presets/`; a run keeps its own full copy in `run.toml`, which may be
edited. Unknown names are errors.
"""

from looptool_kit.config.load import (
    deciding,
    dump_settings,
    is_list,
    load_preset,
    load_settings,
    parse_settings,
    presets,
    section_of,
    with_overrides,
)
from looptool_kit.config.sections import (
    EngineName,
    GrpoSettings,
    LoraSettings,
    ProbeSettings,
    Settings,
    SftSettings,
)
from looptool_kit.config.strategies import (
    EpisodeSettings,
    FissionSettings,
    PairsSettings,
    PreferenceSettings,
    RewardSettings,
    TargetSettings,
)

__all__ = [
    "EngineName",
    "EpisodeSettings",
    "FissionSettings",
    "GrpoSettings",
    "LoraSettings",
    "PairsSettings",
    "PreferenceSettings",
    "ProbeSettings",
    "RewardSettings",
    "Settings",
    "SftSettings",
    "TargetSettings",
    "deciding",
    "dump_settings",
    "is_list",
    "load_preset",
    "load_settings",
    "parse_settings",
    "presets",
    "section_of",
    "with_overrides",
]
