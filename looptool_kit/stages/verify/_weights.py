"""The weights of the `evidence` judge: how much each difference counts.

Change them here. Every piece of evidence gives either answer support from 0 to 1; these supports were set by
judgement, and the lines below say what order matters. What the pieces weigh together, at the end of this
file, is fitted to planted errors (`benchmarks/judge_fit.py`).
"""

from __future__ import annotations

from typing import NamedTuple

from looptool_kit.core.records import VerdictName


class Support(NamedTuple):
    """Support for the two sides of one difference."""

    own: float
    """For the answer that has the call or argument in question."""
    other: float
    """For the answer that has not."""


EVEN = 0.5
"""Support for both where a difference tells nothing."""
EVEN_PAIR = Support(EVEN, EVEN)
LIKELIHOOD = 0.15
"""Greatest difference that the policy's own likelihood shows. Greedy predictions are always likely to their
policy, so it is for a person to see and weighs nothing in the verdict.
"""

# ------------------------------------------------- two values of one argument
# A factor is put on the support of the value that loses. Of two values that are equally well said, 0.7 to 1,
# a factor of 0.4 leaves one at least 0.42 lower: the first rule that tells them apart decides.

STALE = 0.4
"""A date or time that a call has used up, while the request names another one. It stands in the dialogue; all
the same it is a copy of what a small model has just read.
"""
NEAR_COPY = 0.3
"""Of two near copies the one that is less well said, so not to the letter. A misspelling is surely wrong: a
stronger factor than 0.4.
"""
NEAR_COPY_RATIO = 0.8
"""Similarity (`difflib`) above which two texts are near copies: one letter in five or so."""
PART_OF_VALUE = 0.4
"""It stands only as a part of the other: "office" of "home office"."""
OTHER_RECORD = 0.3
"""The request means another record of a list in a result. As sure as `NEAR_COPY`: other fields say so."""
SHORTER_LIST = 0.4
"""A list without items that the other one has: what the user lists is listed whole."""
USED_ELSEWHERE = 0.4
"""It stands only where other arguments of the same answer stand, the other value has a place of its own."""
NOT_ASKED_LAST = 0.4
"""It stands in a result or an earlier turn, the other one in the last request: what is asked last counts."""
LESS_OF_A_ROLE = 0.4
"""The words around the other one speak more of the parameter ("to Rome" for `destination`)."""
SAID_OF_ANOTHER = 0.3
"""Factor for an argument that stands only inside another one of the same call: one place, two values."""

# ---------------------------------------------- an argument only one side has

UNSAID_FALSE = Support(0.45, 0.55)
"""A flag that is off, where nothing is said of it: as good as left out, and leaving it out is shorter."""
LEFT_OUT = 0.1
"""Support for the answer that leaves out a value which is said and has a place of its own. The other gets the
value's support, 0.7 or more, so this decides.
"""
MAY_BE_CHANCE = Support(0.45, 0.65)
"""The extra argument is a common word, a place already used, or a value of a result, and nothing ties it to
the parameter. Leans against it, and does not decide.
"""
FOR_LATER = Support(0.4, 0.6)
"""The extra argument is said for a later step. As weak as `MAY_BE_CHANCE`: what "then" means is unsure."""
SAID_BY_ANOTHER = Support(0.35, 0.65)
"""Another argument already uses the place. Stronger than `MAY_BE_CHANCE`, and still does not decide."""
MADE_UP = Support(0.4, 0.9)
"""Nothing supports the extra argument. `own` is the most it gets; half a point apart, this decides."""
MADE_UP_UNSURE = 0.7
"""In place of `MADE_UP.other`, where the request has words left over that may ask for a flag or a choice in
words that are not known here. 0.3 apart, this does not decide.
"""
MIN_LEFT_OVER = 2
"""Words left over from which that is so: one word may be anything."""

# ------------------------------------------------------ a call only one side has

TWICE = Support(0.15, 0.85)
"""The same call appears twice in one answer. Decides; a little less than `ALREADY_MADE`, as the schema allows
it.
"""
ALREADY_MADE = Support(0.1, 0.9)
"""The same call has been made since the user last spoke. Decides clearly."""
NOT_ASKED_FOR = 0.9
"""Support for the other answer where an argument of the call does not pass the rules. The call gets that
argument's support, below 0.5.
"""
ASKED_AS_WELL = Support(0.9, 0.1)
"""The call uses a value that is said and that the other answer leaves unused. Decides clearly."""
NOTHING_OF_ITS_OWN = Support(0.4, 0.6)
"""The call uses no such value. Leans against it, and by `FIT_OF_LONE_CALL` for it where the request speaks of
its tool; never decides.
"""
FIT_OF_LONE_CALL = 0.2
"""Moved from `other` to `own` of `NOTHING_OF_ITS_OWN` at full relevance, which turns it around exactly."""

# -------------------------------------------------------- one tool or the other

MORE_VALUES = 0.5
"""What a tool gains that takes all of the said values where the other takes none. Half of full relevance: a
tool with more parameters is not by that the right one.
"""
SURE_RELEVANCE = 0.3
"""Relevance of the better tool from which the two tools' shares count whole. Below it they are drawn towards
even: where the request speaks of neither, the share of next to nothing says little.
"""
NO_ARGUMENTS = 0.8
"""How well a call without arguments is backed: nothing in it is made up, and nothing in it is said."""

# ---------------------------------------------------------- a call or a reply

MISSING_ASKED = Support(0.1, 0.9)
"""A required value is said nowhere, and the reply asks. Decides clearly: asking is right."""
MISSING_NOT_ASKED = Support(0.1, 0.6)
"""The same, and the reply does not ask: it may be wrong too, so it gets less. Still decides."""
ASKED_ABOUT = Support(0.6, 0.4)
"""The reply asks for a value that the call has from words which do not speak of the parameter. Leans to the
call, as the value is said; does not decide.
"""
USED_UP = Support(0.2, 0.8)
"""The calls use nothing that the calls before them have not used: the work is done. Decides, below
`ALREADY_MADE`, as the calls differ.
"""
OTHER_THING = Support(0.4, 0.6)
"""The reply declines, and the request calls the thing something that the tool does not know. Does not
decide: it hangs on one noun.
"""
SPOKEN_OF = 0.1
"""Relevance from which a request speaks of a tool at all."""
MAX_CHANCE_VALUES = 2
"""Said values of a call that may fit by chance; more, or an identifier, speak against declining even where no
word of the tool is said.
"""
REFUSAL_TELLS = 0.25
"""Lean to a refusal where no tool on offer is spoken of and it says what it refuses: it has understood. Twice
this is the difference, so it decides.
"""
REFUSAL_BARE = 0.15
"""The same for a refusal that says nothing: it may be an excuse. Does not decide."""
RESULT_WITHOUT_CALL = Support(0.4, 0.1)
"""The reply speaks of a result, and nothing has been called. `own` is put on top of `EVEN`, by how well the
call is backed: with passing arguments it decides.
"""
OTHER_TOOL_ASKED = Support(0.3, 0.7)
"""The request speaks of another tool, for which the reply asks what is missing. Just short of deciding alone
(as floats 0.7 - 0.3 is below 0.4), so that the policy's likelihood may tip it.
"""
REPEATED_TOOL = 0.5
"""Factor on a tool's relevance where it was called since the user last spoke: the request may be done."""

# ------------------------------------------------------------------- decide

PRIOR: dict[VerdictName, float] = {
    "PRED_WRONG": 0.83, "LABEL_WRONG": 0.09, "BOTH_CORRECT": 0.05, "BOTH_WRONG": 0.03
}  # fmt: skip
"""Shares among failed samples before anything is weighed: about a tenth of the labels wrong. In three
finished loops 85% of the failures were the prediction's alone.
"""
MIN_LABEL_WRONG = 0.6
"""Least probability of LABEL_WRONG. A run asks for more before it replaces a label (`verify.floor`)."""
MIN_PRED_WRONG = 0.92
"""The same of PRED_WRONG, above its share: where the evidence says nothing the judge abstains."""
MIN_BOTH_CORRECT = 0.5
"""The same of BOTH_CORRECT: more likely than not."""
MIN_BOTH_WRONG = 0.5
"""The same of BOTH_WRONG, which discards the sample; something must speak against each answer as well."""
MIN_AGAINST = 0.4
"""Least difference that counts as speaking against an answer: above one weak sign (0.2), below one strong
sign (0.6).
"""
MIN_TOLD = 0.1
"""Differences below are left out of the words for a person."""

# ------------------------------------------------------- what the signs weigh
# In nats, fitted (benchmarks/judge_fit.py --write); the signs are described in `_odds`.

BETWEEN: dict[str, float] = {
    "schema": 5.26,
    "grounding": 6.07,
    "meant": 3.7,
    "left out": 2.2,
    "made up": 5.22,
    "call": 2.88,
    "repeat": 4.89,
    "tool": 5.09,
    "answer": 2.29,
    "asking": 3.03,
    "weak": 2.84,
    "unsaid": 2.27,
    "contradicted": 0.76,
}
"""For the prediction and against the label."""
BOTH_RIGHT: dict[str, float] = {
    "even": -1.77,
    "alike": 7.82,
    "telling": 1.55,
    "mutual": -0.24,
    "one-sided": 0.17,
    "asked": -0.14,
    "one broken": -0.28,
    "both broken": -0.01,
    "one unsaid": -0.23,
    "both unsaid": -0.02,
    "all said": 0.89,
    "differences": -1.33,
}
"""For two right answers."""
BOTH_FALSE: dict[str, float] = {
    "even": -0.86,
    "alike": -0.14,
    "telling": 1.48,
    "mutual": 6.15,
    "one-sided": 1,
    "asked": -3.33,
    "one broken": -1.19,
    "both broken": 3.78,
    "one unsaid": 3.29,
    "both unsaid": 5.93,
    "all said": -1.72,
    "differences": 2.67,
}
"""For two wrong answers."""
