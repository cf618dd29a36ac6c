"""The kinds of finding: one file each, whose name is the kind's.

A kind has `WORDS` (what it finds, for the help), `HARM` (how grave it can be at the most, however precise it
is), and a function:

- `look(view) -> Iterator[Found]` for kinds that show in one sample, or
- `across(views, against) -> Iterator[tuple[int, Found]]` for those that show between samples, with the place
  of the sample in `views`; `against` are somebody's own test samples, None where none are given.

Its severity is `HARM` or less: what it was measured to be worth stands in `merits.json`.
"""
