"""Dates that a tool wants: whether they are over or to come, and which two belong together."""

from __future__ import annotations

import re

from looptool_kit.stages.seed.templates.names import words_of

_DONE = re.compile(
    r"\b(?:purchased?|issued|received|occurred|happened|incident|accident|occurrence|observed|found|lost"
    r"|sold|paid|created"
    r"|registered|submitted|filed|reported|recorded|performed|inspected|measured|administered|given|taken"
    r"|completed|acquired"
    r"|harvested|noticed|discovered|since|death|last \w+)\b"
)
"""Words of a name for what is over when it is said."""
_TO_COME = re.compile(
    r"\b(?:due|deadline|expir\w+|desired|preferred|requested|planned|needed|wanted|target|new|next"
    r"|follow ?up|appointment"
    r"|check ?in|check ?out|scheduled)\b"
)
_BOOKS = re.compile(r"(?:book|reserve|schedule|reschedule|postpone|plan|rent|arrange)\b")
"""Verbs of what is done on a later day."""
_TELLS = re.compile(r"(?:log|record|report|claim|dispute|complain)\b")
"""Verbs of what has been done before."""
_LOOKS_BACK = re.compile(
    r"\b(?:histor(?:y|ical|ian)|reports?|readings|measured|measurements|recorded|logs?|statistics|stats"
    r"|usage|consumption|transactions?|statements?|revenue|expenses|audit|past|sales"
    r"|payments|turnover|spending)\b"
)
_LOOKS_AHEAD = re.compile(
    r"\b(?:availab\w+|vacan\w+|free|forecasts?|slots?|upcoming|openings|events?|courses?|appointments?"
    r"|calendar|schedules?|timetable|shifts?|sailings?|departures?)\b"
)
_READS = re.compile(r"(?:list|get|search|find|show|export|fetch|view|check|look|query|count|summari[sz]e)\b")


def direction(words: str, told: str, context: str) -> str:
    """Return "past", "future", or nothing where nobody can be sure.

    What is not sure is today's date where it has to be said, and not said where it need not be.

    Args:
        words: The parameter's name.
        told: Its description.
        context: What the tool does, its verb first.
    """
    reads = _READS.match(context)
    past = _DONE.search(words) or _TELLS.match(context) or (reads and _LOOKS_BACK.search(context))
    future = _TO_COME.search(words) or _BOOKS.match(context) or (reads and _LOOKS_AHEAD.search(context))
    if bool(past) == bool(future):
        return ""
    return "past" if past else "future"


_RULED = re.compile(
    r"\b(?:must|only|may not|cannot|at (?:least|most)|no (?:later|earlier)|not (?:before|after)|within"
    r"|working|business"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)days?|weekdays?|weekends?|first|last|months?|quarters?"
    r"|season|weeks?|hours?"
    r"|days|years?|earlier|later|window|night|evening|sun(?:rise|set)|utc|offset|dd[./-]mm|mm/dd|unix"
    r"|epoch|seconds|relative"
    r"|default\w*|future|past|school|term|holidays?)\b"
)
_HARMLESS = re.compile(
    r"\b(?:must|should|has to) be (?:on or )?(?:after|later than) (?:the )?(?:start|begin|from|check-?in"
    r"|arrival)\w*(?: date)?"
    r"|\byyyy-mm-dd(?:t? ?hh:mm(?::ss)?)?|\b(?:first|last|earliest|latest) (?:\w+ )?(?:date|day|night)\b"
    r"|\bdefault\w*[^.;]*|\b24-?hours?(?: clock| format)?"
)


_EXAMPLE = re.compile(r"\(?\b(?:e\.?g\.?|for example|such as|like)[ ,:]+['\"`]?[\d:t-]+['\"`]?\)?")
_FORMATS = re.compile(r"\b(?:iso|rfc)[- ]?\d+(?:-\d)?\b|\b24-?hours?(?: clock| format)?|\butc\b")


def is_ruled(told: str) -> bool:
    """Tell whether a description gives days or hours a rule."""
    told = _FORMATS.sub("", _EXAMPLE.sub("", told))
    return (
        re.search(r"\d|\bbetween\b", told) is not None or _RULED.search(_HARMLESS.sub("", told)) is not None
    )


_OPEN = re.compile(
    r"\b(?:(?:mon|tues|wednes|thurs|fri|satur|sun)days?|weekdays?|(?:working|business) days?|in advance"
    r"|no later than|notice|\d+-(?:minute|hour|day)s?"
    r"|(?:min(?:imum)?|at least|at most|max(?:imum)?|up to|no more than|steps?|multiples?|increments?)\b"
    r"[^.;]{0,20}\b(?:minutes?|hours?|days?|nights?|weeks?|months?)"
    r"|\d+ (?:days?|weeks?|hours?|months?) (?:ahead|before|prior))\b"
)


def days_of_the_tool(context: str) -> bool:
    """Tell whether a tool's description says on which days it works."""
    return _OPEN.search(context) is not None


_ENDS = tuple(
    (re.compile(rf"\b(?:{first})\b"), re.compile(rf"\b(?:{last})\b"))
    for first, last in (
        (
            "start(?:s|ing)?|begins?|from|since|after|earliest|not before",
            "end(?:s|ing)?|finish|to|until|till|through|before|latest|not after",
        ),
        ("check ?in|arrival|arrive", "check ?out|departure|depart"),
        ("departure|depart|outbound|pick ?up", "return|inbound|drop ?off|arrival|arrive"),
        ("opens?|opening", "closes?|closing"),
    )
)
_BESIDE = re.compile(r"\b(?:date|time|day|at|on|month)\b")


def follows(first: str, second: str) -> int:
    """Tell which of two names begins a range that the other ends.

    1 where the first one does, -1 where it is the other way round, 0 where they are no range. Their names
    are the same but for that: `valid_from` and `valid_until` are one.
    """

    def rest(pattern: re.Pattern[str], name: str) -> str | None:
        words, found = pattern.subn("", _BESIDE.sub("", words_of(name)))
        return " ".join(words.split()) if found else None

    for start, end in _ENDS:
        for a, b, order in ((first, second, 1), (second, first, -1)):
            left, right = rest(start, a), rest(end, b)
            if left is not None and left == right:
                return order
    return 0
