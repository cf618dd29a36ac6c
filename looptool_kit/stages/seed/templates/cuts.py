"""Where a description ends to say what a tool does, and begins to explain."""

from __future__ import annotations

import re

from looptool_kit.stages.seed.templates import lexicon as lex

_TAIL = re.compile(
    r"(?:[,;:]| - | – |(?<!\ba)(?<!\ban)(?<!\bthe) given | based on | according to | so that"
    r"| (?:(?:in|for|on|at|by|to|of|from|with|during) )?which | whose"
    r" | that (?!day|are \w+\b|is \w+\b|(?!(?:can|may|must|should|will|has|have|was|were)\b)"
    r"[^,]{1,40}(?:$|,))"
    r"| or (?:for|in|of|from|on|at) "
    r"| (?:until|before|within|after|up to|at least|at most) (?:\d|one |two |three )"
    r"| if | when | where | used to | (?:you|I) (?:want|wish|need) to "
    r"| (?:and )?optionally | (?:fully|partly|partially|wholly)\b| returning"
    r"| and (?:then )?(?:return|get|give|provide|show)s? | along with |"
    r" including | as well as"
    r"| using (?:the|a|an|its|their) | by (?:its|their|the|name|id|providing|specifying|\w+ing)\b"
    r"| with (?:the )?(?:given|specified|provided|optional|following|its|various)\b"
    r"| (?:from|in|to) (?:the|a) (?:database|system|server|api|store|catalog(?:ue)?)\b| via | through ).*$",
    re.IGNORECASE,
)


def cut(text: str) -> str:
    """The text up to where it begins to explain."""
    text = re.sub(r" up or down$", "", text)
    # "Trace a lot back to vessel, catch area and landing": less than all of them is something else.
    text = _ENUMERATION.sub("", text)
    short = _TAIL.sub("", text).strip()
    short = _SECOND_CLAUSE.sub("", short)
    if owned := re.fullmatch(
        r"(.*\w)'s (properties|attributes|fields|settings|data|details|information|info)", short
    ):
        short = (
            owned[1]
            if owned[2] in ("properties", "attributes", "fields")
            else f"the {owned[2]} of {owned[1]}"
        )
    return without_loose_end(short) if short else text.strip()


_ENUMERATION = re.compile(
    r"(?: back)? (?:to|for|by|from) [\w-]+(?: [\w-]+)?(?:, (?!given|with|in|for|which|to)[\w-]+(?: [\w-]+)?)+"
    r",? (?:and|or) .*$"
)


_SECOND_CLAUSE = re.compile(
    r" and (?:then |also )?(?!the |an? |its? |all |any |my |their )[a-z]+"
    r" (?:the|it|its|them|their|an?|all) .*$"
)
"""Another thing that the tool does: "make it visible and send the newsletter"."""


_LOOSE = re.compile(
    r"\s+(?:belonging|brought|held|kept|sent|taken|found|specified|identified|used|associated|made|owned|located|contained|related"
    r"|linked|attached|registered|given|assigned|according|based|matching|sorted|filtered|provided|available|and|or|an?|the"
    r"|at|by|for|from|of|to|with)$"
)


def without_loose_end(text: str) -> str:
    """Drop a last participle or word that nothing follows.

    As in "a list of lamps belonging".
    """
    while (shorter := _LOOSE.sub("", text)) != text:
        text = shorter
    return text


_HEAD = re.compile(r" (?:for|of|in|at|from|to|on|by|with|about) ")


def head_of(text: str) -> str:
    """What stands before the first preposition: "the late fee" of a member."""
    return _HEAD.split(text)[0]


_QUESTION = re.compile(
    r"\s*(?:is|are|was|were|am|can|could|has|have|had|will|would|should|may|might|who|what|when"
    r"|where|which|why|how)\b|\s*(?:do|does|did)\b.*[?]",
    re.IGNORECASE,
)
_OF_THE_TOOL = re.compile(r"\s*(?:please )?(?:use|call|invoke|prefer) (?:this|it|when|only)\b", re.IGNORECASE)
"""What a description says of the tool, and not what the tool does: "Use this when somebody asks"."""


def says_nothing_of_it(description: str) -> bool:
    """Tell whether a description asks, or says when to use a tool."""
    about_it = _OF_THE_TOOL.match(description) and not lex.LEADS.match(description)
    return bool(about_it or _QUESTION.match(description))
