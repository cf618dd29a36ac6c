"""How ACEBench scores an answer, and a strict reading beside it.

The rules are written again from its own script (`eval_main.py`, `model_eval/checker.py`).

`official` gives the script's verdict, with the leniencies that were observed in it: **for evaluation only,
never a reward or a label.**

- A truth value and an integer are never compared, only their type is; a fraction passes where the label is
  one, whatever it is (`number` means an integer to the script, and a label of another type than the declared
  one is not compared at all).
- A string passes where it contains the label's, both without case, spaces and ` ,./-_*^`. Inside an object
  every value is compared so, as printed: 15 passes for 5, and the printed list of the label must stand in the
  printed list of the answer.
- A parameter of the label that is not required may be missing. Calls are not assigned: two expected calls of
  one function may be met by one.
- "true" and "false" as text pass for truth values.
- Special categories look for phrases in the raw text, whatever else it says or calls, and for names inside
  longer names.

And the other way: no right answer passes an empty list or object, a list of texts with spaces inside an
object (the script drops the spaces of the answer only), a function whose own name ends in `_` and a number,
or a text labelled "true". What stops the script with an error is wrong here (`checker:exception`). The script
reads `[Name(key='value')]`, a policy's answers are tool calls: they are compared as if written in that form.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from looptool_kit.core.samples import Label, ToolCall
from looptool_kit.core.toolcalls import Answer, loose, match, parse
from looptool_kit.stages.evaluate.acebench.labels import PHRASES, Entry, answers, named, phrase
from looptool_kit.stages.evaluate.bfcl.acceptable import Result

_TYPES: dict[str, type] = {
    "string": str,
    "integer": int,
    "number": int,
    "float": float,
    "boolean": bool,
    "array": list,
    "object": dict,
    "dict": dict,
}
_NESTED = ("array", "object")
_VALID = Result(True)
Read = Callable[[str, str], Answer]
"""The parser of a policy's text: its own form's."""


def official(entry: Entry, text: str, finish_reason: str = "stop", read: Read = parse) -> Result:
    """The script's verdict on a policy's answer."""
    if "special" in entry.category:
        return _phrases(entry, text)
    answer = read(text, finish_reason)
    if answer.error or not answer.calls:
        return Result(False, "wrong_output_format", (answer.detail or "No call.",))
    return official_calls(entry, answer.calls)


def strict(entry: Entry, text: str, finish_reason: str = "stop", read: Read = parse) -> bool:
    """Judge an answer without leniency.

    Normal: ToolMatch with one of the label's alternatives. Special: no call, and the sentence that was asked
    for naming the very function, parameters and values of the label, no others, and without another of the
    three sentences.
    """
    answer = read(text, finish_reason)
    if "special" not in entry.category:
        return any(match(answer, Label(calls=calls)) for calls in answers(entry))
    if not no_call(answer) or [p for p in PHRASES.values() if p in answer.text] != [phrase(entry)]:
        return False
    if isinstance(entry.truth, str):
        return "Due to the limitations of the function, I cannot solve this problem" in answer.text
    pattern = (
        r"parameters \((.+?)\) for the api \((.+?)\)"
        if "incomplete" in entry.category
        else r"value \((.+?)\) for the parameters \((.+?)\)"
    )
    texts: dict[str, set[str]] = {}
    for first, second in re.findall(pattern, answer.text):
        texts.setdefault(second.strip(), set()).update(_parts(first))
    return texts == {
        name: {part for value in values for part in _parts(value)} for name, values in entry.truth.items()
    }


def no_call(answer: Answer) -> bool:
    """Whether an answer says something and calls nothing.

    No more can be told of a policy that asks or declines in its own words.
    """
    return not answer.error and not answer.calls and bool(answer.text)


# ----------------------------------------------------------------- special


def _parts(text: str) -> set[str]:
    return {part.strip(" '\"") for part in re.split("[,，、]", text)} - {""}


def _phrases(entry: Entry, text: str) -> Result:
    if phrase(entry) not in text:
        return Result(False, "error_detection", (f"The answer does not say {phrase(entry)!r}.",))
    left = [word for word in named(entry) if word not in text]
    return (
        Result(False, "error_correction", (f"The answer does not name {', '.join(left)}.",))
        if left
        else _VALID
    )


# ------------------------------------------------------------------ normal


def official_calls(entry: Entry, calls: Sequence[ToolCall]) -> Result:
    """The script's verdict on the calls of a normal entry.

    Right where one alternative accepts them; else the first one's objection.
    """
    spaceless = [(c.name.replace(" ", ""), _spaceless(c.arguments)) for c in calls]
    results = []
    for expected in entry.truth if isinstance(entry.truth, list) else [entry.truth]:
        try:
            results.append(_all_calls(entry.functions, spaceless, expected))
        except (KeyError, TypeError, AttributeError) as error:
            return Result(
                False,
                "checker:exception",
                (f"The benchmark's script would stop here with {type(error).__name__}.",),
            )
        if results[-1].valid:
            return _VALID
    return results[0]


def _spaceless(value: Any) -> Any:
    # The script takes all white space out of the answer's text before it reads it, that in strings and keys
    # too.
    if isinstance(value, str):
        return value.replace(" ", "")
    if isinstance(value, dict):
        return {_spaceless(k): _spaceless(v) for k, v in value.items()}
    return [_spaceless(v) for v in value] if isinstance(value, list) else value


def _all_calls(
    functions: Sequence[Mapping[str, Any]], calls: Sequence[tuple[str, Any]], expected: Mapping[str, Any]
) -> Result:
    if len(calls) != len(expected):
        return Result(False, "wrong functions number", (f"{len(calls)} calls instead of {len(expected)}.",))
    wanted = [(key, re.sub(r"_\d+$", "", key), arguments) for key, arguments in expected.items()]
    if Counter(name for name, _ in calls) != Counter(name for _, name, _ in wanted):
        return Result(
            False,
            "function_mismatch",
            (f"calls of {', '.join(n for n, _ in calls)} instead of {', '.join(n for _, n, _ in wanted)}",),
        )
    for key, name, arguments in wanted:
        function = next((f for f in functions if f["name"] in key), None)
        result = _VALID
        for given in (given for called, given in calls if called == name):
            result = _call(function, name, given, arguments)
            if result.valid:
                break
        if not result.valid:
            return result
    return _VALID


def _call(function: Any, name: str, given: Mapping[str, Any], expected: Mapping[str, Any]) -> Result:
    parameters = function["parameters"]
    if given == {} or parameters == {}:
        return (
            _VALID
            if given == {} and parameters == {}
            else Result(False, "wrong_param", (f"arguments of {name} missing",))
        )
    properties = parameters["properties"]
    if expected == properties:
        return _VALID
    if expected == {}:
        return Result(False, "wrong_param", (f"{name} takes no arguments here",))
    if function["name"] != name:
        return Result(False, "wrong_function_name", (f"{name} instead of {function['name']}",))
    if lacking := [p for p in parameters["required"] if p not in given]:
        return Result(False, "lack_args", (f"{name} lacks {', '.join(lacking)}",))
    for parameter, value in given.items():
        if parameter not in properties or parameter not in expected:
            return Result(False, "addition_args", (f"{name} has no {parameter} in the label",))
        error = _argument(properties[parameter], value, expected[parameter])
        if error:
            return Result(
                False, error, (f"{name}.{parameter}: {value!r} instead of {expected[parameter]!r}",)
            )
    return _VALID


def _argument(schema: Mapping[str, Any], value: Any, label: Any) -> str:
    """The name of the error, empty where there is none."""
    kind = _TYPES[schema["type"]]
    inner = None
    if schema["type"] in _NESTED:
        items = schema.get("items")
        inner = _TYPES[items["type"]] if isinstance(items, Mapping) and "type" in items else dict
    if schema["type"] == "float" and type(value) is int:
        value = float(value)
    passes, free = _typed(value, label, kind, inner)
    if not passes:
        return "type_error"
    if free or _equal(value, label, kind, inner):
        return ""
    if kind is str:
        return "value_error:string"
    return "value_error:list/tuple" if kind is list and inner is not dict else "value_error"


def _typed(value: Any, label: Any, kind: Any, inner: Any) -> tuple[bool, bool]:
    """(whether the type passes, whether the value is then never looked at)."""
    value = _truth_value(value)
    if type(value) is kind:
        if inner is None:
            return True, label != "" and type(label) is not kind
        passes = any(
            type(item) is not list or all(_typed(v, item, inner, None)[0] for v in value) for item in label
        )
        return passes, label != "" and type(label) is not kind
    return label != "" and (type(value) is type(label) or label == value), True


def _equal(value: Any, label: Any, kind: type, inner: type | None) -> bool:
    if kind is dict:
        return _objects(value, label)
    if kind is str:
        return loose(label) in loose(value)
    if kind is list and inner is dict:
        return len(value) == len(label) and all(_objects(v, w) for v, w in zip(value, label, strict=True))
    if kind is list:
        return bool([_loose(v) for v in value] == [_loose(w) for w in label])
    return True


def _objects(value: Any, label: Any) -> bool:
    if not isinstance(value, dict) or len(value) != len(label.keys()):
        return False
    for key, inside in value.items():
        inside = _truth_value(inside)
        if key not in label:
            return False
        if isinstance(label[key], dict):
            if not _objects(inside, label[key]):
                return False
        elif str(_loose(label[key])) not in str(_loose(inside)):
            return False
    return True


def _loose(value: Any) -> Any:
    return loose(value) if isinstance(value, str) else value


def _truth_value(value: Any) -> Any:
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
