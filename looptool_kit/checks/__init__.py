"""Checks of written samples: rules, duplicates, contamination, a judge."""
