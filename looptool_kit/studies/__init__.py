"""Whole runs side by side: ablations, arms, the check of a judge."""
