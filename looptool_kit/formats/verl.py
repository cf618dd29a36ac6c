"""The form `verl`: rows for verl's RL trainers, described in `docs/verl.md`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from looptool_kit.core.json_text import strict_json
from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.toolcalls import match, render_calls
from looptool_kit.formats._parts import has_system, response, system_text
from looptool_kit.formats._turns import Left
from looptool_kit.policy.engines.prompts import encode_turn, render
from looptool_kit.policy.wire import form_of

COLUMNS = frozenset({"data_source", "prompt", "ability", "reward_model", "extra_info"})


def detect(row: Mapping[str, Any]) -> bool:
    """Tell whether a row has `prompt` and `reward_model`."""
    return "reward_model" in row and "prompt" in row


def read(row: Mapping[str, Any], source: str, left: Left) -> Iterator[Sample]:
    """Yield the row's one sample, which is kept in `extra_info`."""
    extra = row.get("extra_info") or {}
    if not extra.get("sample"):
        raise ValueError(
            "`extra_info.sample` is missing: only files that this package wrote can be read back, for a"
            " prompt alone does not tell its tools"
        )
    sample = Sample.model_validate(strict_json(extra["sample"]))
    label = Label.model_validate(strict_json(row["reward_model"]["ground_truth"]))
    yield sample.model_copy(update={"label": label, "source": sample.source or source})


def write(sample: Sample, index: int) -> dict[str, Any]:
    """Make the row of a sample.

    Tools and earlier calls are written into the turns' text, because verl hands every row the same tools or
    none.
    """
    return {
        "data_source": "looptool",
        "prompt": plain_turns(sample),
        "ability": "tool_calling",
        "reward_model": {"style": "rule", "ground_truth": sample.label.model_dump_json()},
        "extra_info": {
            "split": sample.split,
            "index": index,
            "sample_id": sample.id,
            "kind": sample.kind,
            "sample": sample.model_dump_json(),
        },
    }


def in_own_form(samples: Samples, tokenizer: Any) -> list[dict[str, Any]]:
    """Make rows for a model that has its own form of calls.

    The prompt is one turn with the whole text that the model's template writes; verl's
    `custom_chat_template` must give it back as it is. `extra_info.form` tells the reward how to read.

    Raises:
        ValueError: The calls are marked by special tokens, which verl leaves out of what it decodes.
    """
    form = form_of(tokenizer)
    rows = []
    for index, sample in enumerate(samples):
        _survives(sample, tokenizer)
        row = write(sample, index)
        row["prompt"] = [{"role": "user", "content": render(tokenizer, sample)}]
        row["extra_info"]["form"] = form.model_dump_json()
        rows.append(row)
    return rows


def _survives(sample: Sample, tokenizer: Any) -> None:
    form, label = form_of(tokenizer), sample.label
    if not label.calls:
        return
    ids = encode_turn(tokenizer, sample, label)
    said = form.parse(tokenizer.decode(ids, skip_special_tokens=True), tools=sample.tools)
    if not match(said, label):
        raise ValueError(
            f"the model marks calls of its form {form.name} with special tokens, and verl decodes completions"
            " without these: no call would reach the reward. Train it here, or take a model that marks calls"
            " with plain text"
        )


def plain_turns(sample: Sample) -> list[dict[str, str]]:
    """The context as role / content turns only.

    A plain ChatML template renders them to the very bytes of `toolcalls.render_prompt`.
    """
    turns = [{"role": "system", "content": system}] if (system := system_text(sample)) else []
    for m in sample.messages[has_system(sample) :]:
        if m.role == "tool":
            turns.append({"role": "user", "content": response(m.content)})
        else:
            content = "\n".join(p for p in (m.content, render_calls(m.tool_calls)) if p)
            turns.append({"role": m.role, "content": content})
    return turns
