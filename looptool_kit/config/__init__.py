"""Settings of a run and the presets that fill them.

A preset is a TOML file in `looptool_kit/presets/`; a run keeps its own full copy in `run.toml`, which may be
edited. Unknown names are errors.
"""

from looptool_kit.config.load import (
    deciding,
    dump_settings,
    load_preset,
    load_settings,
    parse_settings,
    presets,
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

__all__ = [
    "EngineName",
    "GrpoSettings",
    "LoraSettings",
    "ProbeSettings",
    "Settings",
    "SftSettings",
    "deciding",
    "dump_settings",
    "load_preset",
    "load_settings",
    "parse_settings",
    "presets",
    "with_overrides",
]
