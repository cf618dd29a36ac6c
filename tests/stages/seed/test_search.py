"""The source `search`: made-up records, and a file's records with a model that writes."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mock_llm import MockLLM
from scripted_agents import part, wants

from looptool_kit import trust
from looptool_kit.checks.rules import passes
from looptool_kit.config import load_preset
from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Truths
from looptool_kit.core.samples import Samples
from looptool_kit.run.folder import Run
from looptool_kit.stages.seed.search.hotpot import read_records, read_row
from looptool_kit.stages.seed.stage import seed
from looptool_kit.stages.seed.stage import stage as seed_stage
from looptool_kit.world.search.facts import is_held

SMALL = {
    "seeds__first": 60,
    "iterations": 2,
    "seeds__fresh": [10, 6],
    "seeds__held_out": 24,
    "search__variants": 2,
}


def made(folder: Path, **settings: object) -> tuple[Run, Samples]:
    run = Run.create(folder, "cpu-quick", seeds__source="search", **{**SMALL, **settings})  # type: ignore
    seed(run)
    return run, run.table(Samples, "pool", 0)


# --------------------------------------------------------------- made-up records


def test_a_pool_of_searches(tmp_path: Path) -> None:
    run, pool = made(tmp_path / "a", seeds__development=8)
    _, again = made(tmp_path / "b", seeds__development=8)
    assert pool == again and len(pool) == 76 and len({s.id for s in pool}) == 76
    assert {(s.source, s.split) for s in pool} == {("search", "train")} and all(map(passes, pool))
    assert not run.table(Truths, "truth", 0)
    development = run.table(Samples, "development", 0)
    assert len(development) == 8 and not {s.id for s in development} & {s.id for s in pool}


def test_held_out_samples_are_about_other_names_and_other_tools(tmp_path: Path) -> None:
    run, pool = made(tmp_path / "a")
    held_out = run.table(Samples, "held_out", 0)
    assert Counter(s.split for s in held_out) == {"unseen_records": 24, "unseen_tools": 24}
    cities_and_years = {
        f[2] for s in pool for f in s.meta["facts"] if f[1].endswith(("year", "place", "city", "quarters"))
    }  # type: ignore
    for table, held in ((pool, False), (held_out, True)):
        names = {n for s in table for f in s.meta["facts"] for n in (f[0], f[2])}  # type: ignore
        assert {is_held(n) for n in names if " " in n and n not in cities_and_years} == {held}  # type: ignore
    trained = {t.name for s in pool for t in s.tools}
    for sample in held_out:
        known = [t.name in trained for t in sample.tools]
        assert any(known) == (sample.split == "unseen_records")
    assert all(map(passes, held_out)) and {s.kind for s in held_out} >= {"recovery", "finish"}


def test_a_longer_pool_begins_with_the_shorter_one(tmp_path: Path) -> None:
    run, pool = made(tmp_path / "a")
    run.set(seeds__fresh=[10, 60])
    seed(run)
    longer = run.table(Samples, "pool", 0)
    assert len(longer) == 130 and list(longer[:76]) == list(pool)


def test_a_share_for_later_and_a_judge_make_no_seed_data_again(tmp_path: Path) -> None:
    run, _ = made(tmp_path / "a")
    run.set(search__share=0.5, judge_llm__base_url="http://localhost:1/v1", judge_llm__model="m")
    assert seed_stage(run).done
    run.set(search__top=[2, 3])
    assert not seed_stage(run).done


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"search__hops": [2, 3], "search__patterns": ["direct"]}, r"search\.hops.*search\.patterns"),
        ({"search__same": 0.999}, r"search\.same.*search\.words.*search\.variants"),
    ],
)
def test_what_cannot_be_made_names_the_settings(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(RunError, match=words):
        made(tmp_path / "a", **settings)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"search__hops": [2, 4]}, "hops are the fewest"),
        ({"search__top": [3, 2]}, "top is the fewest"),
        ({"search__patterns": ["strange"]}, "choose from direct, bad_argument"),
    ],
)
def test_settings_out_of_order_are_an_error(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        load_preset("cpu-quick", **settings)


# ---------------------------------------------------------------- a file's records

NAMES = ("Ava", "Bo", "Cy", "Dot", "Eli", "Fay", "Gus", "Hal", "Ivy", "Jo", "Kit", "Lou")


def row(number: int, hops: int = 2, **changes: Any) -> dict[str, Any]:
    """A question in HotpotQA's form, made up here."""
    who = f"{NAMES[number % len(NAMES)]} Quill{number}"
    context = [
        [f"Book {number}", [f"Book {number} is a story.", f" It was written by {who}."]],
        [who, [f"{who} is a writer.", f" The home of {who} is Town{number}."]],
        ["Other", ["Nothing to the point stands here."]],
        ["Another", [f"Town{number + 900} is a town.", " It has a mill."]],
    ]
    question = (
        f"In which town is the home of the writer of Book {number}?"
        if hops == 2
        else f"Who wrote Book {number}?"
    )
    facts = [[f"Book {number}", 1], [who, 1]][:hops]
    answer = f"Town{number}" if hops == 2 else who
    if changes.get("type") == "comparison":
        question, answer = f"Of Book {number} and {who}, which is a story?", f"Book {number}"
    return {
        "_id": str(number),
        "question": question,
        "answer": answer,
        "context": context,
        "supporting_facts": facts,
    } | changes


def test_both_forms_of_a_row_are_read() -> None:
    lists = row(1)
    columns = lists | {
        "context": {"title": [t for t, _ in lists["context"]], "sentences": [s for _, s in lists["context"]]},
        "supporting_facts": {"title": [t for t, _ in lists["supporting_facts"]], "sent_id": [1, 1]},
    }
    record, both = read_row(lists)
    assert read_row(columns) == (record, both) and not both
    assert record.answers == ("Town1",) and record.supporting == (0, 1)
    assert record.passages[0].text == "Book 1 is a story. It was written by Bo Quill1."
    assert read_row(row(1, type="comparison")).both


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"question": " "}, "question is not a text"),
        ({"answer": None}, "answer is not a text"),
        ({"context": "text"}, "context is not a list of pairs"),
        ({"context": {"title": ["a"]}}, "two columns title and sentences"),
        ({"context": [["a", ["x"]], ["a", ["y"]]]}, "two paragraphs of one title"),
        ({"context": [["a", []]]}, "the paragraph 'a' is empty"),
        ({"supporting_facts": []}, "supporting_facts is empty"),
        ({"supporting_facts": [["Nowhere", 0]]}, "'Nowhere', which is not a title"),
    ],
)
def test_a_row_that_lacks_something_says_what(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    file, refused = tmp_path / "rows.jsonl", list[tuple[int, str]]()
    lines = [row(1), row(2, **changes), row(3), row(1)]
    file.write_text("\n".join(json.dumps(r) for r in lines) + "\n[1]\nno json\n")
    rows = read_records(file, lambda number, raw, reason: refused.append((number, reason)))
    assert [r.record.question for r in rows] == [row(n)["question"] for n in (1, 3)]
    assert [n for n, _ in refused] == [2, 4, 5, 6] and words in refused[0][1]
    assert "earlier line" in refused[1][1] and "not a JSON object" in refused[2][1]


class Writer:
    """Plays the model that writes and the one that judges; `spoil` changes what is written about a record."""

    def __init__(self, spoil: dict[int, str] | None = None) -> None:
        self.spoil, self.asked = spoil or {}, Counter[str]()

    def __call__(self, body: dict[str, Any]) -> str:
        form = wants(body)
        self.asked[",".join(sorted(form))] += 1
        if "verdict" in form:
            wrong = 5 in self.spoil and re.search(r"Book 5\b", body["messages"][-1]["content"])
            return json.dumps({"reasoning": "Checked.", "verdict": "wrong" if wrong else "right"})
        pattern, titles = part(body, "Pattern"), part(body, "Supporting passages")
        number = int(next(t for t in titles if t.startswith("Book")).split()[1])
        spoiled = self.spoil.get(number, "")
        if "steps" in form:
            return json.dumps(self.plan(pattern, titles, spoiled))
        return json.dumps(self.dialogue(body, spoiled))

    def plan(self, pattern: dict[str, Any], titles: list[str], spoiled: str) -> dict[str, Any]:
        names = {"Book": "book_search", "chain_one": "any_search"}
        steps, left = [], list(titles)
        for words in pattern["steps"]:
            if words.startswith("2"):
                steps.append({"tools": ["book_search", "person_search"], "passages": left})
                continue
            name = names.get(left[0].split()[0], "person_search")
            name = names.get(pattern["name"], name)
            if "not for this" in words:
                steps.append({"tools": ["town_search"], "passages": [left[0]]})
            elif "slip" in words:
                steps.append({"tools": [name], "passages": [left[0]]})
            else:
                steps.append({"tools": [name], "passages": [left.pop(0)]})
        if spoiled == "plan":
            steps.append(steps[-1])
        parameters = [
            {"name": "name", "description": "Name.", "required": True},
            {"name": "language", "description": "Language.", "required": False},
        ]
        tools = ["book_search", "person_search", "town_search", "any_search"]
        return {
            "tools": [{"name": n, "description": f"{n} by name.", "parameters": parameters} for n in tools],
            "steps": steps,
        }

    def dialogue(self, body: dict[str, Any], spoiled: str) -> dict[str, Any]:
        steps, answer = (
            part(body, "Planned steps"),
            body["messages"][-1]["content"].split("## Answer\n")[1].split("\n")[0],
        )
        turns = []
        for step in steps:
            calls = []
            for tool, title in zip(step["tools"], step["for"], strict=True):
                name = f"{title}x" if "slip" in step["what"] and spoiled != "retry" else title
                calls.append({"name": tool, "arguments": {"name": name}})
            turns.append({"thought": "Next.", "calls": calls})
        if spoiled == "tool":
            turns[0]["calls"][0]["name"] = "town_search"
        if spoiled == "ungrounded":
            turns[-1]["calls"][0]["arguments"]["name"] = "Grand Duke Xavier"
        reply = "I could not find it." if answer.startswith("(none") else f"It is {answer}."
        return {"turns": turns, "reply": "No idea." if spoiled == "answer" else reply}


def run_of(folder: Path, url: str, rows: list[dict[str, Any]], **settings: Any) -> Run:
    file = folder.with_suffix(".jsonl")
    file.write_text("".join(json.dumps(r) + "\n" for r in rows))
    given: dict[str, Any] = {
        "seeds__source": "search", "seeds__first": 40, "iterations": 2, "seeds__fresh": [2, 2],
        "seeds__held_out": 6,
        "search__file": str(file), "generator_llm__base_url": url, "generator_llm__model": "mock",
        "generator_llm__retries": 0,
    }  # fmt: skip
    return Run.create(folder, "cpu-quick", **given | settings)


ROWS = [
    *(row(n) for n in range(1, 29)),
    *(row(n, 1) for n in range(31, 49)),
    *(row(n, type="comparison") for n in range(51, 57)),
]


def test_a_model_writes_dialogues_over_a_files_records(tmp_path: Path) -> None:
    writer = Writer()
    with MockLLM(writer) as server:
        run = run_of(tmp_path / "a", server.url, ROWS, seeds__first=500)
        seed(run)
        asked = writer.asked.total()
        pool, held_out = (run.table(Samples, name, 0) for name in ("pool", "held_out"))
        assert {s.source for s in (*pool, *held_out)} == {"records"} and all(map(passes, (*pool, *held_out)))
        assert {s.split for s in held_out} == {"unseen_records"}
        assert not {s.meta["record"] for s in pool} & {s.meta["record"] for s in held_out}
        patterns = {
            "direct",
            "bad_argument",
            "bad_tool",
            "parallel",
            "chain_one",
            "chain_many",
            "chain_failure",
            "missing",
        }
        assert {s.meta["pattern"] for s in pool} == patterns
        assert all(s.meta["thought"] == "Next." for s in pool if s.label.calls)
        facts = json.loads((run.folder(0) / "records.json").read_text())
        assert facts["records"] == 52 and facts["rejected"] == {} and facts["samples"]["train"] == len(pool)
        # A longer run has no more records, and asks nothing again.
        run.set(seeds__fresh=[9, 9])
        seed(run)
        assert run.table(Samples, "pool", 0) == pool and writer.asked.total() == asked


def test_what_breaks_a_rule_is_rejected_with_the_reason(tmp_path: Path) -> None:
    spoil = {1: "plan", 2: "tool", 3: "answer", 4: "ungrounded", 5: "judge", 6: "retry"}
    rows = [row(n) for n in range(1, 15)]
    with MockLLM(Writer(spoil)) as server:
        run = run_of(tmp_path / "a", server.url, rows, search__patterns=["chain_failure"], seeds__held_out=60)
        seed(run)
    samples = (*run.table(Samples, "pool", 0), *run.table(Samples, "held_out", 0))
    reasons = {
        int(json.loads(r["raw"])["passages"][0]["title"].split()[1]): r["reason"]
        for line in (run.path / "rejected.jsonl").read_text().splitlines()
        for r in [json.loads(line)]
    }
    assert reasons[1] == "plan: the steps are not those of the pattern"
    assert reasons[2].startswith(("planned_tools", "retry")) and reasons[3].startswith("answer: ")
    assert reasons[4].startswith("grounding: ") and reasons[5].startswith("judge: wrong")
    assert reasons[6].startswith("retry: ")
    kept = {s.opening.split("Book ")[1].rstrip("?") for s in samples}
    assert kept == {str(n) for n in range(1, 15) if n not in reasons}


def test_a_model_that_writes_nothing_usable_is_stopped(tmp_path: Path) -> None:
    rows = [row(n) for n in range(1, 90)]
    writer = Writer({n: "plan" for n in range(1, 90)})
    with MockLLM(writer) as server:
        run = run_of(tmp_path / "a", server.url, rows, seeds__held_out=200)
        with pytest.raises(RunError, match="written records gave 0 samples.*generator_llm"):
            seed(run)
    assert writer.asked.total() <= 60


def test_records_need_a_model_a_file_and_trust(tmp_path: Path) -> None:
    run = Run.create(
        tmp_path / "a", "cpu-quick", seeds__source="search", search__file=str(tmp_path / "no.jsonl")
    )
    with pytest.raises(RunError, match=r"generator_llm.*search\.file empty"):
        seed(run)
    run = run_of(tmp_path / "b", "http://127.0.0.1:9/v1", ROWS)
    acts = {a.setting for a in trust.acts(run.settings, run.path)}
    assert {"search.file", "generator_llm"} <= acts
    (tmp_path / "b.jsonl").unlink()
    with pytest.raises(RunError, match="does not exist"):
        seed(run)
    few = run_of(tmp_path / "c", "http://127.0.0.1:9/v1", [row(1)])
    with pytest.raises(RunError, match="1 usable records, too few"):
        seed(few)


def test_a_file_that_is_only_found_in_a_runs_settings_waits_for_a_person(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(row(1)))
    run = run_of(tmp_path / "a", "http://127.0.0.1:9/v1", ROWS)
    text = (run.path / "run.toml").read_text()
    run.close()
    (tmp_path / "a" / "run.toml").write_text(text.replace(str(tmp_path / "a.jsonl"), str(file)))
    again = Run.open(tmp_path / "a")
    assert "search.file" in {a.setting for a in trust.unconfirmed(again.path, again.settings)}
    with pytest.raises(RunError, match=r"search\.file"):
        seed(again)
