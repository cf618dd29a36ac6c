"""ACEBench's data: the checkout, the categories with their weights, the entries.

A category is `<language>/<name of the data file>`, e.g. `en/normal_atom_bool`. Agent categories are left out:
they need simulated users and environments. In the two multi-turn categories entries are the steps of
dialogues, and a dialogue counts once, where all its steps are right.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall
from looptool_kit.stages.evaluate.bfcl.acceptable import bfcl_tools

VARIABLE = "LOOPTOOL_ACEBENCH"
LANGUAGES = ("en", "zh")

_ATOM = tuple(
    f"normal_atom_{kind}" for kind in ("bool", "enum", "number", "list", "object_deep", "object_short")
)
_SINGLE_TURN = ("normal_single_turn_single_function", "normal_single_turn_parallel_function")
_MULTI_TURN = ("normal_multi_turn_user_switch", "normal_multi_turn_user_adjust")
_NORMAL = (*_ATOM, *_SINGLE_TURN, *_MULTI_TURN, "normal_similar_api", "normal_preference")
_SPECIAL = ("special_incomplete", "special_error_param", "special_irrelevant")
_PARTS = {
    "atom": _ATOM,
    "single_turn": _SINGLE_TURN,
    "multi_turn": _MULTI_TURN,
    "normal": _NORMAL,
    "special": _SPECIAL,
}

CATEGORIES = tuple(f"{language}/{name}" for language in LANGUAGES for name in (*_NORMAL, *_SPECIAL))
GROUPS: dict[str, tuple[str, ...]] = {
    "all": CATEGORIES,
    **{language: tuple(c for c in CATEGORIES if c.startswith(language)) for language in LANGUAGES},
    **{part: tuple(c for c in CATEGORIES if c[3:] in names) for part, names in _PARTS.items()},
    **{
        f"{language}/{part}": tuple(f"{language}/{n}" for n in names)
        for language in LANGUAGES
        for part, names in _PARTS.items()
    },
}
WEIGHTS = {"normal": 0.578, "special": 0.2676, "agent": 0.1545}
"""Of the three kinds in the benchmark's own summary (`generate_result_csv`); within a kind all categories
weigh alike.
"""


class Entry(NamedTuple):
    """One line of a data file with its label."""

    id: str
    """The benchmark's id behind the language, e.g. `en/normal_atom_bool_0`: the two languages use the same
    ids.
    """
    category: str
    unit: str
    """What counts as one: the dialogue in the multi-turn categories, elsewhere the entry itself."""
    question: str
    """The dialogue, lines that begin with `user:` or `system:` (the assistant)."""
    functions: tuple[dict[str, Any], ...]
    time: str
    profile: str
    truth: Any
    """normal: `{function: arguments}`, a repeated function with `_1`, `_2` ... behind its name, or a list of
    such alternatives; special_incomplete: `{function: [missing parameter, ...]}`; special_error_param:
    `{parameter: [wrong value, ...]}`; special_irrelevant: a sentence.
    """


def checkout() -> Path:
    """The user's checkout of ACEBench; `FileNotFoundError` saying how to get one."""
    folder = os.environ.get(VARIABLE, "")
    if not folder or not (Path(folder) / "data_all" / "data_en").is_dir():
        wrong = (
            f"{VARIABLE}={folder} is not a checkout of ACEBench (no data_all/data_en)"
            if folder
            else f"{VARIABLE} is not set"
        )
        raise FileNotFoundError(
            f"{wrong}: `git clone https://github.com/ACEBench/ACEBench` and `export"
            f" {VARIABLE}=/path/to/ACEBench`."
        )
    return Path(folder)


def categories(names: Sequence[str] | None) -> list[str]:
    """The named categories, in the benchmark's order; None: all.

    They are named singly (with or without the language) or by group. `ValueError` for other names.
    """
    chosen: set[str] = set()
    for name in names or ["all"]:
        members = GROUPS.get(name) or tuple(c for c in CATEGORIES if name in (c, c[3:]))
        if not members:
            raise ValueError(
                f"ACEBench has no category {name!r} that can be run here; there are:"
                f" {', '.join([*GROUPS, *CATEGORIES])}"
            )
        chosen.update(members)
    return [c for c in CATEGORIES if c in chosen]


def shares(total: str) -> dict[str, float]:
    """Category without its language -> its share of a total.

    Totals are `atom`, `single_turn`, `multi_turn`, `normal`, `special` and `overall`.

    Shares of a part are alike and add up to 1; those of `overall` add up to what the agent categories leave.
    """
    if total == "overall":
        return {
            name: WEIGHTS[kind] / len(_PARTS[kind]) for kind in ("normal", "special") for name in _PARTS[kind]
        }
    return dict.fromkeys(_PARTS[total], 1 / len(_PARTS[total]))


def entries(root: Path, category: str) -> list[Entry]:
    """A category's entries in the file's order.

    `FileNotFoundError` for a missing file, `ValueError` naming file and line for a malformed one.
    """
    language, name = category.split("/")
    folder = root / "data_all" / f"data_{language}"
    questions, labels = (_lines(folder / part / f"data_{name}.json") for part in ("", "possible_answer"))
    out = []
    for number, row in enumerate(questions, 1):
        try:
            id, functions = str(row["id"]), row["function"]
            truth = next(r["ground_truth"] for r in labels[number - 1 :] if r["id"] == id)
            if not isinstance(row["question"], str) or not _TURN.match(row["question"]):
                raise ValueError("the question does not begin with `user:` or `system:`")
            out.append(
                Entry(
                    id=f"{language}/{id}",
                    category=category,
                    unit=f"{language}/{id.rpartition('_')[0] if name in _MULTI_TURN else id}",
                    question=row["question"],
                    functions=tuple(functions if isinstance(functions, list) else [functions]),
                    time=row.get("time") or "",
                    profile=row.get("profile") or "",
                    truth=truth,
                )
            )
        except (KeyError, TypeError, IndexError, StopIteration, ValueError) as error:
            label = (
                "its label is missing"
                if isinstance(error, StopIteration)
                else f"{type(error).__name__}: {error}"
            )
            raise ValueError(
                f"{folder / f'data_{name}.json'}, line {number}: {label}. Is the checkout whole?"
            ) from None
    return out


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: {VARIABLE} must name a whole checkout of ACEBench")
    out = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.strip():
            try:
                out.append(json.loads(line))
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from None
    return out


# --------------------------------------------------------------- samples


def sample_of(entry: Entry) -> Sample:
    """An entry as the policy is asked it.

    The label is the first alternative, for special categories the sentence that is asked for.
    """
    if "special" in entry.category:
        label = Label(
            reply=sentence(entry), mentions=tuple((word.strip(),) for word in (phrase(entry), *named(entry)))
        )
    else:
        label = Label(calls=answers(entry)[0])
    return Sample(
        tools=tools_of(entry.functions),
        messages=(Message(role="system", content=_instruction(entry)), *messages_of(entry.question)),
        label=label,
        kind=entry.category,
        split=entry.category,
        source="acebench",
        meta={"acebench": entry.id},
    )


def tools_of(functions: Sequence[Mapping[str, Any]]) -> tuple[Tool, ...]:
    """Function documents as tools.

    Parameters that stand under `arguments` are parameters, dict becomes object, float number; names stay.
    """
    docs = [
        {**f, "parameters": f.get("parameters") or f.get("arguments") or f.get("_arguments")}
        for f in functions
    ]
    return tuple(
        tool.model_copy(update={"name": doc["name"]})
        for tool, doc in zip(bfcl_tools(docs), docs, strict=True)
    )


_TURN = re.compile(r"^(user|system):[ \t]*", re.MULTILINE)


def messages_of(question: str) -> tuple[Message, ...]:
    """A dialogue in one text as messages: `system` lines are the assistant's.

    One that is a list of calls becomes calls.
    """
    _, *parts = _TURN.split(question)
    out: list[Message] = []
    for role, text in zip(parts[::2], parts[1::2], strict=True):
        calls = calls_in(text) if role == "system" else ()
        out.append(
            Message(
                role="user" if role == "user" else "assistant",
                content="" if calls else text.strip(),
                tool_calls=calls,
            )
        )
    return tuple(out)


_NAME, _KEY = re.compile(r"\s*([^\s()\[\],=]+)\(\s*"), re.compile(r"\s*([^\s()\[\],=]+)\s*=\s*")
_JSON = json.JSONDecoder()


def calls_in(text: str) -> tuple[ToolCall, ...]:
    """The calls of a text `[name(key=JSON value, ...), ...]`.

    None where it is anything else.
    """
    text, at, calls = text.strip(), 1, []
    if not text.startswith("["):
        return ()
    try:
        while name := _NAME.match(text, at):
            at, arguments = name.end(), {}
            while key := _KEY.match(text, at):
                arguments[key[1]], at = _JSON.raw_decode(text, key.end())
                at = re.compile(r"\s*,?").match(text, at).end()  # type: ignore[union-attr]
            calls.append(ToolCall(name=name[1], arguments=arguments))
            if not (end := re.compile(r"\s*\)\s*(,|\]$)").match(text, at)):
                return ()
            at = end.end()
        return tuple(calls) if at == len(text) else ()
    except ValueError:
        return ()


def answers(entry: Entry) -> list[tuple[ToolCall, ...]]:
    """The calls of each alternative of a normal entry's label.

    A number behind a repeated function's name is dropped.
    """
    offered = {f["name"] for f in entry.functions}
    return [
        tuple(
            ToolCall(name=name if name in offered else re.sub(r"_\d+$", "", name), arguments=given)
            for name, given in truth.items()
        )
        for truth in (entry.truth if isinstance(entry.truth, list) else [entry.truth])
    ]


PHRASES = {
    "special_incomplete": "Missing necessary parameters",
    "special_error_param": "There is incorrect value",
    "special_irrelevant": "the limitations of the function",
}
"""What the benchmark's script looks for in an answer to a special entry."""


def phrase(entry: Entry) -> str:
    """The phrase of a special entry."""
    return PHRASES[entry.category.partition("/")[2]]


def named(entry: Entry) -> list[str]:
    """What an answer to a special entry has to name.

    As the script has it: function and parameters, or only the wrong values, or nothing.
    """
    if isinstance(entry.truth, str):
        return []
    return [
        *(entry.truth if "incomplete" in entry.category else ()),
        *(value for values in entry.truth.values() for value in values),
    ]


def sentence(entry: Entry) -> str:
    """The sentence that answers a special entry.

    Its blanks are filled in from the label.
    """
    if isinstance(entry.truth, str):
        return "Due to the limitations of the function, I cannot solve this problem."
    if entry.category.endswith("incomplete"):
        return " ".join(
            f"Missing necessary parameters ({', '.join(missing)}) for the api ({name})."
            for name, missing in entry.truth.items()
        )
    wrong = [(value, name) for name, values in entry.truth.items() for value in values]
    return " ".join(
        f"There is incorrect value ({value}) for the parameters ({name}) in the conversation history."
        for value, name in wrong
    )


# What the labels presuppose and the benchmark's own prompts demand, in this project's words; how a call is
# written the template says.
_NORMAL_TEXT = {
    "en": (
        "Make the calls that the user's last message needs and write nothing else. Give the parameters that"
        " the {source} speaks of, leave out all others. Where a parameter's description asks for no format,"
        " take its value over word for word."
    ),
    "zh": (
        "请调用用户最后一条消息所需要的函数，不要输出其他内容。只填写{source}中提到的参数，其余一律省略。"
        "参数描述没有规定格式时，取值照抄原文。"
    ),
}
_SOURCE = {"en": ("dialogue", "dialogue or the user's profile"), "zh": ("对话", "对话或用户画像")}
_PROFILE = {"en": "The user's profile:", "zh": "用户画像："}
_SPECIAL_TEXT = {
    "en": (
        "Make the calls that the user's last message needs. Where no right call is possible, call nothing and"
        " write one of these sentences, its blanks filled in; try them in this order.\nA value in the"
        " dialogue does not fit the type or form that its parameter asks for: There is incorrect value"
        " (value) for the parameters (parameter) in the conversation history.\nThe dialogue does not give"
        " what a call requires: Missing necessary parameters (parameter, parameter) for the api"
        " (function)\nNone of the functions does what is asked: Due to the limitations of the function, I"
        " cannot solve this problem."
    ),
    "zh": (
        "请调用用户最后一条消息所需要的函数。如果无法做出正确的调用，就不要调用，"
        "只写下面的一句话并填好括号；请按顺序判断。\n对话中某个取值不符合参数要求的类型或格式：There is"
        " incorrect value (取值) for the parameters (参数名) in the conversation"
        " history.\n对话没有给出调用必需的参数：Missing necessary parameters (参数名, 参数名) for the api"
        " (函数名)\n没有函数能完成请求：Due to the limitations of the function, I cannot solve this problem."
    ),
}


def _instruction(entry: Entry) -> str:
    language = entry.category[:2]
    if "special" in entry.category:
        text = _SPECIAL_TEXT[language]
    else:
        text = _NORMAL_TEXT[language].replace("{source}", _SOURCE[language][bool(entry.profile)])
    profile = f"{_PROFILE[language]}\n{entry.profile}" if entry.profile else ""
    return "\n".join(part for part in (text, entry.time, profile) if part)
