"""The scores of grounding: how far each wording supports a value.

Change them here. A score runs from 0 (nothing supports the value) over 0.5 (cannot tell) to 1 (it is said).
No score is fitted to data: each was set by judgement, and the tests of grounding and of the judge bound what
they decide together. What matters is their order, and on which side of a threshold they lie. The lines below
say which.
"""

from __future__ import annotations

# ---------------------------------------------------------------- thresholds

CANNOT_TELL = 0.5
"""Nothing speaks for or against a value. The least support that the rule tier lets pass."""
SAID_THRESHOLD = 0.7
"""From here on a value counts as said, and its place as used. Above `PART_OF_DATE`, `IN_MONTH`, `INITIALS`:
these may be chance. At most `SECOND_DATE_READING`: people do mean the second reading.
"""
PLAIN_THRESHOLD = 0.9
"""From here on the schema is not asked, so that a default which is also said counts as said."""
NAMED_THRESHOLD = 0.85
"""From here on a choice is named by its own words. Between `WORD_FAMILY`, which two choices may share, and
`SYNONYM`.
"""

# -------------------------------------------------------- anything, by schema

UNSAID = 0.0
"""Nothing in the dialogue says so, although it could."""
EXACT = 1.0
"""The value itself is said, in any form of it that has one reading."""
ONLY_VALUE = 1.0
"""The schema allows no other value."""
DEFAULT = 0.75
"""The schema's default. It needs no words, so it is above `SAID_THRESHOLD`; below `PLAIN_THRESHOLD`."""

# ------------------------------------------------------------------- numbers

OTHER_READING = 0.9
"""The second reading of a number: 20% as 0.2. Nearly as good as the first, and it must lose against one."""
SHARE_AS_PERCENT = 0.9
"""0.2 is said, and the parameter counts percent: 20. As sure as the other direction, `OTHER_READING`."""
ORDINAL = 0.75
""""The third item" for 3. Said, and below a cardinal: "first" and "second" have other uses."""
UNNAMED_UNITS = {"minute": 0.8, "hour": 0.7, "day": 0.6}
"""A duration counted in a unit that neither its own words nor the parameter name. Tools count short times in
minutes most often, so minutes come first; days do not reach `SAID_THRESHOLD`.
"""
PART_OF_DATE = 0.6
"""A number that stands inside a date or time, as the year does. It passes, and is not counted as said."""
CODED = 0.75
"""The description gives this number to a word that is said: "2 ironing". Said, and in other words."""
WORKED_OUT = 0.75
"""A number that follows from what is said: "5 ft 10" as 70 inches. Said, and below one that stands there."""
BEYOND_BOUND = 0.55
"""The last whole number within a bound: 4 for "less than 5". It passes, and is not counted as said."""
UNSAID_ZERO = 0.5
"""An unsaid zero: a start, an offset, nothing more. `CANNOT_TELL`."""
ARTICLE = 0.5
""""A" and "another" may mean one: as good as `CANNOT_TELL`."""

# ----------------------------------------------------------- dates and times

SECOND_DATE_READING = 0.7
"""The second reading of a date: "next Friday" as the one that comes first. Just said."""
LATER_DATE_READING = 0.4
"""The third reading or a later one. Below `CANNOT_TELL`: with two likelier days it does not pass."""
ANY_YEAR = 0.9
"""Day and month are said, no year, and nobody says what day it is."""
FILLED_TIME = 0.6
"""The first or last minute of a day of which only the date is said. It passes, and is not counted as said."""
IN_MONTH = 0.6
"""Only the month is said. It passes, and is not counted as said."""
UNKNOWN_DAY = 0.5
"""A relative day is said ("tomorrow"), and nobody says what day it is: `CANNOT_TELL`."""
UNSAID_TODAY = 0.5
"""Today, where no day is said: often meant, never said. `CANNOT_TELL`."""
BESIDE_DATE = 0.9
"""A bare day number close to a date of that month: the 7 of "from December 4 to 7"."""
BY_DURATION = 0.8
"""A date or time that a duration reaches from one that is said: the end of a stay of three nights. It is
worked out, so it is below what is said, and above `SAID_THRESHOLD`.
"""
HALF_DAY_SAID = 0.95
"""A bare hour, read as the half of the day that the passage speaks of: "seven" beside "dinner"."""
HALF_DAY_WRITTEN = 0.9
"""A bare hour that stands as `HH:MM` with two digits, as a day of 24 hours is written."""
HALF_DAY_OPEN = 0.8
"""A bare hour, and nothing tells the half of the day. Either reading is said."""
HALF_DAY_WRITTEN_OTHER = 0.65
"""The time twelve hours off is what stands with two digits. Below `SAID_THRESHOLD`, and it passes."""
HALF_DAY_DENIED = 0.55
"""The passage speaks of the other half of the day. The lowest that passes: the words may be about another
time.
"""
LESS_AS_HOUR = 0.15
"""Taken off where a plain number is read as an hour. With it an open half is not counted as said, and a
denied half does not pass.
"""

# ------------------------------------------------------------------- strings

WITHOUT_ARTICLE = 0.95
"""All its words but a leading "the" stand in a row. Below `EXACT` alone."""
CURRENCY_SIGN = 0.95
"""The code of a currency whose sign or name is said: USD by "$"."""
NUMBER_AS_TEXT = 0.95
"""A number said in another form than the text's: "four" for "4"."""
SYNONYM = 0.9
"""One of the listed synonyms (`words.SYNONYMS`) is said. Below the value's own words."""
PLACE_COMPLETED = 0.8
"""A place that is said, with the state or country that the parameter asks for and nobody says. Said, and less
sure than what stands there.
"""
OTHER_NOTATION = 0.5
"""A command, a query or a formula of which some words are said. How it is written nobody says:
`CANNOT_TELL`.
"""
ALL_WORDS = 0.85
"""All its words are said, not in a row. Said, and below any phrase."""
LISTED_FAMILY = 0.6
"""A word of the family of a choice that only the description lists: "vaporizing" for "vaporization". It
passes, and is not counted as said.
"""
LANGUAGE_OF_TEXT = 0.6
"""The language in which the user writes. It passes, and is not counted as said."""
INITIALS = 0.6
"""Capitals that are the initials of words in a row. They pass, and are not counted as said."""
PART_OF_MENTION = 0.5
"""It stands only inside another value, as 32615 in PL-32615: `CANNOT_TELL`."""
LONG_TEXT_SHARE = 0.7
"""Times the share of its words that are said, for a text of more than `SHORT_TEXT_WORDS`. A free text may be
put in other words: it passes from 5 of 7 words on, and never counts as said.
"""
SHORT_TEXT_SHARE = 0.4
"""The same for a short text: a name of which a word is missing never passes."""
SHORT_TEXT_WORDS = 4
"""A text of up to so many words is taken for a name."""
WRONG_KIND = 0.3
"""A date or time for a parameter that speaks of none, or an identifier without a digit. Does not pass; not
lower, because descriptions leave much unsaid.
"""
NAMES_NOTHING = 0.2
"""Only words such as "the", "please", "find". Lower than `WRONG_KIND`: it is not a value at all."""
WRONG_SHAPE = 0.1
"""Not of the form that the description asks for. Just above `UNSAID`: the schema itself denies it."""

# ------------------------------------------------------------------- choices

WORD_FAMILY = 0.75
"""Words of the same families as all of the choice's words are said: "reserve" for "reservation". Said; below
`NAMED_THRESHOLD`, as another choice may be of the family too.
"""
PART_OF_OTHER_CHOICE = 0.3
"""It stands only inside what names another choice: "weekly" by the "weeks" of "every two weeks". Does not
pass.
"""
OTHER_CHOICE_NAMED = 0.2
"""It is not said, and the request names another choice. Lower than `PART_OF_OTHER_CHOICE`, of which at least
a part is said.
"""

# --------------------------------------------------------- flags and nothing

FLAG_NAMED = 0.4
"""Added to `CANNOT_TELL` where the user names a flag and means this value, taken off where the opposite is
meant. Large enough to count as said, or not to pass.
"""
FLAG_DESCRIBED = 0.25
"""The same for a word of the flag's description, which may be there for another reason: less than
`FLAG_NAMED`.
"""
NOTHING_NAMED = 0.85
"""The user speaks of the parameter with a "no" or an "any" close by: nothing is meant."""
NOTHING_SOMEWHERE = 0.6
"""A "no" or an "any" stands somewhere in what the user says. Passes, and does not count as said."""
