"""Forms that descriptions of parameters write out, as HH:MM, and whether a text has them."""

from __future__ import annotations

import re
from datetime import datetime

FORMS = (
    ("YYYY-MM-DDTHH:MM", r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*", "%Y-%m-%dT%H:%M"),
    ("YYYY-MM-DD", r"\d{4}-\d\d-\d\d.*", "%Y-%m-%d"),
    ("HH:MM", r"(?:.*[T ])?\d\d:\d\d.*", "%H:%M"),
)
"""Name, what a text of it looks like at least, and what it is exactly; the longest first, since it holds the
others.
"""


def lacks_form(value: str, description: str) -> str:
    """Return the form that a description names and a text lacks.

    Empty: it names none, or the text has it. Seconds, a zone or a second time may follow.
    """
    named = []
    for form, pattern, _ in FORMS:
        if form in description:  # each form hides what it holds of the shorter ones
            description = description.replace(form, "")
            named.append((form, pattern))
    return "" if not named or any(re.fullmatch(p, value) for _, p in named) else named[0][0]


def breaks_form(value: str, description: str) -> str:
    """Return the form that a typed value breaks.

    Empty: it breaks none. To the letter where the description is the form alone. Words that the description
    itself offers break none.
    """
    exact = next((code for form, _, code in FORMS if description.strip(" .") == form), None)
    if exact is None:
        offered = value.strip() and re.search(rf"(?<!\w){re.escape(value.strip())}(?!\w)", description)
        return "" if offered else lacks_form(value, description)
    try:
        same = datetime.strptime(value, exact).strftime(exact) == value
    except ValueError:
        same = False
    return "" if same else description.strip(" .")
