"""What the writing model is asked for a record: tools with a plan, then calls with thoughts."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Literal, NamedTuple

from pydantic import Field

from looptool_kit.checks.searches import Record
from looptool_kit.core.samples import Frozen, Tool
from looptool_kit.llm.structured import Call, part, tools_part
from looptool_kit.world.search import PATTERNS

Fails = Literal["", "argument", "tool", "missing"]
STEPS: dict[Fails, str] = {
    "": "finds what it is for",
    "argument": "has a slip in a required argument (a name misspelt, or a wrong one) and finds nothing; the"
    " next step makes the same call without it",
    "tool": "uses a tool that is not for this and finds other things; the next step uses the right one",
    "missing": "is right, and finds nothing to the point, since the passages do not hold it",
}
"""Why a step fails -> what it does, in words."""
PLAN = """\
You design search tools for a question, and plan how they are used. You get the question, the passages that \
searches run over, those of them that the answer follows from, and a pattern.
- Under "tools" write two to five tools, each with a name in snake_case, a description of one sentence, and \
one to four parameters, all of them texts; at least one parameter of each is required. They are general \
searches of a kind (of people, of places, of works), not made for this one question. If a step uses a wrong \
tool, one is among them that somebody could take by mistake. One tool alone fits each search that is right.
- Under "steps" write exactly the steps of the pattern, each with the names of the tools that it calls (one \
a call), and, for each call, the title of the supporting passage that it is for; a step that fails names the \
one that it tries to find. Every supporting passage is found once, in the order that the question needs."""
WRITE = """\
You write the searches of an assistant that answers a question with the tools shown. You get the question, \
the passages, and the planned steps; for each step write a thought (one or two sentences, what is known and \
what is looked for, after a failure what went wrong) and its calls.
- Call exactly the tools that are planned. Names and words in arguments come from the question or from what \
an earlier step has found, exactly as written there, except for the slip of a step that is planned to fail.
- After a wrong argument the next step changes required arguments alone; leave optional ones as they are.
- Nothing that only a later step finds may be in an earlier one. Leave out optional parameters that nobody \
asked for.
- Under "reply" answer the question in a sentence that says the given answer word for word; where there is \
none, say that it could not be found."""


class Parameter(Frozen):
    """A parameter of a written tool."""

    name: str = Field(pattern=r"^[A-Za-z_]\w*$")
    description: str
    required: bool


class SearchTool(Frozen):
    """A written tool."""

    name: str = Field(pattern=r"^[A-Za-z_][\w-]{0,63}$")
    description: str
    parameters: tuple[Parameter, ...]

    def as_tool(self) -> Tool:
        """The same as a tool on offer."""
        properties = {p.name: {"type": "string", "description": p.description} for p in self.parameters}
        required = [p.name for p in self.parameters if p.required]
        parameters = {"type": "object", "properties": properties, "required": required}
        return Tool(name=self.name, description=self.description, parameters=parameters)


class PlanStep(Frozen):
    """A step of a plan: one tool and one passage a call."""

    tools: tuple[str, ...]
    passages: tuple[str, ...]


class WrittenPlan(Frozen):
    """The first answer."""

    tools: tuple[SearchTool, ...]
    steps: tuple[PlanStep, ...]


class WrittenTurn(Frozen):
    """A turn that searches."""

    thought: str
    calls: tuple[Call, ...]


class WrittenDialogue(Frozen):
    """The second answer."""

    turns: tuple[WrittenTurn, ...]
    reply: str


class Job(NamedTuple):
    """A record, its pattern, and what each step does.

    The dialogue is written along the pattern.
    """

    record: Record
    pattern: str
    steps: tuple[tuple[int, Fails], ...]
    """(how many calls, why they fail)"""
    split: str

    @property
    def words(self) -> list[str]:
        """The steps in words."""
        return [f"{n} {'call' if n == 1 else 'calls at once'}: {STEPS[fails]}" for n, fails in self.steps]

    def prompt(self, *, told: bool = True) -> str:
        """Return the record and the pattern as text.

        `told` adds the answer that is to be said.
        """
        record = self.record
        answer = "" if self.pattern == "missing" else " / ".join(record.answers)
        return "\n".join(
            (
                part("Question", record.question),
                part("Passages", [{"title": p.title, "text": p.text} for p in record.passages]),
                part("Supporting passages", [record.passages[at].title for at in record.supporting]),
                part("Pattern", {"name": self.pattern, "about": PATTERNS[self.pattern], "steps": self.words}),
                *([part("Answer", answer or "(none: say that it could not be found)")] if told else []),
            )
        )


def steps_of(pattern: str, facts: int, rng: Random) -> tuple[tuple[int, Fails], ...]:
    """Return the steps of a pattern for a record.

    `facts` is the number of its supporting passages.
    """
    if pattern == "parallel":
        return ((facts, ""),)
    steps: list[tuple[int, Fails]] = [(1, "")] * facts
    if pattern == "missing":
        steps[-1] = (1, "missing")
    elif pattern in ("bad_argument", "bad_tool", "chain_failure"):
        by_tool = pattern == "bad_tool" or (pattern == "chain_failure" and rng.random() < 0.5)
        steps.insert(rng.randrange(facts), (1, "tool" if by_tool else "argument"))
    return tuple(steps)


def plan_fault(plan: WrittenPlan, job: Job) -> str:
    """Why a plan cannot be followed; empty where it can."""
    names = [t.name for t in plan.tools]
    if len(set(names)) < len(names) or not 2 <= len(names) <= 8:
        return "the tools are not two to eight of different names"
    if shape := next((s for s in plan.steps if len(s.tools) != len(s.passages)), None):
        return f"a step has {len(shape.tools)} tools and {len(shape.passages)} passages"
    if [len(s.tools) for s in plan.steps] != [n for n, _ in job.steps]:
        return "the steps are not those of the pattern"
    if unknown := [n for s in plan.steps for n in s.tools if n not in names]:
        return f"a step calls {unknown[0]}, which is not among the tools"
    wanted = sorted(job.record.passages[at].title for at in job.record.supporting)
    right = [s for s, (_, fails) in zip(plan.steps, job.steps, strict=True) if fails in ("", "missing")]
    if sorted(title for s in right for title in s.passages) != wanted:
        return "the right steps do not find each supporting passage once"
    for (now, after), (_, fails) in zip(
        zip(plan.steps, plan.steps[1:], strict=False), job.steps, strict=False
    ):
        if fails in ("argument", "tool") and now.passages != after.passages:
            return "the step after a failure looks for something else"
        if fails == "argument" and now.tools != after.tools:
            return "the step after a wrong argument uses another tool"
        if fails == "tool" and now.tools == after.tools:
            return "the step after a wrong tool uses the same one"
    used = {n for s in right for n in s.tools}
    if (job.pattern == "chain_one") != (len(used) == 1) and job.pattern in ("chain_one", "chain_many"):
        return f"the pattern {job.pattern} with {len(used)} tools"
    return ""


def dialogue_prompt(job: Job, tools: Sequence[Tool], plan: WrittenPlan) -> str:
    """The second question."""
    steps = [
        {"tools": list(s.tools), "for": list(s.passages), "what": words}
        for s, words in zip(plan.steps, job.words, strict=True)
    ]
    return "\n".join((tools_part(tools), job.prompt(), part("Planned steps", steps)))
