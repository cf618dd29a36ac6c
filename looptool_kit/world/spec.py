"""What a domain file is made of: parameters, tools, domains.

All files make the catalogue. How to write one is the docstring of `looptool_kit.world.domains`.
"""

from __future__ import annotations

import hashlib
import pkgutil
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib import import_module
from typing import Any

from looptool_kit.core.samples import Tool
from looptool_kit.world.types import Type

# Now, not on first use: importing a subpackage binds its name in the package, where the function `domains`
# stands later.
_DOMAINS = import_module("looptool_kit.world.domains")
NOTHING: Any = object()
SLOT = re.compile(r"\{(\w*)(@|#[^}]*)?\}")
"""`{}` or `{name}`: the value; `{name@}`: with its own preposition; `{name#guest}`, `{name#person/people}`:
with a counted noun.
"""


@dataclass(frozen=True, eq=False)
class Param:
    """One parameter of a tool and its wordings; made by `P`."""

    name: str
    type: Type
    clauses: tuple[str, ...]
    also: tuple[str, ...]
    description: str
    optional: bool
    default: Any
    question: str
    words: tuple[str, ...]

    @cached_property
    def bare(self) -> bool:
        """Whether it has no clause of its own.

        Then it belongs into a phrase.
        """
        return (
            self.clauses == ("{}",)
            and "enum" not in self.type.schema
            and self.type.schema.get("type") != "boolean"
        )

    @property
    def schema(self) -> dict[str, Any]:
        """Its JSON Schema."""
        out = dict(self.type.schema)
        if self.description:
            out["description"] = self.description
        if self.default is not NOTHING:
            out["default"] = self.default
        return out


def P(
    name: str,
    type: Type,
    *clauses: str,
    also: str | Sequence[str] = (),
    desc: str = "",
    opt: bool = False,
    default: Any = NOTHING,
    ask: str = "",
    words: Sequence[str] = (),
) -> Param:
    """Make a parameter.

    `clauses` mention it inside a sentence ("for {#person/people}"), `also` in one of its own ("There will be
    {} of us"). `ask` asks for it when it is missing, and one of `words` occurs in any such question. `opt` or
    a `default` makes it optional.
    """
    alone = (also,) if isinstance(also, str) else tuple(also)
    return Param(
        name,
        type,
        clauses or type.clauses,
        alone,
        desc,
        opt or default is not NOTHING,
        default,
        ask or type.question,
        tuple(words) or type.words,
    )


@dataclass(frozen=True, eq=False)
class Spec:
    """One tool of the world: schema, wordings, and what it does."""

    name: str
    description: str
    params: tuple[Param, ...]
    do: tuple[str, ...]
    ask: tuple[str, ...]
    need: tuple[str, ...]
    out: dict[str, Any]
    reply: str
    makes: Type | None = None
    changes: Type | None = None
    cancels: Type | None = None
    lists: Type | None = None
    where: Callable[[dict[str, Any]], bool] | None = None
    why: tuple[str, ...] = ()
    held: bool = False
    picks: tuple[str, dict[str, str]] | None = None
    fits: Callable[[dict[str, Any], dict[str, Any]], bool] | None = None
    later: bool = False
    refer: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """`picks`, `fits`, `later` and `refer` are explained in the docstring of `domains`."""

    @cached_property
    def tool(self) -> Tool:
        """As offered to a model."""
        schema: dict[str, Any] = {"type": "object", "properties": {p.name: p.schema for p in self.params}}
        if required := [p.name for p in self.params if not p.optional]:
            schema["required"] = required
        return Tool(name=self.name, description=self.description, parameters=schema)

    @cached_property
    def by_name(self) -> dict[str, Param]:
        """Parameter name -> parameter."""
        return {p.name: p for p in self.params}

    @cached_property
    def gist(self) -> str:
        """What it is for, as a verb phrase."""
        return self.description[0].lower() + self.description[1:].rstrip(".")


def T(
    name: str,
    description: str,
    params: Sequence[Param],
    *,
    do: Sequence[str],
    out: dict[str, Any],
    reply: str,
    ask: Sequence[str] = (),
    need: Sequence[str] = (),
    why: Sequence[str] = (),
    makes: Type | None = None,
    changes: Type | None = None,
    cancels: Type | None = None,
    lists: Type | None = None,
    where: Callable[[dict[str, Any]], bool] | None = None,
    held: bool = False,
    picks: tuple[str, dict[str, str]] | None = None,
    fits: Callable[[dict[str, Any], dict[str, Any]], bool] | None = None,
    later: bool = False,
    refer: Mapping[str, tuple[str, ...]] | None = None,
) -> Spec:
    """A tool; see the docstring of `looptool_kit.world.domains`."""
    phrases = tuple(do), tuple(ask), tuple(need), out, reply
    records = makes, changes, cancels, lists
    return Spec(
        name, description, tuple(params), *phrases, *records, where, tuple(why), held, picks, fits, later,
        refer or {},
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class Domain:
    """Tools about one thing.

    A `held` domain is kept whole for the split `unseen_tools`.
    """

    name: str
    tools: tuple[Spec, ...] = field(default=())
    held: bool = False

    @staticmethod
    def of(name: str, *tools: Spec, held: bool = False) -> Domain:
        """A domain of these tools."""
        return Domain(name, tools, held)


@lru_cache
def all_domains() -> tuple[Domain, ...]:
    """Every domain, one module each in `domains/`, by name."""
    names = sorted(m.name for m in pkgutil.iter_modules(_DOMAINS.__path__))
    return tuple(import_module(f"{_DOMAINS.__name__}.{name}").DOMAIN for name in names)


@lru_cache
def specs() -> dict[str, Spec]:
    """Tool name -> tool, over all domains."""
    out: dict[str, Spec] = {}
    for domain in all_domains():
        for spec in domain.tools:
            if spec.name in out:
                raise ValueError(
                    f"domain {domain.name!r}: the tool name {spec.name!r} is taken by another domain; give it"
                    " another name"
                )
            out[spec.name] = spec
    return out


@lru_cache
def domain_of() -> dict[str, Domain]:
    """Tool name -> its domain."""
    return {s.name: d for d in all_domains() for s in d.tools}


@lru_cache
def is_held(name: str) -> bool:
    """True for the tools that are kept for the split `unseen_tools`."""
    return domain_of()[name].held or specs()[name].held


@lru_cache(maxsize=8192)
def slots(template: str) -> frozenset[str]:
    """Names of the parameters in a wording."""
    return frozenset(m[1] for m in SLOT.finditer(template))


@lru_cache(maxsize=4096)
def reserved(options: tuple[str, ...]) -> frozenset[str]:
    """The wordings of a list that are kept for `unseen_phrasings`.

    They are a quarter of three or more, at least one, chosen by a hash. Whatever can be said at all can be
    said without them: of wordings with the same slots, one stays.
    """
    if len(options) < 3:
        return frozenset()
    left = Counter(map(slots, dict.fromkeys(options)))
    kept: list[str] = []
    for option in sorted(set(options), key=lambda o: hashlib.blake2b(o.encode(), digest_size=8).digest()):
        if len(kept) < max(1, len(options) // 4) and left[slots(option)] > 1:
            left[slots(option)] -= 1
            kept.append(option)
    return frozenset(kept)


@lru_cache
def links() -> tuple[tuple[str, str, str, str], ...]:
    """(Tool, output field, tool, parameter) wherever their types match.

    The output's type is the input's or a subtype of it (RandomWorld's type matching). Of lists, the field is
    one of the items.
    """
    out = []
    for first in specs().values():
        for name, t in first.out.items():
            fields = t.item.fields if isinstance(t, Type) and t.item is not None else {"": t}
            for sub, kind in fields.items():
                if not isinstance(kind, Type) or not kind.noun:
                    continue
                for second in specs().values():
                    for p in second.params:
                        if (
                            second is not first
                            and not p.optional
                            and kind.is_a(p.type)
                            and p.type.noun
                            and domain_of()[first.name] is domain_of()[second.name]
                            and not (second.later and first.makes is p.type)
                        ):
                            out.append((first.name, f"{name}.{sub}" if sub else name, second.name, p.name))
    return tuple(out)
