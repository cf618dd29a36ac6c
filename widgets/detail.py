"""A sample as the page shows it.

Dialogue, tools, and label against prediction, argument by argument.
"""

from __future__ import annotations

import json
from typing import Any

from looptool_kit.core.grading import align
from looptool_kit.core.records import Probe, Verdict
from looptool_kit.core.samples import Label, Sample, ToolCall
from looptool_kit.core.toolcalls import Answer, canonical
from looptool_kit.widgets.weighed import weighed


def detail(sample: Sample, probe: Probe | None = None, verdict: Verdict | None = None) -> dict[str, Any]:
    """A sample as `sampleCard` in `js/sample.js` draws it: a `SampleDetail` of `js/types.d.ts`."""
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
                "parameters": as_json(t.parameters, indent=1),
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
            "faults": [f.told(sample.label.asks) for f in probe.faults],
        }
    if verdict is not None:
        out["verdict"] = weighed(verdict)
    return out


def answer(label: Label | Answer) -> dict[str, Any]:
    """Calls and reply of a label or of a parsed answer."""
    return {
        "calls": [_call(c) for c in label.calls],
        "reply": label.reply if isinstance(label, Label) else label.text,
    }


def aligned(label: Label | Answer, prediction: Label | Answer) -> list[dict[str, Any]]:
    """The calls of both in pairs.

    Names, and rows (parameter, in the label, in the prediction, comparison).

    The comparison is "same", "differs", "label only" or "prediction only".
    """
    out = []
    for want, got in align(label.calls, prediction.calls):
        label_args, prediction_args = (want.arguments if want else {}), (got.arguments if got else {})
        rows = []
        for name in dict.fromkeys([*label_args, *prediction_args]):
            note = (
                "prediction only"
                if name not in label_args
                else "label only"
                if name not in prediction_args
                else "differs"
            )
            if (
                name in label_args
                and name in prediction_args
                and canonical(label_args[name]) == canonical(prediction_args[name])
            ):
                note = "same"
            ours, other = (
                as_json(side[name]) if name in side else "" for side in (label_args, prediction_args)
            )
            rows.append([name, ours, other, note])
        out.append(
            {"label": want.name if want else None, "prediction": got.name if got else None, "rows": rows}
        )
    return out


def _call(call: ToolCall) -> dict[str, Any]:
    return {"name": call.name, "arguments": [[k, as_json(v)] for k, v in call.arguments.items()]}


def as_json(value: Any, indent: int | None = None) -> str:
    """A value as JSON that a person reads.

    Letters of all languages as they are.
    """
    return json.dumps(value, indent=indent, ensure_ascii=False)
