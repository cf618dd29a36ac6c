"""Rows that cannot be read as samples; `read.rows` says why."""

WORDS = "The row cannot be read as a sample in any known form, or a kind could not look at it."
HARM = "error"
