"""Answer JSON lines from the official data, checkers and environments.

It runs inside BFCL's own environment; this project never imports it.

Started by `bfcl_env.Worker`. Every request is an object with `op` and its arguments, every answer `{"ok":
...}` or `{"error": ...}`.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import sys
import types
from typing import Any

MODEL = "policy"


def _stub() -> None:
    # The real table of models imports the client library of every vendor; the checker asks it only whether
    # dots in names become underscores.
    models = types.ModuleType("bfcl_eval.constants.model_config")
    models.MODEL_CONFIG_MAPPING = {MODEL: types.SimpleNamespace(underscore_to_dot=True)}  # type: ignore[attr-defined]
    sys.modules[models.__name__] = models


class Official:
    """The official package; entries are loaded once a category."""

    def __init__(self) -> None:
        _stub()
        from bfcl_eval import utils
        from bfcl_eval.constants import default_prompts
        from bfcl_eval.constants.enums import Language
        from bfcl_eval.eval_checker.ast_eval.ast_checker import ast_checker
        from bfcl_eval.eval_checker.multi_turn_eval import multi_turn_checker, multi_turn_utils

        self.utils, self.prompts, self.ast_checker = utils, default_prompts, ast_checker
        self.multi_turn, self.executor = multi_turn_checker.multi_turn_checker, multi_turn_utils
        self.languages = {"simple_java": Language.JAVA, "simple_javascript": Language.JAVASCRIPT}
        self.python = Language.PYTHON
        self.loaded: dict[str, dict[str, dict[str, Any]]] = {}
        self.truths: dict[str, list[Any]] = {}

    def entries(self, category: str) -> list[dict[str, Any]]:
        """The entries of a category, as the official code prepares them.

        Each has its id, turns (messages of each), tools as they are shown to a model, tools that a later turn
        adds, tools as the checker reads them, and truth.
        """
        raw = self._raw(category)
        shown = self.utils.load_dataset_entry(category)
        out = []
        for entry in shown:
            later = entry.get("missed_function") or {}
            turns = [
                (
                    turn
                    if str(at) not in later
                    else [
                        {
                            "role": "user",
                            "content": self.prompts.DEFAULT_USER_PROMPT_FOR_ADDITIONAL_FUNCTION_FC,
                        }
                    ]
                )
                for at, turn in enumerate(entry["question"])
            ]
            out.append(
                {
                    "id": entry["id"],
                    "turns": turns,
                    "tools": entry["function"],
                    "later": later,
                    "docs": raw[entry["id"]]["function"],
                    "truth": self.truths.get(entry["id"], []),
                }
            )
        return out

    def check(self, id: str, calls: list[list[Any]] | None) -> dict[str, Any]:
        """The verdict on one turn's calls [[name, arguments], ...].

        None: the answer could not be read.
        """
        category = id.rsplit("_", 1)[0]
        decoded = None if calls is None else [{name: arguments} for name, arguments in calls]
        if "relevance" in category:
            called = decoded is not None and not self.utils.is_empty_output(decoded)
            if "irrelevance" in category:
                return {
                    "valid": not called,
                    "error_type": "irrelevance_error:decoder_success" if called else "",
                    "error": [],
                }
            return {
                "valid": called,
                "error_type": "" if called else "relevance_error:decoder_failed",
                "error": [],
            }
        if decoded is None:
            return {"valid": False, "error_type": "ast_decoder:decoder_failed", "error": ["Invalid syntax."]}
        entry = copy.deepcopy(self._raw(category)[id])
        language = self.languages.get(category, self.python)
        try:
            result = self.ast_checker(
                entry["function"], decoded, copy.deepcopy(self.truths[id]), language, category, MODEL
            )
        except Exception as error:
            # A value of a shape that the official code does not expect stops its whole evaluation; here it is
            # a wrong answer.
            return {
                "valid": False,
                "error_type": "checker:exception",
                "error": [f"{type(error).__name__}: {error}"],
            }
        valid = bool(result["valid"])
        return {
            "valid": valid,
            "error_type": "" if valid else result["error_type"],
            "error": [] if valid else result["error"],
        }

    def execute(self, session: str, id: str, calls: list[list[Any]]) -> list[str]:
        """Run one step's calls in a dialogue's environment; their results."""
        entry = self._raw(id.rsplit("_", 1)[0])[id]
        results: list[str]
        results, _ = self.executor.execute_multi_turn_func_call(
            [self._source(entry, *call) for call in calls],
            entry["initial_config"],
            entry["involved_classes"],
            session,
            id,
            "long_context" in id,
        )
        return results

    def check_turns(self, id: str, turns: list[Any], source: bool = False) -> dict[str, Any]:
        """The verdict on a dialogue: turns of steps of calls.

        With `source`, calls are source text, as the benchmark's own labels are.
        """
        entry, truth = self._raw(id.rsplit("_", 1)[0])[id], self.truths[id]
        if len(turns) != len(truth):
            return {
                "valid": False,
                "error_type": "multi_turn:force_terminated",
                "error": [f"{len(turns)} turns instead of {len(truth)}."],
            }
        steps = (
            turns
            if source
            else [[[self._source(entry, *call) for call in step] for step in turn if step] for turn in turns]
        )
        try:
            result = self.multi_turn(steps, copy.deepcopy(truth), entry, id.rsplit("_", 1)[0], "check")
        except Exception as error:
            result = {
                "valid": False,
                "error_type": "checker:exception",
                "error_message": f"{type(error).__name__}: {error}",
            }
        finally:
            self.forget("check", id)
        valid = bool(result["valid"])
        return {
            "valid": valid,
            "error_type": "" if valid else result["error_type"],
            "error": [] if valid else [str(result["error_message"])],
        }

    def forget(self, session: str, id: str) -> None:
        """Drop a dialogue's environments from the official module's globals."""
        start = "".join("_" if c in "-./:" else c for c in session)
        for name in [n for n in vars(self.executor) if n.startswith(start + "_") and n.endswith("_instance")]:
            delattr(self.executor, name)

    def _raw(self, category: str) -> dict[str, dict[str, Any]]:
        if category not in self.loaded:
            # Without the hints that are added for a model: what the official runner hands to its checkers.
            self.loaded[category] = {
                e["id"]: e
                for e in self.utils.load_dataset_entry(category, include_language_specific_hint=False)
            }
            if "relevance" not in category:
                pairs = zip(self.loaded[category], self.utils.load_ground_truth_entry(category), strict=True)
                self.truths |= {id: row["ground_truth"] for id, row in pairs}
        return self.loaded[category]

    def _source(self, entry: dict[str, Any], name: str, arguments: dict[str, Any]) -> str:
        # The official environments run a call's text with `eval`. Names are only let through where the
        # dialogue has such a function, so that nothing but literals can stand in the text; any other fails
        # there as an unknown name would.
        names = {doc["name"] for doc in entry["function"]} | {
            d["name"] for docs in (entry.get("missed_function") or {}).values() for d in docs
        }
        if name not in names or not all(key.isidentifier() for key in arguments):
            return "no_such_function()"
        return f"{name}({','.join(f'{k}={v!r}' for k, v in arguments.items())})"


def main() -> None:
    """Answer requests until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever the package prints must not mix with the answers
    official = Official()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            with contextlib.redirect_stdout(sys.stderr):
                answer = {"ok": getattr(official, request.pop("op"))(**request)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer, default=str) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
