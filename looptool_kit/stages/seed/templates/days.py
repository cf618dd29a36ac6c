"""Dates that a tool wants: whether they are over or to come, and which two belong together."""

from __future__ import annotations

import re

from looptool_kit.stages.seed.templates.names import words_of

_DONE = re.compile(
    r"\b(?:created|updated|modified|changed|since|issued|purchased?|recorded|observed|posted|paid|sold|received|joined"
    r"|hired|founded|installed|invoiced|completed|inspected|reported|occurred|happened|measured|taken|logged|died"
    r"|acquired|brewed|visited|harvested|caught|baked|collected|filed|seen|noticed|infected|found|lost|uploaded"
    r"|submitted|registered|first registered|administered|given|discovered|built|spent|ridden"
    r"|death|deceased|histor\w+|incoming|born|paid|departed|occurrence|booked on"
    r"|mail(?:ed|ing)? date|postmark"
    r"|last (?:visit|seen|service|login|update)|first registration|manufactur\w+|production date)\b"
    r"|^as of$|^arrived$|^read(?: on| at)?$|\breading date$|^(?:bought|sold|died|started) on$"
)
_TO_COME = re.compile(
    r"\b(?:availab\w+|forecast\w*|upcoming|future|slots?|book\w*|reserv\w+|schedul\w+|calendar|events?|flights?"
    r"|trains?|hotels?|weather|due|deadlines?|meetings?|appointments?|departures?|tours?"
    r"|class|classes|sessions?|expir\w+|shifts?|tides?|menus?|remind\w*|postpone"
    r"|deliver\w*|pick ?up"
    r"|next|vacan\w+|timetable|concerts?|sunrise|sunset|moon|holidays?)\b"
)
_LOGGING = re.compile(r"\b(?:histor(?:y|ical)|logs?|records?|recorded|reconcile|audit|expenses?|refuel\w*)\b")
_RECORDS = re.compile(
    r"(?:\w+ ){0,2}(?:correct|claim|complain|dispute|log|rate|record|refund|reimburse|report)\b"
)
"""Names of tools that are told of what has happened."""
_LOOKING_BACK = re.compile(
    r"\b(?:list|get|search|find|show|export|summari[sz]e|reports?|statistics|stats|fetch|retrieve|returns?|count|query"
    r"|pull|usage|history|download|print)\b.*\b(?:orders|payments|shipments|messages|e-?mails|commits|measurements|incidents"
    r"|tickets|complaints|returns|refunds|visits|transactions|invoices|expenses|sales|revenue|readings|history"
    r"|statistics|stats|usage|spending|logs?|purchases|donations|reviews|emissions|consumption|progress|report|statements?|bills?|payslips?)\b"
)


_AHEAD = re.compile(
    r"\b(?:due|deadline|expir\w+|scheduled?|appointment|effective|valid (?:from|until|to)|next|upcoming"
    r"|future|planned|desired|preferred|wanted|needed|requested|target|deliver\w*|pick ?up|departure"
    r"|check ?(?:in|out)|arrival|return date|renew\w*|remind\w*|follow ?up|slot|latest|earliest"
    r"|not (?:before|after)|opens?|opening|closes?|closing|launch|publish|go live|execut\w+|entry date"
    r"|moving in|move (?:in|out)|until|starts?|begins?)\b|^by$"
)
_HAPPENED = re.compile(r"\b(?:has|have|had|was|were) (?:not )?(?:been )?\w+(?:ed|en|wn|de|id|st|nt|ld)\b")


def direction(words: str, description: str, context: str) -> str:
    """Return "past", "future", or nothing where nobody can tell.

    What is not known is today's date where it has to be said, and not said where it need not be.
    """
    if is_over(words, description, context):
        return "past"
    told = f"{words} {description.lower()}"
    return "future" if _AHEAD.search(told) or _TO_COME.search(f"{told} {context}") else ""


_ENDS = tuple(
    (re.compile(rf"\b(?:{first})\b"), re.compile(rf"\b(?:{last})\b"))
    for first, last in (
        (
            "start(?:s|ing)?|begins?|from|since|after|earliest|not before|min(?:imum)?",
            "end(?:s|ing)?|finish|to|until|till|through|before|latest|not after|max(?:imum)?",
        ),
        ("check ?in|arrival|arrive", "check ?out|departure|depart"),
        ("departure|depart|outbound|pick ?up", "return|inbound|drop ?off|arrival|arrive"),
        ("opens?|opening", "closes?|closing"),
    )
)
_BESIDE = re.compile(r"\b(?:date|time|day|at|on|month)\b")


def follows(first: str, second: str) -> int:
    """Tell which of two names begins a range that the other ends.

    1 where the first one does, -1 where it is the other way round, 0 where they are no range:
    `valid_from` and `valid_until` are one.
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


def is_over(words: str, description: str, context: str) -> bool:
    """Whether a date is one of the past.

    By its name, since the tool keeps records, or since it begins or ends a range of what is looked up.
    """
    told = f"{words} {description.lower()}"
    if re.search(r"\b(?:call ?back|follow ?up|remind\w*)\b", words) or re.search(
        r"\b(?:future|upcoming|due|expir\w+|planned|scheduled|next|expected)\b", told
    ):
        return False
    if _DONE.search(words) or _HAPPENED.search(context.split(". ")[0]):
        return True
    if _READS.match(context) and re.fullmatch(r"\w+ed (?:since|after|before)", words):
        return True
    done = re.fullmatch(r"(\w+ed) (?:on|at|since|after|before|date)", words)
    if done and done[1] not in ("delivered", "started", "ended", "required") and not _AHEAD.search(done[1]):
        return True
    if re.search(r"\breports?\b(?! an?\b)", context.partition("\n")[0]) and words in _ENDS_OF_A_RANGE:
        return True
    if _LOGGING.search(context) or _RECORDS.match(context):
        return True
    if _TO_COME.search(f"{context} {told}"):
        return False
    ranged = re.fullmatch(
        r"(?:from|to|since|until|start|end|after|before|begin)(?: (?:date|day|time))?"
        r"|(?:date|day) (?:from|to)",
        words,
    )
    return bool(
        _LOOKING_BACK.search(context)
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
