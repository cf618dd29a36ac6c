"""One section of a run's settings as a small form.

It also shows the same as `run.set(...)`.
"""

from __future__ import annotations

import html
import json
import types
from collections.abc import Sequence
from typing import Any, Literal, Union, get_args, get_origin

import ipywidgets
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from looptool_kit.core.preview import table_html
from looptool_kit.core.terminal import duration, visible
from looptool_kit.run.folder import Run
from looptool_kit.run.stage import CHAIN, SCORES, TITLES, after, cost
from looptool_kit.stages._find import names as strategies
from looptool_kit.trust import SEEDERS

FIRST_STAGES = {
    **dict.fromkeys(
        ("seeds", "synthesis", "band", "evolve", "merge", "procedural", "search", "traces"), "seed"
    ),
    **dict.fromkeys(
        ("lora", "sft", "grpo", "reward", "fission", "episodes", "targets", "frontier"), "policy"
    ),
    **dict.fromkeys(("pairs", "preference", "unsloth"), "policy"),
    "probe": "probes_raw",
    **dict.fromkeys(("probe.quantile", "probe.threshold"), "probes"),
    **dict.fromkeys(("verify", "jury"), "verdicts"),
    **dict.fromkeys(("expand", "reverse", "check", "hardgen"), "expansions"),
    **dict.fromkeys(("compose", "budget", "augment", "search.share"), "composition"),
    "evaluate": "scores",
    **dict.fromkeys(("calls", "cluster"), ""),
}
"""Section or setting -> the first stage that is made again where it changes; empty: none."""
NAME_WIDTH, INPUT_WIDTH = "13em", "26em"
"""Of a setting's name, for the longest one (`gpu_memory_utilization`), and of it with its field."""
STRATEGIES = {
    "verify.judge": "looptool_kit.stages.verify",
    "expand.expanders": "looptool_kit.stages.expand",
    "reward.name": "looptool_kit.stages.train.rewards",
    "pairs.strategy": "looptool_kit.stages.train.pairs",
    "reverse.proposer": "looptool_kit.stages.train.proposers",
}
"""Setting -> the package whose strategies it names."""


class SettingsForm(ipywidgets.VBox):
    """A form over `run.settings.<section>`, made from the settings' own types and docstrings."""

    def __init__(self, run: Run, section: str) -> None:
        settings = getattr(run.settings, section, None)
        if not isinstance(settings, BaseModel):
            sections = [
                name
                for name in type(run.settings).model_fields
                if isinstance(getattr(run.settings, name), BaseModel)
            ]
            raise ValueError(
                f"there is no section {section!r} in the settings; there are: {', '.join(sections)}"
            )
        self.run, self.section = run, section
        self.fields = type(settings).model_fields
        self.inputs = {
            name: _input(section, name, field, getattr(settings, name)) for name, field in self.fields.items()
        }
        machine: frozenset[str] = getattr(settings, "machine", frozenset())
        self.meanings = {
            name: ipywidgets.HTML(_meaning(field, name in machine), layout={"flex": "1 1 0", "width": "auto"})
            for name, field in self.fields.items()
        }
        self.python, self.cost = ipywidgets.HTML(), ipywidgets.HTML()
        self.button = ipywidgets.Button(
            description="Save",
            tooltip="Write these settings to run.toml; stages that depend on them are redone when called",
        )
        self.status = ipywidgets.HTML()
        self.button.on_click(lambda _: self._press())
        for each in self.inputs.values():
            each.observe(lambda _: self._show(), "value")
        rows = [ipywidgets.HBox([_named(self.inputs[name]), self.meanings[name]]) for name in self.fields]
        super().__init__(
            [
                ipywidgets.HTML(_head(run, section, settings)),
                *rows,
                ipywidgets.HBox([self.button, self.python]),
                self.cost,
                self.status,
            ],
            layout=ipywidgets.Layout(
                border="1px solid var(--jp-border-color2, #ccc)", padding="6px", max_width="960px"
            ),
        )
        self._show()

    @property
    def changes(self) -> dict[str, Any]:
        """Values that differ from the run's, as arguments of `run.set`.

        Raises:
            ValueError: a text is not a value of its setting.
        """
        now = getattr(self.run.settings, self.section)
        given = {name: _value(name, self.fields[name], each.value) for name, each in self.inputs.items()}
        return {
            f"{self.section}__{name}": value for name, value in given.items() if value != getattr(now, name)
        }

    def save(self) -> None:
        """Check the values and write them to the run's settings.

        An error is shown below the button, and nothing is written.
        """
        try:
            changes = self.changes
            self.run.set(**changes)
        except Exception as error:  # noqa: BLE001 - shown below the button: an error in a callback is shown nowhere else
            # What the settings mean stands beside them, so the message need not say where to read it.
            words = str(error).partition(" The settings and their meaning are listed")[0]
            self.status.value = _line(f"Not saved. {words}", "var(--jp-error-color1, #c62828)")
            return
        self._show()
        names = ", ".join(changes).replace("__", ".")
        self.status.value = _line(f"✓ Saved {names} to run.toml." if changes else "Nothing to save.")

    def _press(self) -> None:
        self.save()
        if self.button.disabled:  # the page would lose the focus with it
            next(reversed(self.inputs.values())).focus()

    def _show(self) -> None:
        names: list[str] = []
        try:
            changes = self.changes
            line = ", ".join(f"{name}={_plain(value)!r}" for name, value in changes.items())
            line = f"run.set({line})" if line else ""
            names = [name.replace("__", ".") for name in changes]
        except ValueError as error:
            line = str(error)
        self.status.value = ""
        self.cost.value = _line(redone(self.run, names)) if names else ""
        self.python.value = f"<code>{html.escape(line)}</code>" if line else "no change"
        self.button.disabled = not line

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        now = getattr(self.run.settings, self.section)
        rows = [(name, getattr(now, name), field.description or "") for name, field in self.fields.items()]
        return {
            **(bundle or {}),
            "text/html": table_html(
                ("setting", "value", "meaning"), rows, f"settings: {self.section}", wide=("meaning",)
            ),
        }


def settings_form(run: Run, section: str) -> SettingsForm:
    """A form for one section of a run's settings.

    Seeds, lora, sft, grpo, probe, verify and so on.

    Save checks the values as `run.set` does and writes `run.toml`.

    Raises:
        ValueError: the settings have no such section; names those that they have.
    """
    return SettingsForm(run, section)


def redone(run: Run, settings: Sequence[str]) -> str:
    """Say what other values would make a run do again.

    With the time that it took.

    Args:
        run: it says what has been made so far.
        settings: by dotted name; those that say how this machine works change no result.
    """
    machine = {
        f"{section}.{name}"
        for section, field in type(run.settings).model_fields.items()
        for name in getattr(getattr(run.settings, section), "machine", ())
    }
    found = [FIRST_STAGES.get(s, FIRST_STAGES.get(s.partition(".")[0], "")) for s in {*settings} - machine]
    order = ("seed", *CHAIN, *SCORES)
    first = min((name for name in found if name), key=order.index, default="")
    if not first:
        return "This changes no result: nothing is made again."
    iterations = [0] if first == "seed" else [j for j in run.iterations if run.manifest(first, j)]
    stages = [(first, j) for j in iterations[:1]]
    stages += [step for name, j in stages for step in after(run, name, j)]
    made = [(name, j) for name, j in stages if run.manifest(name, j)]
    titles = list(dict.fromkeys(TITLES.get(name, name) for name, _ in made if name != "probes_raw"))
    if not made:
        return "Nothing made so far depends on this."
    return (
        f"Changing this makes again, when next called: {', '.join(titles)}. They took"
        f" {duration(cost(run, made))}."
    )


def _head(run: Run, section: str, settings: BaseModel) -> str:
    """What a section is about, and what a change of it makes again."""
    about = (type(settings).__doc__ or "").partition("\n\n")[0].replace("`", "").strip()
    words = f"<b>Settings of {html.escape(visible(run.name))}: {section}</b>"
    return words + _line(about) + _line(redone(run, [section]))


def _line(text: str, colour: str = "inherit") -> str:
    return (
        f'<div style="color:{colour};line-height:1.4;white-space:normal">{html.escape(visible(text))}</div>'
    )


def _meaning(field: FieldInfo, machine: bool) -> str:
    """What a setting means, as its class says it, and its bounds."""
    given = [f"{words} {bound:g}" for words, bound in _bounds(field)]
    facts = [*given, *(["says how this machine works, changes no result"] if machine else [])]
    text = " ".join((field.description or "").replace("`", "").split())
    dim = (
        "color:var(--jp-ui-font-color2, #555);font-size:12px;line-height:1.35;white-space:normal;"
        "padding-top:5px"
    )
    more = f" ({'; '.join(facts)})" if facts else ""
    return f'<div style="{dim}">{html.escape(text + more)}</div>'


def _bounds(field: FieldInfo) -> list[tuple[str, float]]:
    words = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}
    return [
        (word, float(getattr(limit, name)))
        for limit in field.metadata
        for name, word in words.items()
        if hasattr(limit, name)
    ]


def _input(section: str, name: str, field: FieldInfo, value: Any) -> Any:
    kind, optional = _kind(field)
    look = {
        "description": name,
        "tooltip": field.description or name,
        "style": {"description_width": NAME_WIDTH},
        "layout": ipywidgets.Layout(width=INPUT_WIDTH),
    }
    package = STRATEGIES.get(f"{section}.{name}")
    if package and kind is str:
        options = list(dict.fromkeys([*strategies(package), value]))
        return ipywidgets.Dropdown(options=options, value=value, **look)
    if package:
        known = list(dict.fromkeys([*strategies(package), *value]))
        return ipywidgets.TagsInput(
            value=list(value), allowed_tags=known, allow_duplicates=False, **look, placeholder="add one"
        )
    if (section, name) == ("seeds", "source"):
        return ipywidgets.Combobox(value=value, options=list(SEEDERS), placeholder="a name or a file", **look)
    if get_origin(kind) is Literal:
        return ipywidgets.Dropdown(options=list(get_args(kind)), value=value, **look)
    if kind is bool:
        return ipywidgets.Checkbox(value=value, indent=False, **look)
    bounds = dict(_bounds(field))
    high = bounds.get("at most", bounds.get("less than"))
    low = bounds.get("at least", bounds.get("more than"))
    if kind is float and not optional and low is not None and high is not None and high <= 1:
        return ipywidgets.FloatSlider(value=value, min=low, max=high, step=0.01, **look)
    if _tables(kind):
        text = json.dumps(_plain(value), ensure_ascii=False) if value else ""
    else:
        text = "" if value is None else ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return ipywidgets.Text(
        value=text, continuous_update=True, placeholder="not set" if value is None else "", **look
    )


def _named(made: Any) -> Any:
    """The input with its name beside it: one for several words shows none itself."""
    if not isinstance(made, ipywidgets.TagsInput):
        return made
    made.layout = {"flex": "1 1 0", "width": "auto", "margin": "2px 0"}
    look = {"width": NAME_WIDTH, "flex": "0 0 auto", "margin": "2px 8px 2px 0", "justify_content": "flex-end"}
    name = ipywidgets.Label(made.description, layout=look)
    return ipywidgets.HBox([name, made], layout={"width": INPUT_WIDTH, "flex": "0 0 auto", "margin": "0 2px"})


def _value(name: str, field: FieldInfo, value: Any) -> Any:
    """The typed value of an input; `run.set` checks the bounds."""
    kind, optional = _kind(field)
    if isinstance(value, list):
        return tuple(value)
    if not isinstance(value, str) or get_origin(kind) is Literal:
        return value
    value = value.strip()
    if optional and not value:
        return None
    if _tables(kind):
        try:
            return TypeAdapter(kind).validate_python(json.loads(value or "[]"))
        except ValueError as error:
            problems = error.errors(include_input=False) if isinstance(error, ValidationError) else []
            problem = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in problems) or str(error)
            raise ValueError(
                f'{name}: {problem}. Give a JSON list, e.g. [{{"base_url": "http://localhost:8000/v1",'
                ' "model": "name"}]'
            ) from None
    if get_origin(kind) is tuple:
        return tuple(
            _scalar(name, get_args(kind)[0], part.strip()) for part in value.split(",") if part.strip()
        )
    return _scalar(name, kind, value)


def _tables(kind: Any) -> bool:
    """Whether a setting is a list of tables, written as JSON.

    `jury.others` is one.
    """
    return (
        get_origin(kind) is tuple
        and isinstance(get_args(kind)[0], type)
        and issubclass(get_args(kind)[0], BaseModel)
    )


def _plain(value: Any) -> Any:
    """A setting's value in plain Python.

    Of tables only what differs from their defaults.
    """
    return (
        [v.model_dump(exclude_defaults=True) if isinstance(v, BaseModel) else v for v in value]
        if isinstance(value, tuple)
        else value
    )


def _scalar(name: str, kind: Any, text: str) -> Any:
    if kind is str:
        return text
    try:
        return kind(text)
    except ValueError:
        raise ValueError(
            f"{name}: {text!r} is not {'a whole number' if kind is int else 'a number'}"
        ) from None


def _kind(field: FieldInfo) -> tuple[Any, bool]:
    """The type of a setting, and whether it may be left out."""
    kind = field.annotation
    if get_origin(kind) in (Union, types.UnionType):
        return next(a for a in get_args(kind) if a is not type(None)), True
    return kind, False
