"""Match predictions against lists of acceptable values, as BFCL does.

A label is a list of `{function: {parameter: [value, value, ...]}}`; an empty string among the values means
that the parameter may be left out. The verdicts, and the names of the errors, agree with those of the
official checker (bfcl-eval 2026.3.23, `ast_checker`), its leniencies included: they are for evaluation and
for labels in that format, never a training reward (that is `grading.grade`).

Known leniencies that come with the agreement: strings compare by `toolcalls.loose`; Python equality holds
inside lists and dictionaries, so that True equals 1 there; an empty array passes for an optional parameter;
calls are assigned greedily, without backtracking.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from looptool_kit.core.samples import Tool, ToolCall
from looptool_kit.core.toolcalls import Answer, loose
from looptool_kit.stages.evaluate.bfcl.literals import read_java, read_javascript

Language = Literal["python", "java", "javascript"]

_PYTHON: dict[str, type] = {
    "string": str, "integer": int, "float": float, "boolean": bool, "array": list, "tuple": list,
    "dict": dict, "any": str, "number": float, "object": dict,
}  # fmt: skip
_JAVA: dict[str, type] = {
    "byte": int, "short": int, "integer": int, "long": int, "float": float, "double": float,
    "boolean": bool, "char": str, "String": str, "any": str, "Array": list, "ArrayList": list,
    "Queue": list, "Stack": list, "HashMap": dict, "Hashtable": dict, "Set": set,
}  # fmt: skip
_JAVASCRIPT: dict[str, type] = {
    "String": str, "integer": int, "float": float, "Bigint": int, "Boolean": bool, "dict": dict,
    "array": list, "any": str,
}  # fmt: skip
_TYPES: dict[str, dict[str, type]] = {"python": _PYTHON, "java": _JAVA, "javascript": _JAVASCRIPT}
_JSON_TYPES: dict[str, str] = {"dict": "object", "float": "number", "tuple": "array"}


class Result(NamedTuple):
    """The verdict on one prediction."""

    valid: bool
    error_type: str = ""
    """The official checker's name of the first error, e.g. `value_error:string`; empty when valid."""
    errors: tuple[str, ...] = ()
    """What is wrong, in words."""


class _Function(NamedTuple):
    name: str
    properties: Mapping[str, Any]
    required: Sequence[str]


_VALID = Result(True)


def match_acceptable(
    prediction: Answer | Sequence[ToolCall],
    ground_truth: Sequence[Mapping[str, Mapping[str, Sequence[Any]]]],
    tools: Sequence[Tool | Mapping[str, Any]],
    language: Language = "python",
    category: str = "parallel_multiple",
) -> Result:
    """Whether the prediction is an answer that `ground_truth` accepts.

    It decides as BFCL's official AST checker does.

    `tools` are BFCL function documents or, for Python, what `bfcl_tools` made of them; Java and JavaScript
    need the documents, whose types say how to read the arguments (strings in those languages' syntax). Names
    in the prediction have underscores for dots. `category` is BFCL's (with or without `live_`) and decides
    how calls are assigned: `simple*` and `multiple` take one call, `parallel*` any number in any order,
    `irrelevance` no call, `relevance` at least one. As officially, a prediction that did not parse counts as
    holding no call: right for irrelevance, wrong elsewhere. Raises `ValueError` where the label or its tools
    are malformed, never because of the prediction.
    """
    if isinstance(prediction, Answer):
        failed, calls = prediction.error is not None, list(prediction.calls)
    else:
        failed, calls = False, list(prediction)
    if "irrelevance" in category:
        return (
            Result(False, "irrelevance_error:decoder_success", ("A call where none of the tools fits.",))
            if calls and not failed
            else _VALID
        )
    if "relevance" in category:
        return (
            _VALID
            if calls and not failed
            else Result(False, "relevance_error:decoder_failed", ("No call where one is due.",))
        )
    if failed:
        return Result(False, "ast_decoder:decoder_failed", ("The prediction could not be read as calls.",))
    functions = [_function(t) for t in tools]
    label = [_label(entry) for entry in ground_truth]
    if not label or not functions:
        raise ValueError(
            "a label needs at least one call and one tool: check the row's `ground_truth` and `function`"
            " lists"
        )
    if "parallel" in category:
        return _parallel(calls, label, functions, language)
    checker = "multiple_function_checker" if "multiple" in category else "simple_function_checker"
    if len(calls) != (len(label) if "multiple" in category else 1):
        return Result(False, f"{checker}:wrong_count", (f"{len(calls)} calls instead of 1.",))
    name, acceptable = label[0]
    function = _by_name(functions, name) if "multiple" in category else functions[0]
    return _call(calls[0], function, acceptable, language)


def bfcl_tools(function_docs: Sequence[Mapping[str, Any]], language: Language = "python") -> list[Tool]:
    """BFCL function documents as tools with JSON Schema parameters.

    dict -> object, float -> number, tuple -> array, any -> no type; dots in names -> underscores. For Java
    and JavaScript every parameter is a string in that language's syntax, and its description says so.
    """
    out = []
    for doc in function_docs:
        parameters = dict(doc.get("parameters") or {})
        properties = {
            k: _schema(v) if language == "python" else _as_text(v, language)
            for k, v in (parameters.get("properties") or {}).items()
        }
        schema: dict[str, Any] = {"type": "object", "properties": properties}
        if parameters.get("required"):
            schema["required"] = list(parameters["required"])
        out.append(Tool(name=_legal(doc["name"]), description=doc.get("description", ""), parameters=schema))
    return out


def _legal(name: str) -> str:
    return name.replace(".", "_")


def _schema(node: Any) -> Any:
    if not isinstance(node, Mapping):
        return node
    out: dict[str, Any] = {}
    for key, value in node.items():
        if key == "type" and isinstance(value, str):
            if value != "any":
                out[key] = _JSON_TYPES.get(value, value)
        elif key == "properties" and isinstance(value, Mapping):
            out[key] = {name: _schema(sub) for name, sub in value.items()}
        elif key in ("items", "additionalProperties"):
            out[key] = _schema(value)
        else:
            out[key] = value
    if "required" in out and not isinstance(out["required"], list):
        del out[
            "required"
        ]  # some documents say `"required": true` at a parameter, which JSON Schema does not know
    return out


def _as_text(node: Mapping[str, Any], language: Language) -> dict[str, Any]:
    kind = node.get("type", "any")
    words = [
        str(node.get("description", "")).strip(),
        f"Written as {'Java' if language == 'java' else 'JavaScript'} source",
    ]
    words[1] += "." if kind == "any" else f" of type {kind}."
    if isinstance(node.get("items"), Mapping):
        words.append(f"Its elements are of type {node['items'].get('type', 'any')}.")
    if isinstance(node.get("properties"), Mapping):
        words.append(f"Its entries: {json.dumps(node['properties'], ensure_ascii=False)}")
    return {"type": "string", "description": " ".join(w for w in words if w)}


def _function(tool: Tool | Mapping[str, Any]) -> _Function:
    if isinstance(tool, Tool):
        return _Function(tool.name, tool.properties, tool.required)
    try:
        parameters = tool["parameters"]
        return _Function(tool["name"], parameters.get("properties") or {}, parameters.get("required") or ())
    except (KeyError, TypeError, AttributeError):
        raise ValueError("a function document needs `name` and `parameters` with `properties`") from None


def _label(entry: Mapping[str, Mapping[str, Sequence[Any]]]) -> tuple[str, Mapping[str, Sequence[Any]]]:
    if not isinstance(entry, Mapping) or not entry:
        raise ValueError("a call of the label is an object {function: {parameter: [acceptable values]}}")
    name, acceptable = next(iter(entry.items()))
    if not isinstance(acceptable, Mapping) or not all(
        isinstance(v, list | tuple) for v in acceptable.values()
    ):
        raise ValueError(f"the label of {name} must give each parameter a list of acceptable values")
    return name, acceptable


def _by_name(functions: Sequence[_Function], name: str) -> _Function:
    for function in functions:
        if _legal(function.name) == _legal(name):
            return function
    raise ValueError(f"the label calls {name}, which is not among the tools of its row")


def _parallel(
    calls: list[ToolCall],
    label: list[tuple[str, Mapping[str, Sequence[Any]]]],
    functions: Sequence[_Function],
    language: Language,
) -> Result:
    checker = "parallel_function_checker_no_order"
    if len(calls) != len(label):
        return Result(False, f"{checker}:wrong_count", (f"{len(calls)} calls instead of {len(label)}.",))
    free = list(range(len(calls)))
    for at, (name, acceptable) in enumerate(label, 1):
        function = _by_name(functions, name)
        errors: list[str] = []
        for i in free:
            result = _call(calls[i], function, acceptable, language)
            if result.valid:
                free.remove(i)
                break
            errors.extend(f"Call {i + 1} is not expected call {at}: {error}" for error in result.errors)
        else:
            return Result(False, f"{checker}:cannot_find_match", tuple(errors))
    return _VALID


def _call(
    call: ToolCall, function: _Function, acceptable: Mapping[str, Sequence[Any]], language: Language
) -> Result:
    checker = "simple_function_checker"
    if call.name != _legal(function.name):
        return Result(
            False,
            f"{checker}:wrong_func_name",
            (f"{call.name} is called instead of {_legal(function.name)}.",),
        )
    for parameter in function.required:
        if parameter not in call.arguments:
            return Result(
                False, f"{checker}:missing_required", (f"Required parameter {parameter!r} is missing.",)
            )
    for parameter, value in call.arguments.items():
        if parameter not in function.properties or parameter not in acceptable:
            return Result(
                False, f"{checker}:unexpected_param", (f"Parameter {parameter!r} is not expected.",)
            )
        error = _value_error(value, list(acceptable[parameter]), function.properties[parameter], language)
        if error:
            text = json.dumps(value, ensure_ascii=False, default=str)
            return Result(
                False,
                error,
                (f"Parameter {parameter!r} is {text}, expected one of {list(acceptable[parameter])}.",),
            )
    for parameter, values in acceptable.items():
        if parameter not in call.arguments and "" not in values:
            return Result(
                False,
                f"{checker}:missing_optional",
                (f"Parameter {parameter!r} is missing and not marked as optional.",),
            )
    return _VALID


def _value_error(value: Any, acceptable: list[Any], schema: Mapping[str, Any], language: Language) -> str:
    """The name of an argument's error, empty if none."""
    kind = _kind(schema)
    expected = _TYPES[language].get(kind)
    if expected is None:
        raise ValueError(f"a parameter is of type {kind!r}, which BFCL does not know for {language}")
    inner_kind = _kind(schema.get("items"))
    has_inner = kind in (("array", "tuple") if language == "python" else ("array", "Array", "ArrayList"))
    inner = _TYPES[language].get(inner_kind) if has_inner else None
    if language != "python":
        if not isinstance(value, str):
            return "type_error:java" if language == "java" else "type_error:js"
        value = (read_java if language == "java" else read_javascript)(
            value, kind, inner_kind if has_inner else ""
        )
    elif expected is float and type(value) is int:
        value = _as_float(value)

    error, is_variable = _type_error(value, acceptable, expected, inner)
    if error:
        return error
    if is_variable:  # the label names a variable, or uses another type than declared: plain equality
        return "" if value in acceptable else "value_error:others"
    if expected is dict:
        return _dict_error(value, acceptable)
    if expected is list and inner is dict:
        return _dicts_error(value, acceptable)
    if expected is str:
        return (
            ""
            if loose(value) in [loose(a) for a in acceptable if isinstance(a, str)]
            else "value_error:string"
        )
    if expected is list:
        return (
            "" if _loose_items(value) in [_loose_items(a) for a in acceptable] else "value_error:list/tuple"
        )
    return "" if value in acceptable else "value_error:others"


def _as_float(value: int) -> Any:
    try:
        return float(value)
    except OverflowError:
        return value


def _kind(schema: Any) -> str:
    kind = schema.get("type", "any") if isinstance(schema, Mapping) else "any"
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "any")
    return str(kind)


def _type_error(value: Any, acceptable: list[Any], expected: type, inner: type | None) -> tuple[str, bool]:
    """The name of a type error, empty where there is none.

    Also whether the label's values are of another type than the declared one.
    """
    label_type = _label_type(acceptable)
    items: Any = value
    if type(value) is expected:
        if inner is None or any(
            not isinstance(a, list) or all(type(v) in (inner, _label_type(a)) for v in items)
            for a in acceptable
        ):
            return "", label_type is not None and label_type is not expected
        return ("type_error:nested" if label_type is expected else "type_error:simple"), False
    return ("", True) if type(value) is label_type else ("type_error:simple", False)


def _label_type(acceptable: Sequence[Any]) -> type | None:
    return next((type(a) for a in acceptable if a != ""), None)


def _loose_items(values: Any) -> Any:
    # A variable's name among lists is read letter by letter, as officially; only its empty form (optional)
    # ever equals a list.
    return (
        [loose(v) if isinstance(v, str) else v for v in values]
        if isinstance(values, list | tuple | str)
        else values
    )


def _dict_error(value: dict[str, Any], acceptable: Sequence[Any]) -> str:
    error = "dict_checker:unclear"
    for candidate in acceptable:
        if isinstance(candidate, Mapping):
            error = _entries_error(value, candidate)
            if not error:
                return ""
    return error


def _entries_error(value: dict[str, Any], candidate: Mapping[str, Any]) -> str:
    # A missing key hides an earlier error's name, as officially.
    if any(key not in value and "" not in allowed for key, allowed in candidate.items()):
        return "value_error:dict_key"
    for key, entry in value.items():
        if key not in candidate:
            return "value_error:dict_key"
        if (loose(entry) if isinstance(entry, str) else entry) not in [
            loose(a) if isinstance(a, str) else a for a in candidate[key]
        ]:
            return "value_error:dict_value"
    return ""


def _dicts_error(value: list[Any], acceptable: Sequence[Any]) -> str:
    error = "list_dict_checker:unclear"
    for candidate in acceptable:
        wanted_items = list(candidate) if isinstance(candidate, list | tuple | str) else None
        if wanted_items is None or len(wanted_items) != len(value):
            error = "value_error:list_dict_count"
            continue
        error = ""
        for item, wanted in zip(value, wanted_items, strict=True):
            error = _dict_error(item, [wanted]) if isinstance(item, dict) else "dict_checker:unclear"
            if error:
                break
        if not error:
            return ""
    return error
