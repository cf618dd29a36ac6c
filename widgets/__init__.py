"""Views of a run for notebooks; installs as `looptool_kit.widgets`. The kit itself never imports this package."""

from looptool_kit.widgets.settings import settings_form as settings_form
