"""Whether a date that a tool wants is one of the past."""

from __future__ import annotations

import re

_DONE = re.compile(
    r"\b(?:created|updated|modified|changed|since|issued|purchased?|recorded|observed|posted|paid|sold|received|joined"
    r"|hired|founded|installed|invoiced|completed|inspected|reported|occurred|happened|measured|taken|logged|died"
    r"|acquired|brewed|visited|harvested|caught|baked|collected|filed|seen|noticed|infected|found|lost|uploaded"
    r"|submitted|registered|first registered|administered|given|discovered|built|spent|ridden"
    r"|death|deceased|mail(?:ed|ing)? date|postmark"
    r"|last (?:visit|seen|service|login|update)|first registration|manufactur\w+|production date)\b"
    r"|^as of$|^arrived$|^read(?: on| at)?$|\breading date$|^(?:bought|sold|died|started) on$"
)
_TO_COME = re.compile(
    r"\b(?:availab\w+|forecast\w*|upcoming|future|slots?|book\w*|reserv\w+|schedul\w+|calendar|events?|flights?"
    r"|trains?|hotels?|rooms?|trips?|weather|due|deadlines?|meetings?|appointments?|departures?|shows?|tours?"
    r"|class|classes|sessions?|expir\w+|shifts?|plan\w*|tides?|menus?|rent\w*|rates?|quotes?|routes?|remind\w*"
    r"|next|free|open|vacan\w+|timetable|concerts?|tickets?|courses?|sunrise|sunset|moon|holidays?)\b"
)
_LOGGING = re.compile(r"\b(?:logs?|records?|recorded|reconcile|audit|expenses?|refuel\w*)\b")
_LOOKING_BACK = re.compile(
    r"\b(?:list|get|search|find|show|export|summari[sz]e|reports?|statistics|stats|fetch|retrieve|returns?|count|query"
    r"|pull|usage|history)\b.*\b(?:orders|payments|shipments|messages|e-?mails|commits|measurements|incidents"
    r"|tickets|complaints|returns|refunds|visits|transactions|invoices|expenses|sales|revenue|readings|history"
    r"|statistics|stats|usage|spending|logs?|purchases|donations|reviews|emissions|consumption|progress|report)\b"
)


def is_over(words: str, description: str, context: str) -> bool:
    """Whether a date is one of the past.

    By its name, since the tool keeps records, or since it begins or ends a range of what is looked up.
    """
    told = f"{words} {description.lower()}"
    if re.search(r"\b(?:call ?back|follow ?up|remind\w*)\b", words) or re.search(
        r"\b(?:future|upcoming|due|expir\w+|planned|scheduled|next|expected)\b", told
    ):
        return False
    if _DONE.search(words):
        return True
    if _READS.match(context) and re.fullmatch(r"\w+ed (?:since|after|before)", words):
        return True
    if (done := re.fullmatch(r"(\w+ed) (?:on|at|since|after|before|date)", words)) and done[1] not in (
        "needed", "required", "wanted", "desired", "requested", "delivered", "started", "ended",
    ):  # fmt: skip
        return True
    if re.search(r"\breports?\b(?! an?\b)", context.partition("\n")[0]) and words in _ENDS_OF_A_RANGE:
        return True
    if _TO_COME.search(f"{context} {told}"):
        return False
    ranged = re.fullmatch(
        r"(?:from|to|since|until|start|end|after|before|begin)(?: (?:date|day|time))?"
        r"|(?:date|day) (?:from|to)",
        words,
    )
    return bool(
        _LOGGING.search(context)
        or _LOOKING_BACK.search(context)
        or re.search(r"\bhistor(?:y|ical)\b", told)
        or (ranged and _READS.search(context))
    )


_ENDS_OF_A_RANGE = (
    "from",
    "to",
    "since",
    "until",
    "start",
    "end",
    "start date",
    "end date",
    "from date",
    "to date",
)
_READS = re.compile(
    r"\b(?:list|get|search|find|show|export|summari[sz]e|reports?|fetch|retrieve|returns?|count|query|pull|read)\b"
)
