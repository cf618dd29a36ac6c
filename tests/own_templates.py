"""Chat templates of the families, written in our own words after their public documentation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from tiny_models import tiny_tokenizer

from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall


def frame(
    turn: str, end: str, calls: str, *, each: str = "", asks: str = "", result: str = "", last: str = ""
) -> str:
    """A template.

    Args:
        turn: What begins a turn, with `ROLE` for the role.
        end: What ends one.
        calls: An assistant's calls; `c` is one of them in `each`, which replaces EACH.
        asks: What begins the assistant's answer, where it is not its turn's beginning.
        result: What begins a tool's result and `{{ m.content }}`.
        last: What ends a turn of calls in place of `end`.
    """
    asks = asks or turn.replace("ROLE", "assistant")
    result = result or turn.replace("ROLE", "tool") + "{{ m.content }}"
    inner = "{%- for t in m.tool_calls %}{%- set c = t.function %}" + each + "{%- endfor %}"
    return (
        "{%- if tools %}{{- 'TOOLS: ' }}{%- for t in tools %}{{- t.function | tojson }}{%- endfor %}"
        "{%- endif %}{%- for m in messages %}{%- if m.role == 'tool' %}" + result + end
        + "{%- elif m.tool_calls %}" + asks + calls.replace("EACH", inner if each else "") + (last or end)
        + "{%- elif m.role == 'assistant' %}" + asks + "{{- m.content }}" + end
        + "{%- else %}" + turn.replace("ROLE", "{{ m.role }}") + "{{- m.content }}" + end
        + "{%- endif %}{%- endfor %}{%- if add_generation_prompt %}" + asks + "{%- endif %}"
    )  # fmt: skip


def text(written: str) -> str:
    """Text as it stands, whatever Jinja does to the white space around it."""
    return "{{- " + repr(written) + " }}"


CHATML, IM_END = text("<|im_start|>") + "ROLE" + text("\n"), text("<|im_end|>\n")
OBJECT = "{{- c.arguments | tojson }}"
JSON_CALL = text('{"name": "') + "{{- c.name }}" + text('", "arguments": ') + OBJECT + text("}")
COMMA = "{%- if not loop.last %}{{- ', ' }}{%- endif %}"
LINE = "{%- if not loop.last %}{{- '\\n' }}{%- endif %}"
PYTHON = (
    "{{- c.name + '(' }}{%- for k, v in c.arguments.items() %}{{- k + '=' }}{{- v | tojson }}" + COMMA
    + "{%- endfor %}{{- ')' }}"
)  # fmt: skip
RAW = "{%- if v is string %}{{- v }}{%- else %}{{- v | tojson }}{%- endif %}"
HERMES = text("<tool_call>\n") + JSON_CALL + text("\n</tool_call>") + LINE
XML = (
    text("<tool_call>\n<function=") + "{{- c.name }}" + text(">\n")
    + "{%- for k, v in c.arguments.items() %}" + text("<parameter=") + "{{- k }}" + text(">\n") + RAW
    + text("\n</parameter>\n") + "{%- endfor %}" + text("</function>\n</tool_call>") + LINE
)  # fmt: skip
LLAMA_TURN = text("<|start_header_id|>") + "ROLE" + text("<|end_header_id|>\n\n")
ONE = "{%- if m.tool_calls | length != 1 %}{{- raise_exception('one call at a time') }}{%- endif %}"
FIRST = ONE + "{%- set c = m.tool_calls[0].function %}"
LLAMA_CALL = text('{"name": "') + "{{- c.name }}" + text('", "parameters": ') + OBJECT + text("}")
NINE = "{%- if t.id | length != 9 %}{{- raise_exception('ids have nine characters') }}{%- endif %}"
GEMMA_VALUE = """
{%- macro value(v) %}
{%- if v is string %}{{- 'QUOTE' + v + 'QUOTE' }}
{%- elif v is mapping %}{{- '{' }}{%- for k, x in v.items() %}{{- k + ':' }}{{- value(x) }}
{%- if not loop.last %}{{- ',' }}{%- endif %}{%- endfor %}{{- '}' }}
{%- elif v is sequence %}{{- '[' }}{%- for x in v %}{{- value(x) }}
{%- if not loop.last %}{{- ',' }}{%- endif %}{%- endfor %}{{- ']' }}
{%- else %}{{- v | tojson }}{%- endif %}{%- endmacro %}
"""
GEMMA_USER = text("<start_of_turn>user\n")
GEMMA_MODEL = text("<start_of_turn>model\n")
GEMMA_END = text("<end_of_turn>\n")
GLM_ARGUMENTS = (
    "{%- for k, v in c.arguments.items() %}" + text("<arg_key>") + "{{- k }}"
    + text("</arg_key>\n<arg_value>") + RAW + text("</arg_value>\n") + "{%- endfor %}"
)  # fmt: skip
INVOKE = (
    text('<invoke name="') + "{{- c.name }}" + text('">\n') + "{%- for k, v in c.arguments.items() %}"
    + text('<parameter name="') + "{{- k }}" + text('">') + RAW + text("</parameter>\n") + "{%- endfor %}"
    + text("</invoke>\n")
)  # fmt: skip
DEEPSEEK = text("<｜") + "ROLE" + text("｜>")
SENTENCE = text("<｜end▁of▁sentence｜>")

TEMPLATES: dict[str, tuple[str, str]] = {
    "Hermes": ("hermes", frame(CHATML, IM_END, "EACH", each=HERMES)),
    "Qwen3": (
        "hermes",
        frame(
            CHATML,
            IM_END,
            "EACH",
            each=HERMES,
            asks=text("<|im_start|>assistant\n") + text("<think>\n\n</think>\n\n"),
        ),
    ),
    "Granite 4": (
        "hermes",
        frame(
            text("<|start_of_role|>") + "ROLE" + text("<|end_of_role|>"),
            text("<|end_of_text|>\n"),
            "EACH",
            each=HERMES,
        ),
    ),
    "Qwen3-Coder": ("qwen3_coder", frame(CHATML, IM_END, "EACH", each=XML)),
    "Llama 3.x": ("llama", frame(LLAMA_TURN, text("<|eot_id|>"), FIRST + LLAMA_CALL)),
    "Llama 3.x, python tag": (
        "llama",
        frame(
            LLAMA_TURN,
            text("<|eot_id|>"),
            FIRST + text("<|python_tag|>") + LLAMA_CALL,
            last=text("<|eom_id|>"),
        ),
    ),
    "Llama 3.2, pythonic": (
        "pythonic",
        frame(LLAMA_TURN, text("<|eot_id|>"), text("[") + "EACH" + text("]"), each=PYTHON + COMMA),
    ),
    "Llama 4, pythonic": (
        "pythonic",
        frame(
            text("<|header_start|>") + "ROLE" + text("<|header_end|>\n\n"),
            text("<|eot|>"),
            text("<|python_start|>[") + "EACH" + text("]<|python_end|>"),
            each=PYTHON + COMMA,
        ),
    ),
    "LFM2": (
        "lfm",
        frame(
            CHATML,
            IM_END,
            text("<|tool_call_start|>[") + "EACH" + text("]<|tool_call_end|>"),
            each=PYTHON + COMMA,
        ),
    ),
    "OLMo 3": (
        "olmo",
        frame(
            CHATML,
            IM_END,
            text("<function_calls>") + "EACH" + text("</function_calls>"),
            each=PYTHON + LINE,
        ),
    ),
    "Mistral, old": (
        "mistral",
        frame(
            text("[INST] "),
            text("[/INST]"),
            text("[TOOL_CALLS] [") + "EACH" + text("]"),
            each=NINE + JSON_CALL[: -len(text("}"))] + text(', "id": "') + "{{- t.id }}" + text('"}') + COMMA,
            asks=text(" "),
            last=text("</s>"),
            result=text('[TOOL_RESULTS] {"content": ')
            + "{{- m.content }}"
            + text(', "call_id": "')
            + "{{- m.tool_call_id }}"
            + text('"}[/TOOL_RESULTS]'),
        ).replace("{{- m.content }}" + text("[/INST]") + "{%- else %}", "{{- m.content }}</s>{%- else %}"),
    ),
    "Mistral, new": (
        "mistral",
        frame(
            text("[INST]"),
            text("[/INST]"),
            "EACH",
            each=NINE + text("[TOOL_CALLS]") + "{{- c.name }}" + text("[ARGS]") + OBJECT,
            asks=text(""),
            last=text("</s>"),
        ).replace("{{- m.content }}" + text("[/INST]") + "{%- else %}", "{{- m.content }}</s>{%- else %}"),
    ),
    "DeepSeek V3": (
        "deepseek",
        frame(
            DEEPSEEK,
            SENTENCE,
            "{%- if m.content is not none %}{{- raise_exception('words beside calls') }}{%- endif %}"
            + text("<｜tool▁calls▁begin｜>")
            + "EACH"
            + text("<｜tool▁calls▁end｜>"),
            each=text("<｜tool▁call▁begin｜>function<｜tool▁sep｜>")
            + "{{- c.name + '\\n```json\\n' + c.arguments + '\\n```' }}"
            + text("<｜tool▁call▁end｜>")
            + LINE,
        ),
    ),
    "DeepSeek V3.1": (
        "deepseek",
        frame(
            DEEPSEEK,
            SENTENCE,
            text("<｜tool▁calls▁begin｜>") + "EACH" + text("<｜tool▁calls▁end｜>"),
            each=text("<｜tool▁call▁begin｜>")
            + "{{- c.name }}"
            + text("<｜tool▁sep｜>")
            + OBJECT
            + text("<｜tool▁call▁end｜>"),
            asks=text("<｜assistant｜></think>"),
        ),
    ),
    "xLAM": ("json", frame(CHATML, IM_END, text("[") + "EACH" + text("]"), each=JSON_CALL + COMMA)),
    "Granite 3": (
        "granite",
        frame(
            text("<|start_of_role|>") + "ROLE" + text("<|end_of_role|>"),
            text("<|end_of_text|>\n"),
            text("<|tool_call|>[") + "EACH" + text("]"),
            each=JSON_CALL + COMMA,
        ),
    ),
    "Gemma 3": (
        "gemma",
        frame(
            GEMMA_USER,
            GEMMA_END,
            text("```tool_code\n") + "EACH" + text("\n```"),
            each=PYTHON + LINE,
            asks=GEMMA_MODEL,
        ),
    ),
    "FunctionGemma": (
        "functiongemma",
        GEMMA_VALUE.replace("QUOTE", "<escape>")
        + frame(
            GEMMA_USER,
            GEMMA_END,
            "EACH",
            each=text("<start_function_call>call:")
            + "{{- c.name }}{{- value(c.arguments) }}"
            + text("<end_function_call>"),
            asks=GEMMA_MODEL,
            last=text(""),
            result=text("<start_function_response>") + "{{- m.content }}" + text("<end_function_response>"),
        ),
    ),
    "Gemma 4": (
        "gemma4",
        GEMMA_VALUE.replace("QUOTE", '<|"|>')
        + frame(
            text("<|turn>user\n"),
            text("<turn|>\n"),
            "EACH",
            each=text("<|tool_call>call:") + "{{- c.name }}{{- value(c.arguments) }}" + text("<tool_call|>"),
            asks=text("<|turn>model\n"),
            last=text(""),
            result=text("<|tool_response>") + "{{- m.content }}" + text("<tool_response|>"),
        ),
    ),
    "GLM-4.5": (
        "glm",
        frame(
            text("<|") + "ROLE" + text("|>\n"),
            text(""),
            "EACH",
            each=text("\n<tool_call>") + "{{- c.name + '\\n' }}" + GLM_ARGUMENTS + text("</tool_call>"),
            asks=text("<|assistant|>\n<think></think>"),
            result=text("<|observation|>\n<tool_response>\n")
            + "{{- m.content }}"
            + text("\n</tool_response>"),
        ),
    ),
    "Kimi K2": (
        "kimi",
        frame(
            text("<|im_") + "ROLE" + text("|>") + "ROLE" + text("<|im_middle|>"),
            text("<|im_end|>"),
            text("<|tool_calls_section_begin|>") + "EACH" + text("<|tool_calls_section_end|>"),
            each=text("<|tool_call_begin|>")
            + "{{- t.id }}"
            + text("<|tool_call_argument_begin|>")
            + OBJECT
            + text("<|tool_call_end|>"),
            result=text("<|im_system|>tool<|im_middle|>## Return of ")
            + "{{- m.tool_call_id + '\\n' + m.content }}",
        ),
    ),
    "gpt-oss": (
        "harmony",
        frame(
            text("<|start|>") + "ROLE" + text("<|message|>"),
            text("<|end|>"),
            FIRST
            + text(" to=functions.")
            + "{{- c.name }}"
            + text("<|channel|>commentary json<|message|>")
            + OBJECT,
            asks=text("<|start|>assistant"),
            last=text("<|call|>"),
        ).replace(
            text("<|start|>assistant") + "{{- m.content }}" + text("<|end|>"),
            text("<|start|>assistant<|channel|>final<|message|>") + "{{- m.content }}" + text("<|return|>"),
        ),
    ),
    "Phi-4-mini": (
        "phi",
        frame(
            text("<|") + "ROLE" + text("|>"),
            text("<|end|>"),
            text("<|tool_call|>[") + "EACH" + text("]<|/tool_call|>"),
            each=JSON_CALL + COMMA,
        ),
    ),
    "MiniMax M2": (
        "minimax",
        frame(
            text("]~b]") + "ROLE" + text("\n"),
            text("[e~[\n"),
            text("\n<minimax:tool_call>\n") + "EACH" + text("</minimax:tool_call>"),
            each=INVOKE,
            asks=text("]~b]ai\n"),
        ).replace(
            "{%- if add_generation_prompt %}" + text("]~b]ai\n"),
            "{%- if add_generation_prompt %}" + text("]~b]ai\n<think>\n"),
        ),
    ),
}
"""Family -> the form that is to be recognised, and its template."""
_MARK = re.compile(
    r"<[|｜][^<>'\"{} ]*[|｜]>|<\|[\w\"]+\|?>|<\w+\|>|\[/?[A-Z_]{3,}\]|</?s>|<(?:start|end)_\w+>"
    r"|<escape>|\[e~\[|\]~b\]"
)


def with_template(template: str) -> Any:
    """A tokenizer of one token a byte, with a template and the special tokens that this writes."""
    tokenizer = tiny_tokenizer()
    marks = set(_MARK.findall(template))
    if "{{- '<|' }}" in template:
        marks |= {"<|user|>", "<|assistant|>"}
    tokenizer.add_tokens(sorted(marks), special_tokens=True)
    ends = ("<|end_of_text|>", "</s>", "<｜end▁of▁sentence｜>", "<|return|>", "[e~[", "<|endoftext|>")
    if "<|im_end|>" not in template:
        tokenizer.eos_token = next((m for m in ends if m in marks), "<|im_end|>")
    tokenizer.chat_template = template
    return tokenizer


def tokenizer_of(family: str) -> Any:
    """The tokenizer of a family."""
    return with_template(TEMPLATES[family][1])


ASKED = (Message(role="user", content="Weather in Oslo, and the news?"),)
OSLO = ToolCall(name="get_weather", arguments={"city": "Oslo", "days": 2})
NEWS = ToolCall(name="find", arguments={"city": "Bergen", "tags": ["a", "b"]})


def asked(calls: Sequence[ToolCall], label: Label, messages: tuple[Message, ...] = ASKED) -> Sample:
    """A sample whose tools say of each argument whether it is text, as a schema does."""
    found: dict[str, dict[str, Any]] = {}
    for c in calls:
        for key, value in c.arguments.items():
            found.setdefault(c.name, {})[key] = {"type": "string"} if isinstance(value, str) else {}
        found.setdefault(c.name, {})
    tools = tuple(Tool(name=n, parameters={"type": "object", "properties": p}) for n, p in found.items())
    return Sample(tools=tools, messages=messages, label=label)


def of_calls(*calls: ToolCall) -> Sample:
    """A sample whose label is these calls."""
    return asked(calls, Label(calls=calls))
