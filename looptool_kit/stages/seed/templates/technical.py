"""Parameters that a program sets and nobody says: headers, versions of an interface, cursors, traces."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from looptool_kit.core.samples import Tool
from looptool_kit.stages.seed.templates.names import Unusable, words_of
from looptool_kit.stages.seed.templates.stated import described

_HEADER = re.compile(r"x[-_][\w-]+|[A-Z][A-Za-z]*(?:-[A-Z][A-Za-z0-9]*)+", re.ASCII)
"""`X-Trace`, `Notion-Version`, `If-Match`: names as HTTP headers have them."""
_NAMES = re.compile(
    r"(?:\w+ )?api (?:version|key|token)|version header|(?:schema|protocol) version|accept(?: language)?"
    r"|content type|authori[sz]ation|auth(?: token)?|(?:access|bearer|csrf|id|client|security) token"
    r"|user agent|idempotency key|(?:request|trace|correlation|span|session) id|client secret"
    r"|(?:next |prev |previous )?(?:page|continuation|sync|cursor|resume) (?:token|cursor)|(?:\w+ )?cursor"
    r"|(?:next|prev|previous) (?:token|key|page|link)|(?:\w+ )?page token"
    r"|etag|if (?:none )?match|nonce|jsonp|callback|signature|mcp session|tenant header"
    r"|page|page (?:number|size|limit|no|index)|(?:items|results|rows)? ?per page|offset|skip|start index"
    r"|starting after|ending before|expand|fields?|search (?:field|in|by)|operator|match (?:mode|type)"
    r"|embed|include fields|select|filter expression|opt fields"
    r"|opt pretty|pretty|fields mask|read mask|update mask"
)
_ABOUT = re.compile(
    r"\b(?:version of (?:the|this) \w*\s?(?:api|schema|protocol)|api version|http header|request header"
    r"|for (?:tracing|debugging|idempotency)|idempotency|pagination cursor|cursor for (?:use in )?pagination"
    r"|opaque|base64|authentication token|oauth|never set|reserved for|internal use)\b",
    re.IGNORECASE,
)
_UNSAID = re.compile(
    r"\b(?:base64|binary|raw bytes|unix (?:time|timestamp|epoch)|epoch (?:time|seconds|millis\w*)"
    r"|(?:milli)?seconds since)\b",
    re.IGNORECASE,
)


def is_technical(name: str, schema: Any) -> bool:
    """Tell whether a parameter is set by programs, not said.

    By its name, or what its description says of it.
    """
    description = described(schema)
    named = _HEADER.fullmatch(name) or _NAMES.fullmatch(words_of(name))
    return bool(named or _ABOUT.search(description))


def is_of_the_tool(name: str, tool: Tool) -> bool:
    """Tell whether a required ID is of what the tool is about.

    As `request_id` of "Approve a leave request".
    """
    owner = re.fullmatch(r"(request|session|client|span) id", words_of(name))
    if owner is None or name not in tool.required:
        return False
    return re.search(rf"\b{owner[1]}\b", tool.description.lower()) is not None


def refuse_unsaid(name: str, schema: Mapping[str, Any]) -> None:
    """Raise `Unusable` for a value that no person says.

    Bytes, a Unix time.
    """
    description = str(schema.get("description") or "")
    coded = schema.get("contentEncoding") or schema.get("format") in ("binary", "byte")
    if coded or _UNSAID.search(description):
        raise Unusable(f"{name} is nothing that a person says ({description[:60] or 'binary'})")


def constants(tool: Tool) -> dict[str, Any]:
    """Return the values that the schema gives technical parameters.

    Of the required ones: only one choice, or a default.

    Raises:
        Unusable: There is one without a value.
    """
    out: dict[str, Any] = {}
    for name in tool.required:
        schema = tool.properties.get(name)
        if not is_technical(name, schema) or is_of_the_tool(name, tool):
            continue
        schema = schema if isinstance(schema, Mapping) else {}
        choices = schema.get("enum")
        if "const" in schema:
            out[name] = schema["const"]
        elif isinstance(choices, list) and len(choices) == 1:
            out[name] = choices[0]
        elif schema.get("default") is not None:
            out[name] = schema["default"]
        else:
            raise Unusable(
                f"{name} is required, and a program sets it, not a person: give it a default, or take it out"
            )
    return out
