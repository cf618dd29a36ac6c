"""The command audit: what is wrong with a dataset's labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from looptool_kit.cli.common import DATA, app, refuse_existing
from looptool_kit.core.terminal import amount, say, show

if TYPE_CHECKING:
    from looptool_kit.audit.audit import Audited

FailOn = Literal["error", "warning", "note", "never"]


def _help_kinds(wanted: bool) -> None:
    if wanted:
        from looptool_kit.audit.show import kinds_table

        show(kinds_table())
        say(
            "\nprecision: where 10% of samples have such an error, on the data set where it is least;"
            " recall and false alarms on clean samples: on all (python benchmarks/bench_audit.py)"
        )
        raise typer.Exit


Repair = Annotated[
    Path | None,
    typer.Option(
        help="Write all samples, in the form `looptool`, to a new .jsonl or .parquet file; with --apply or"
        " --decided."
    ),
]
HelpKinds = Annotated[
    bool,
    typer.Option(
        "--help-kinds",
        is_eager=True,
        callback=_help_kinds,
        help="List the kinds of finding, how grave each is and how far it was measured to be right.",
    ),
]


@app.command(rich_help_panel=DATA)
def audit(
    target: Annotated[
        Path,
        typer.Argument(
            help="A file or a folder of `datasets` in any form that import reads, a run folder, or questions"
            " in BFCL's form; also at s3://."
        ),
    ],
    form: Annotated[str | None, typer.Option(help="The form of the rows; detected if left out.")] = None,
    kinds: Annotated[
        str | None, typer.Option(help="Look for these kinds only, by commas; see --help-kinds.")
    ] = None,
    against: Annotated[
        Path | None, typer.Option(help="Your own test set: tell which samples repeat what it holds.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write an HTML page.")] = None,
    jsonl: Annotated[Path | None, typer.Option(help="Write every finding, one a line.")] = None,
    desk: Annotated[
        Path | None, typer.Option(help="Make a folder that the review desk (DisagreementView) opens.")
    ] = None,
    repair: Repair = None,
    apply: Annotated[
        str | None, typer.Option(help="With --repair: apply the proposals of these kinds, by commas.")
    ] = None,
    decided: Annotated[
        Path | None, typer.Option(help="With --repair: apply what was decided in this folder of --desk.")
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="Exit with 1 where a finding is at least as grave.")
    ] = "never",
    cluster: Annotated[
        str | None,
        typer.Option(help="Ray that looks for near-duplicates: local, auto, HOST:PORT or ray://HOST:PORT."),
    ] = None,
    help_kinds: HelpKinds = False,
) -> None:
    """Find labels that are wrong, contradict each other or repeat.

    Each finding has its reason, place and remedy. Nothing is changed. How grave a kind is was measured
    with planted errors and on clean data (--help-kinds).
    """
    from looptool_kit import cluster as workers
    from looptool_kit.audit.audit import kinds as found_kinds
    from looptool_kit.audit.findings import SEVERITIES
    from looptool_kit.audit.show import summary, table
    from looptool_kit.config import Settings, with_overrides
    from looptool_kit.core import remote
    from looptool_kit.run.folder import Run

    _check_options(repair, apply, decided)
    if against is None:
        compare = [k for k in _kinds(kinds) or () if hasattr(found_kinds()[k], "COMPARES")]
        if compare:
            raise ValueError(f"{' and '.join(compare)} compare with a test set: name it with --against")
    for path in (out, jsonl, desk, repair):
        if path is not None:
            if url := remote.url_of(path):
                raise ValueError(f"an audit writes files of this machine: give another name than {url}")
            refuse_existing(path)
    where = with_overrides(Settings(), cluster__address=cluster or "").cluster
    with remote.readable(target) as here, remote.readable(against or Path()) as test, workers.of(where):
        found = _look(here, form, kinds, test if against else None)
        if (here / "run.toml").exists():
            say(f"the newest dataset of {target}, D{Run.open(here, read_only=True).iteration}:")
    if found.findings:
        show(table(found))
    say(summary(found))
    _write(found, target, out, jsonl, desk)
    if repair is not None:
        _repair(found, repair, apply, decided)
    worst = found.worst()
    if fail_on != "never" and worst and SEVERITIES.index(worst) <= SEVERITIES.index(fail_on):
        raise typer.Exit(1)


def _look(target: Path, form: str | None, kinds: str | None, against: Path | None) -> Audited:
    """What is found in the rows of `target`."""
    from looptool_kit import formats
    from looptool_kit.audit.audit import audit as look
    from looptool_kit.audit.read import rows
    from looptool_kit.core.samples import Samples

    only = _kinds(kinds)
    read_as = formats.form_named(form) if form else None
    test = Samples(r.sample for r in rows(against) if r.sample is not None) if against else None
    found = look(rows(target, read_as), test, only)
    if not found.rows:
        raise ValueError(f"{target} holds no rows: give a file, a folder or a run with samples")
    return found


def _kinds(names: str | None) -> list[str] | None:
    """Kinds by commas, each of them there."""
    from looptool_kit.audit.audit import check_kinds

    return check_kinds(k.strip() for k in names.split(",")) if names else None


def _check_options(repair: Path | None, apply: str | None, decided: Path | None) -> None:
    from looptool_kit.audit.desk import is_desk
    from looptool_kit.run.folder import Run

    if repair is None and (apply or decided):
        raise ValueError("--apply and --decided say what to repair: name the new file with --repair")
    if apply and decided:
        raise ValueError(
            "give --apply or --decided, not both: repair once with each, the second the new file"
        )
    if repair is not None and apply is None and decided is None:
        raise ValueError(
            f"--repair {repair}: say which labels to change, with --apply KIND,KIND (proposals of these"
            " kinds) or with --decided FOLDER (what was decided in the review desk)"
        )
    _kinds(apply)
    if decided and not is_desk(Run.open(decided, read_only=True)):
        raise ValueError(f"{decided} is no desk of an audit: looptool audit FILE --desk FOLDER makes one")
    if repair is not None and repair.suffix not in (".jsonl", ".parquet"):
        raise ValueError(f"{repair}: give a name that ends in .jsonl or .parquet")


def _write(found: Audited, target: Path, out: Path | None, jsonl: Path | None, desk: Path | None) -> None:
    from looptool_kit.audit.findings import Findings
    from looptool_kit.audit.repair import write_desk
    from looptool_kit.audit.show import page
    from looptool_kit.core.tables import write_text

    if out is not None:
        write_text(out, page(found, target.name))
        say(f"page: {out}")
    if jsonl is not None:
        Findings.write_rows(jsonl, found.findings)
        say(f"{amount(len(found.findings), 'finding')} in {jsonl}")
    if desk is not None:
        count = write_desk(found, desk)
        say(f"{amount(count, 'sample')} to review: looptool view {desk} --at view=DisagreementView")
        say(f"or in a notebook: DisagreementView(Run.open({str(desk)!r}))")
        say(f"then: looptool audit {target} --repair OUT.jsonl --decided {desk}")


def _repair(found: Audited, out: Path, apply: str | None, decided: Path | None) -> None:
    from looptool_kit.audit import repair

    done = repair.decided(found, decided) if decided else repair.apply(found, _kinds(apply) or [])
    done.samples.write(out)
    unread = sum(r.sample is None for r in found.rows)
    say(
        f"{amount(len(done.samples), 'sample')} in {out}: {amount(done.changed, 'label')} changed,"
        f" {amount(done.dropped, 'sample')} dropped, {done.left:,} with findings left as they were"
        + (f"; without {amount(unread, 'row')} that cannot be read" if unread else "")
    )
    say(f"They are in the form `looptool`; in another: looptool export {out} NEW --form openai")
