"""Views of a run for notebooks; installs as `looptool_kit.widgets`. The kit itself never imports this package."""
