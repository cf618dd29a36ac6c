"""The command `export`: datasets and policies for others, and to the model hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from looptool_kit.cli.common import DATA, Iteration, app, on_terminal, refuse_existing
from looptool_kit.core.terminal import amount, say

if TYPE_CHECKING:
    from looptool_kit.report.push import Target
    from looptool_kit.run.folder import Run

POLICIES = ("adapter", "merged")
"""Forms that are of a policy, not of a dataset."""
ENVIRONMENT = "verifiers"
"""The form that is a package of tasks with tools that run."""


@app.command(rich_help_panel=DATA)
def export(
    path: Annotated[
        Path, typer.Argument(help="The run folder, or a file of samples, as `audit --repair` writes one.")
    ],
    out: Annotated[
        Path,
        typer.Argument(help="A .jsonl, .json or .parquet file, or a folder as hubs keep them; also s3://."),
    ],
    form: Annotated[
        str,
        typer.Option(
            help="openai, sharegpt, hermes, xlam, trl, verl or looptool; verifiers; adapter or merged."
        ),
    ] = "looptool",
    iteration: Iteration = None,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="The held-out samples instead of a dataset D_j.")
    ] = False,
    licence: Annotated[
        str, typer.Option("--licence", help="For the card: an identifier of the hub, e.g. apache-2.0.")
    ] = "unknown",
    push: Annotated[
        str | None,
        typer.Option(
            help="owner/name: send the folder to this repository of the hub, private, with HF_TOKEN set."
        ),
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="With --push: anybody may read it.")] = False,
) -> None:
    """Write a dataset D_j for others to train on, and its card.

    Rows that do not fit a form are left out and counted. Tools whose names had to be changed have their own
    names again, in all forms but `looptool`. The card is README.md in a folder, OUT.md beside a file.

    With --form adapter or merged: the policy trained on D_j, by default the run's best, as a LoRA adapter or
    as a whole checkpoint, with a model card.

    With --form verifiers: the samples whose tools run as an environment of that library, a package in the
    folder OUT with tools, tasks and a reward for the final state.

    With --push the folder then goes to the hub: what goes where is said first, and on a terminal asked.
    """
    from looptool_kit.audit.desk import refuse_desk
    from looptool_kit.core import remote
    from looptool_kit.run.folder import Run

    if path.is_file():
        if iteration or held_out or push or form in (ENVIRONMENT, *POLICIES):
            raise ValueError(f"{path} is a file of samples, of which only --form makes another file")
        refuse_existing(out)
        with remote.written(out) as here:
            _file(path, here, form)
        say(f"{form} form, in {remote.url_of(out) or out}, without a card: that is of a run")
        return
    run = refuse_desk(Run.open(path, read_only=True))
    if public and not push:
        raise ValueError("--public says who may read what --push sends: give that too")
    if held_out and iteration:
        raise ValueError("the held-out samples are the same in all iterations: leave out --iteration")
    refuse_existing(out)
    url = remote.url_of(out)
    if url and out.suffix:
        refuse_existing(_card_of(out))
    target = None
    if push:
        if url:
            raise ValueError(f"--push sends a folder of this machine: give one in place of {url}")
        from looptool_kit.report.push import look_up

        if form not in POLICIES and out.suffix:
            raise ValueError(f"--push sends a folder: give one in place of {out}")
        target = look_up(push, "model" if form in POLICIES else "dataset", public)
    with remote.written(out) as here:
        if form in POLICIES:
            title = _policy(run, here, form, iteration, licence)
        elif form == ENVIRONMENT:
            if push:
                raise ValueError("--push sends datasets and policies; an environment is a Python package")
            title = _environment(run, here, iteration, held_out)
        else:
            title = _dataset(run, here, form, iteration, held_out, licence)
    say(f"{title}, in {url or out}")
    if target:
        _send(out, target, title)


def _file(path: Path, out: Path, form: str) -> None:
    """Write a file's samples in another form."""
    from looptool_kit import formats
    from looptool_kit.core.samples import Samples

    form_of_rows = formats.form_named(form)
    fit, unfit = formats.fitting(Samples.read(path), form_of_rows)
    if not fit:
        raise ValueError(
            f"no sample of {path} fits the form {form}: {unfit[0] if unfit else 'there is none'}"
        )
    formats.write(fit, out, form_of_rows)
    if unfit:
        say(f"{amount(len(unfit), 'row')} left out, for example: {unfit[0]}")
    say(amount(len(fit), "sample"))


def _dataset(run: Run, out: Path, form: str, iteration: int | None, held_out: bool, licence: str) -> str:
    from looptool_kit import formats
    from looptool_kit.core.samples import Samples
    from looptool_kit.core.tables import write_text
    from looptool_kit.policy.models import load_tokenizer
    from looptool_kit.policy.recorded_form import of_run
    from looptool_kit.report.dataset_card import Written, dataset_card, title
    from looptool_kit.tools.own_tools import with_original_names

    form_of_rows = formats.form_named(form, (ENVIRONMENT, *POLICIES))
    card = _card_of(out)
    refuse_existing(card)
    j = 0 if held_out else iteration or run.iteration
    if not (j or held_out):
        raise ValueError(f"nothing has run in {run.path} yet: looptool loop {run.path}")
    table = run.table(Samples, "samples" if j else "held_out", j)
    named = table if form_of_rows == "looptool" else with_original_names(run, table)
    ids = {row.id: kept.id for row, kept in zip(named, table, strict=True)}
    fit, unfit = formats.fitting(named, form_of_rows)
    if not fit:
        why = unfit[0] if unfit else "there is none"
        raise ValueError(f"no sample of {run.path} fits the form {form}: {why}")
    written = Written(fit, [ids[row.id] for row in fit], j, form, len(unfit))
    text = dataset_card(run, written, licence, folder=not out.suffix)
    if form_of_rows == "verl" and not of_run(run).projects:
        tokenizer = load_tokenizer(run.settings.model)
        formats.write_in_own_form(fit, out, tokenizer, written.split)
        say(f"prompts and labels are in the form of {run.settings.model} (docs/verl.md)")
    else:
        formats.write(fit, out, form_of_rows, written.split)
    write_text(card, text)
    if unfit:
        say(f"{amount(len(unfit), 'row')} left out, for example: {unfit[0]}")
    return title(run, written)


def _card_of(out: Path) -> Path:
    return out.with_name(f"{out.name}.md") if out.suffix else out / "README.md"


def _environment(run: Run, out: Path, iteration: int | None, held_out: bool) -> str:
    from looptool_kit.core.records import Truths
    from looptool_kit.core.samples import Samples
    from looptool_kit.core.tables import write_text
    from looptool_kit.formats._environment import write_environment
    from looptool_kit.world.procedural import Procedural

    j = 0 if held_out else iteration or run.iteration
    table = run.table(Samples, "samples" if j else "held_out", j)
    wrong = {t.sample_id for t in run.table(Truths, "truth", 0, missing_ok=True)}
    how = Procedural(**run.settings.procedural.model_dump(), seed=run.settings.seed)
    count, why = write_environment(table, out, how, wrong)
    source = "the held-out samples" if held_out else f"D{j}"
    write_text(out / "README.md", _ABOUT.format(name=out.name, count=count, source=source, run=run.name))
    for reason, left in why.most_common():
        say(f"{amount(left, 'sample')} left out: {reason}")
    return f"an environment of {count} tasks for verifiers"


_ABOUT = """\
# {name}

{count} tasks for [verifiers](https://github.com/PrimeIntellect-ai/verifiers) 0.4, made of {source} of the run
{run} by `looptool export --form verifiers`. Each task has tools that run, served over MCP with their state;
the reward is 1 where the dialogue comes to what the task's own plan comes to, by whatever legal path.

    pip install looptool-kit -e .
    vf-eval {name} -n 3

Requests are written by rules, in English, with made-up values.
"""


def _policy(run: Run, out: Path, form: str, iteration: int | None, licence: str) -> str:
    from looptool_kit.core.tables import write_text
    from looptool_kit.policy.export import save_adapter, save_merged
    from looptool_kit.policy.policy import policy_of
    from looptool_kit.report.model_card import data_mix, model_card
    from looptool_kit.stages.evaluate.stage import best_policy

    policy = policy_of(run, iteration) if iteration else best_policy(run)
    folder = (save_adapter if form == "adapter" else save_merged)(policy, out)
    write_text(folder / "README.md", model_card(run, policy, folder, form == "merged", licence))
    data = f"trained last on {data_mix(run, policy.iteration)}" if policy.iteration else "untrained"
    return f"policy {policy.name}: {data}, {form}"


def _send(folder: Path, target: Target, title: str) -> None:
    from looptool_kit.report.push import push, what_goes_where

    for line in what_goes_where(folder, target):
        say(line)
    if on_terminal() and not typer.confirm("Send it?"):
        say(f"nothing was sent; the export is in {folder}")
        return
    say(f"sent: {push(folder, target, title)}")
