"""One section of a run's settings as a small form.

It also shows the same as `run.set(...)`.
"""

from __future__ import annotations

import json
import types
from typing import Any, Literal, Union, get_args, get_origin

import ipywidgets
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from looptool_kit.core.preview import table_html
from looptool_kit.run.folder import Run


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
            name: _input(name, field, getattr(settings, name)) for name, field in self.fields.items()
        }
        self.python = ipywidgets.HTML()
        self.button = ipywidgets.Button(
            description="Save",
            tooltip="Write these settings to run.toml; stages that depend on them are redone when called",
        )
        self.status = ipywidgets.Label()
        self.button.on_click(lambda _: self.save())
        for each in self.inputs.values():
            each.observe(lambda _: self._show(), "value")
        super().__init__(
            [
                ipywidgets.HTML(f"<b>{section}</b>"),
                *self.inputs.values(),
                ipywidgets.HBox([self.button, self.status]),
                self.python,
            ],
            layout=ipywidgets.Layout(
                border="1px solid var(--jp-border-color2, #ccc)", padding="6px", max_width="720px"
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

        An error is shown beside the button, and nothing is written.
        """
        try:
            changes = self.changes
            self.run.set(**changes)
        except Exception as error:  # noqa: BLE001 - shown beside the button: an error in a callback is shown nowhere else
            self.status.value = f"Not saved. {error}"
            return
        self._show()
        self.status.value = (
            f"Saved {', '.join(changes).replace('__', '.')} to run.toml." if changes else "Nothing to save."
        )

    def _show(self) -> None:
        import html

        try:
            line = ", ".join(f"{name}={_plain(value)!r}" for name, value in self.changes.items())
            line = f"run.set({line})" if line else "as in run.toml"
        except ValueError as error:
            line = str(error)
        self.status.value = ""
        self.python.value = f"<code>{html.escape(line)}</code>"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        now = getattr(self.run.settings, self.section)
        rows = [(name, getattr(now, name), field.description or "") for name, field in self.fields.items()]
        return {
            **(bundle or {}),
            "text/html": table_html(("setting", "value", "meaning"), rows, f"settings: {self.section}"),
        }


def settings_form(run: Run, section: str) -> SettingsForm:
    """A form for one section of a run's settings.

    Seeds, lora, sft, grpo, probe, verify and so on.

    Save checks the values as `run.set` does and writes `run.toml`.

    Raises:
        ValueError: the settings have no such section; names those that they have.
    """
    return SettingsForm(run, section)


def _input(name: str, field: FieldInfo, value: Any) -> Any:
    kind, _ = _kind(field)
    look = {
        "description": name,
        "tooltip": field.description or name,
        "style": {"description_width": "12em"},
        "layout": ipywidgets.Layout(width="34em"),
    }
    if get_origin(kind) is Literal:
        return ipywidgets.Dropdown(options=list(get_args(kind)), value=value, **look)
    if kind is bool:
        return ipywidgets.Checkbox(value=value, indent=False, **look)
    if _tables(kind):
        text = json.dumps(_plain(value), ensure_ascii=False) if value else ""
    else:
        text = "" if value is None else ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return ipywidgets.Text(
        value=text, continuous_update=True, placeholder="not set" if value is None else "", **look
    )


def _value(name: str, field: FieldInfo, value: Any) -> Any:
    """The typed value of an input; `run.set` checks the bounds."""
    kind, optional = _kind(field)
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
