"""A sample as the page shows it: dialogue, tools, and label against prediction, argument by argument."""

from __future__ import annotations

import json
from typing import Any

from looptool_kit.core.records import Probe, Verdict
from looptool_kit.core.samples import Label, Sample, ToolCall
from looptool_kit.core.toolcalls import Answer, align, canonical


def detail(sample: Sample, probe: Probe | None = None, verdict: Verdict | None = None) -> dict[str, Any]:
    """Everything that `sampleCard` in `js/sample.js` draws, as JSON; `probe` and `verdict` where there are
    any.
    """
    out: dict[str, Any] = {
        "id": sample.id,
        "facts": [
            [k, str(v)]
            for k, v in (
                ("kind", sample.kind),
                ("from", sample.source),
                ("strategy", sample.strategy),
                ("parent", sample.parent),
            )
            if v
        ],
        "tools": [
            {
                "name": t.name,
                "description": t.description,
                "parameters": json.dumps(t.parameters, indent=1, ensure_ascii=False),
            }
            for t in sample.tools
        ],
        "messages": [
            {"role": m.role, "content": m.content, "calls": [_call(c) for c in m.tool_calls]}
            for m in sample.messages
        ],
        "label": answer(sample.label),
        "demands": (
            [" / ".join(group) for group in sample.label.mentions]
            + (["a question"] if sample.label.asks else [])
        ),
    }
    if probe is not None:
        out |= {
            "prediction": {
                **answer(probe.answer),
                "raw": probe.text,
                "error": probe.answer.error or "",
                "detail": probe.answer.detail,
            },
            "aligned": aligned(sample.label, probe.answer),
            "tokens": [list(pair) for pair in zip(probe.tokens, probe.logprobs, strict=False)],
            "perplexity": probe.perplexity,
            "state": probe.state,
            "faults": [str(f) for f in probe.faults],
        }
    if verdict is not None:
        out["verdict"] = {
            "name": verdict.verdict or "unjudged",
            "rationale": verdict.rationale,
            "confidence": verdict.confidence,
            "judge": verdict.judge,
            "votes": verdict.votes,
            "evidence": [[e.name, e.for_label, e.for_prediction, e.words] for e in verdict.evidence],
        }
    return out


def answer(given: Label | Answer) -> dict[str, Any]:
    """Calls and reply of a label or of a parsed answer."""
    return {
        "calls": [_call(c) for c in given.calls],
        "reply": given.reply if isinstance(given, Label) else given.text,
    }


def aligned(label: Label | Answer, prediction: Label | Answer) -> list[dict[str, Any]]:
    """Pairs of calls, each with rows (parameter, in the label, in the prediction, how they compare: same,
    differs, label only, prediction only).
    """
    out = []
    for want, got in align(label.calls, prediction.calls):
        mine, theirs = (want.arguments if want else {}), (got.arguments if got else {})
        rows = []
        for name in dict.fromkeys([*mine, *theirs]):
            how = "prediction only" if name not in mine else "label only" if name not in theirs else "differs"
            if name in mine and name in theirs and canonical(mine[name]) == canonical(theirs[name]):
                how = "same"
            rows.append(
                [
                    name,
                    _show(mine[name]) if name in mine else "",
                    _show(theirs[name]) if name in theirs else "",
                    how,
                ]
            )
        out.append(
            {"label": want.name if want else None, "prediction": got.name if got else None, "rows": rows}
        )
    return out


def _call(call: ToolCall) -> dict[str, Any]:
    return {"name": call.name, "arguments": [[k, _show(v)] for k, v in call.arguments.items()]}


def _show(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
