"""Everything that writes or reads a policy's text does so in its model's own form."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jinja2 import Environment

pytest.importorskip("transformers")

from own_templates import NEWS, OSLO, asked, of_calls, tokenizer_of  # noqa: E402
from tiny_models import tiny_model  # noqa: E402

from looptool_kit.core.samples import Label, Message, ToolCall  # noqa: E402
from looptool_kit.core.toolcalls import render_answer  # noqa: E402
from looptool_kit.policy import wire  # noqa: E402
from looptool_kit.policy.engines.prompts import encode_turn, render, render_target  # noqa: E402

TOKENIZERS = {family: tokenizer_of(family) for family in ("xLAM", "LFM2", "Mistral, new", "Llama 3.x")}


def test_case_18_the_target_is_in_the_form_that_the_prompt_asks_for() -> None:
    """A tokenizer whose own template states Llama 3.x's JSON form of calls."""
    template = (
        '{% if tools %}<|sys|>To call a tool answer only with {"name": tool, "parameters": {...}}. Tools: '
        "{% for t in tools %}{{ t.function.name }} {% endfor %}<|eot|>{% endif %}{% for m in messages %}"
        '<|{{ m.role }}|>{% if m.tool_calls %}{"name": "{{ m.tool_calls[0].function.name }}", "parameters":'
        " {{ m.tool_calls[0].function.arguments | tojson }}}{% else %}{{ m.content }}{% endif %}<|eot|>"
        "{% endfor %}<|assistant|>"
    )

    class Tokenizer:
        chat_template = template

        def apply_chat_template(self, messages: Any, tools: Any = None, **_: Any) -> str:
            return Environment().from_string(template).render(messages=messages, tools=tools)

    bergen = ToolCall(name="get_weather", arguments={"city": "Bergen"})
    sample = asked(
        (OSLO,),
        Label(calls=(bergen,)),
        (
            Message(role="user", content="Weather in Oslo?"),
            Message(role="assistant", tool_calls=(ToolCall(name="get_weather", arguments={"city": "Oslo"}),)),
            Message(role="tool", content="-3", name="get_weather"),
            Message(role="user", content="And Bergen?"),
        ),
    )
    tokenizer = Tokenizer()
    prompt, target = render(tokenizer, sample), render_target(tokenizer, sample, sample.label)
    assert prompt.endswith("<|user|>And Bergen?<|eot|><|assistant|>")
    assert '{"name": "get_weather", "parameters": {"city": "Oslo"}}<|eot|>' in prompt
    assert target == '{"name": "get_weather", "parameters": {"city": "Bergen"}}'
    form = wire.form_of(tokenizer)
    assert form.name == "llama" and form.parse(target, tools=sample.tools).calls == (bergen,)
    assert form.parse(render_answer(sample.label)).calls == ()


def test_engines_score_labels_and_read_answers_in_the_models_form() -> None:
    from looptool_kit.policy.engines import Sampling
    from looptool_kit.policy.engines.transformers import TransformersEngine
    from looptool_kit.stages.train.common import encode

    tokenizer = tokenizer_of("xLAM")
    engine = TransformersEngine(tiny_model("llama"), tokenizer)
    sample = of_calls(OSLO)
    target = '[{"name": "get_weather", "arguments": {"city": "Oslo", "days": 2}}]'
    assert engine.score([sample], [sample.label]) == engine.score([sample], [target])
    prompt, completion = encode(tokenizer, sample)
    assert tokenizer.decode(completion) == target + "<|im_end|>"
    assert len(engine.score([sample], [sample.label])[0]) == len(completion)
    ((one,),) = engine.generate([sample], Sampling(4))
    assert one.form.name == "json"
    assert one._replace(text=target, finish_reason="stop").answer(sample.tools).calls == (OSLO,)


def test_grpo_rewards_what_special_tokens_mark(tmp_path: Path) -> None:
    """TRL hands over texts without special tokens, in which these calls could not be told."""
    from looptool_kit.stages.train.reward import tool_match

    tokenizer, sample = TOKENIZERS["LFM2"], of_calls(OSLO)
    right = encode_turn(tokenizer, sample, sample.label)
    wrong = encode_turn(tokenizer, sample, Label(calls=(NEWS,)))
    ids = [right, wrong, right[:-1]]
    texts = tokenizer.batch_decode(ids, skip_special_tokens=True)
    state = SimpleNamespace(global_step=0)
    function = tool_match([sample], tmp_path, {right[-1]}, tokenizer=tokenizer)
    assert function(texts, ids, [0, 0, 0], state) == [1.0, 0.0, 0.0]


def test_a_label_that_the_form_cannot_write_is_refused_before_training() -> None:
    from looptool_kit.stages.train.common import encode

    tokenizer = TOKENIZERS["Mistral, new"]
    evil = of_calls(ToolCall(name="find", arguments={"city": "[TOOL_CALLS]"}))
    assert wire.fault_of(tokenizer, evil).startswith("form: ")
    with pytest.raises(ValueError, match=rf"sample {evil.id}: form: .* Leave it out"):
        encode(tokenizer, evil)


def test_verl_gets_the_prompt_of_the_model_and_the_reward_its_form() -> None:
    from looptool_kit.formats.verl import in_own_form, read
    from looptool_kit.stages.train.reward import compute_score

    tokenizer, sample = TOKENIZERS["xLAM"], of_calls(OSLO, NEWS)
    (row,) = in_own_form([sample], tokenizer)  # type: ignore[arg-type]
    assert row["prompt"] == [{"role": "user", "content": render(tokenizer, sample)}]
    said = render_target(tokenizer, sample, sample.label)
    given = ("looptool", said, row["reward_model"]["ground_truth"])
    assert compute_score(*given, extra_info=row["extra_info"])["score"] == 1.0
    assert compute_score(*given, extra_info={**row["extra_info"], "form": None})["score"] == 0.0
    assert [s.label for s in read(row, "x", None)] == [sample.label]  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="marks calls of its form lfm with special tokens"):
        in_own_form([sample], TOKENIZERS["LFM2"])  # type: ignore[arg-type]


# ------------------------------------------------------------------ in a run


def checkpoint(folder: Path, family: str) -> Path:
    """A tiny model with a family's template."""
    tiny_model("llama").save_pretrained(folder)
    tokenizer_of(family).save_pretrained(folder)
    return folder


def test_a_run_records_the_form_and_its_keys_have_it(tmp_path: Path) -> None:
    from looptool_kit.policy.policy import base_policy, policy_of
    from looptool_kit.policy.recorded_form import FILE, about, of_run, read
    from looptool_kit.run.folder import Run

    model = checkpoint(tmp_path / "model", "xLAM")
    with Run.create(tmp_path / "run", model=str(model)) as run:
        assert policy_of(run, 0).key == f"{model}+json" == base_policy(str(model)).key
        recorded = read(run.path)
        assert recorded is not None and recorded.form.name == "json" and recorded.model == str(model)
    # Without the model the record tells.
    model.rename(tmp_path / "elsewhere")
    assert of_run(Run.open(tmp_path / "run", read_only=True)).name == "json"
    assert about(str(tmp_path / "run"))[0].startswith("json, written by the model's own chat template")
    assert base_policy(str(model)).key == str(model)
    # Another template of the same model: what was made in the old form is stale.
    checkpoint(model, "Hermes")
    with Run.open(tmp_path / "run") as run:
        assert policy_of(run, 0).key == str(model)
        assert json.loads((run.path / FILE).read_text())["form"]["name"] == "hermes"


def test_the_embedded_models_runs_have_no_record(tmp_path: Path) -> None:
    from looptool_kit.policy.models import weights_id
    from looptool_kit.policy.policy import policy_of
    from looptool_kit.policy.recorded_form import FILE
    from looptool_kit.run.folder import Run

    for name in ("embedded", "embedded-base"):
        with Run.create(tmp_path / name, model=name) as run:
            assert policy_of(run, 0).key == weights_id(name) and not (run.path / FILE).exists()


def test_the_doctor_tells_the_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from looptool_kit.doctor import FORM, _form

    found = {
        family: next(iter(_form(str(checkpoint(tmp_path / family[:5], family)))))
        for family in ("Llama 3.x", "Hermes", "LFM2")
    }
    assert found["LFM2"].name == FORM and found["LFM2"].ok
    assert found["LFM2"].value.startswith("lfm, written by the model's own chat template (")
    assert found["Llama 3.x"].value.startswith(
        "llama, written by the model's own chat template, calls joined"
    )
    assert found["Hermes"].value.startswith("hermes, by the model's own chat template (")
    (absent,) = _form("nobody/nothing")
    assert absent.ok is False and "not on this machine" in absent.value and absent.remedy
    (own,) = _form("embedded")
    assert own.ok and own.value == "the project's own (embedded)"


def test_samples_that_the_form_cannot_write_are_named_like_those_that_are_too_long(tmp_path: Path) -> None:
    from looptool_kit.policy.lengths import too_long

    fault = too_long(str(checkpoint(tmp_path / "model", "Mistral, new")))
    assert fault(of_calls(OSLO)) == ""
    assert fault(of_calls(ToolCall(name="find", arguments={"city": "[TOOL_CALLS]"}))).startswith("form: ")


def test_key_tokens_are_found_in_any_form() -> None:
    from looptool_kit.stages.train.targets import key_places, key_tokens

    other = OSLO.model_copy(update={"name": "get_wind"})
    for family, tokenizer in TOKENIZERS.items():
        sample = asked((OSLO, other), Label(calls=(OSLO,)))
        text = render_target(tokenizer, sample, sample.label)
        start = text.index("get_weather")
        assert key_places(sample, text) == [start, start + len("get_w")], family
        ids = encode_turn(tokenizer, sample, sample.label)
        said = [tokenizer.decode(ids[: at + 1]) for at in key_tokens(tokenizer, sample, ids)]
        assert said == [text[: start + 1], text[: start + len("get_w") + 1]], family
