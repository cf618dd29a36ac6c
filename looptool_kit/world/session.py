"""Tools that run for one dialogue, whoever calls them and in whatever order.

A result depends on the seed, the call, and what was done to the records before: never on what else was
looked up, so that two orders of the same calls come to the same records.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from random import Random
from typing import Any

from looptool_kit.core.samples import ToolCall
from looptool_kit.core.toolcalls import canonical
from looptool_kit.world.execute import new_state, problem, remember, run
from looptool_kit.world.spec import Spec, all_domains, specs


def specs_of(domains: Sequence[str]) -> dict[str, Spec]:
    """Tool name -> tool of these domains of the world.

    Without a name, of all domains.

    Raises:
        ValueError: There is no such domain.
    """
    known = {d.name: d for d in all_domains()}
    if unknown := sorted(set(domains) - known.keys()):
        raise ValueError(f"there is no domain {unknown[0]!r}; the domains are {', '.join(known)}")
    return {s.name: s for name in domains for s in known[name].tools} if domains else dict(specs())


class Session:
    """The tools of one dialogue, with the records that they keep."""

    def __init__(self, known: Mapping[str, Spec], today: date, seed: int | str, held: bool = False) -> None:
        self.known, self.done = known, list[tuple[ToolCall, dict[str, Any]]]()
        """`done` holds the calls that were executed, with their results; errors are not among them."""
        self._seed, self._state = seed, new_state(today, held)
        self._times: Counter[str] = Counter()
        self._told: dict[str, list[dict[str, Any]]] = {}

    def remember(self, call: ToolCall) -> None:
        """Let the record that a call refers to exist.

        It counts as made before the dialogue.
        """
        remember(self.known[call.name], call.arguments, self._state)

    def tell(self, call: ToolCall, result: dict[str, Any]) -> None:
        """Give this result when the call comes for the first time.

        It replaces one that would be drawn. Records that it lists exist from now on.
        """
        spec = self.known[call.name]
        if spec.lists is None and not _keeps(spec):
            self._state["memo"][_text(call)] = result
            return
        self._told.setdefault(_text(call), []).append(result)
        if spec.lists is not None:
            records = self._state["records"].setdefault(spec.lists.noun, {})
            for row in (row for value in result.values() if isinstance(value, list) for row in value):
                key = next(k for k, t in _row_fields(spec).items() if t is spec.lists)
                records.setdefault(row[key], dict(row))

    def call(self, call: ToolCall) -> dict[str, Any]:
        """Execute a call.

        The result is `{"error": ...}` where it is not valid or what it refers to does not exist.
        """
        if wrong := problem(call, self.known):
            return {"error": wrong}
        spec, text = self.known[call.name], _text(call)
        rng = Random(f"{self._seed}/{text}/{self._times[text] if _keeps(spec) else 0}")
        result = run(spec, dict(call.arguments), self._state, rng)
        if "error" in result:
            return result
        self._times[text] += 1
        if told := self._told.get(text):
            drawn, result = result, told.pop(0)
            if spec.makes is not None:
                records = self._state["records"][spec.makes.noun]
                old, new = (made_id(spec, r) for r in (drawn, result))
                records[new] = {**records.pop(old), **result}
        result = json.loads(json.dumps(result))
        self.done.append((call, result))
        return result


def made_id(spec: Spec, result: Mapping[str, Any]) -> str:
    """The id of the record that a call has made."""
    return str(next(result[k] for k, t in spec.out.items() if t is spec.makes))


def _text(call: ToolCall) -> str:
    return f"{call.name} {canonical(call.arguments)}"


def _keeps(spec: Spec) -> bool:
    return any((spec.makes, spec.changes, spec.cancels))


def _row_fields(spec: Spec) -> Mapping[str, Any]:
    return next(t.item.fields for t in spec.out.values() if not isinstance(t, str) and t.item is not None)
