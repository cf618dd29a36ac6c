"""Commands about data from others: import, contamination."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from looptool_kit.cli.common import DATA, FormOption, app, refuse_existing
from looptool_kit.core.terminal import amount, say

MANY = 12
"""Kinds of loss that an import lists."""


@app.command(name="import", rich_help_panel=DATA)
def import_command(
    file: Annotated[
        Path,
        typer.Argument(
            help="A .jsonl, .json or .parquet file, or a folder written by `datasets`; also s3://."
        ),
    ],
    out: Annotated[Path, typer.Argument(help="The .jsonl or .parquet file of samples to write; also s3://.")],
    form: FormOption = None,
    keep_error_turns: Annotated[
        bool,
        typer.Option(
            "--keep-error-turns", help="Make samples of turns too whose call led to an error result."
        ),
    ] = False,
) -> None:
    """Turn somebody's dataset into samples (then: --set seeds.source=OUT).

    Rows that cannot be used go to a file beside it, with row number and reason. So do turns whose call led to
    an error: they stay in the context of later turns, but are not samples.
    """
    from looptool_kit import formats
    from looptool_kit.core import remote

    if out.suffix not in (".jsonl", ".parquet"):
        raise ValueError(f"{out}: give a name that ends in .jsonl or .parquet, which says what is written")
    rejected_file = out.with_name(out.stem + ".rejected.jsonl")
    refuse_existing(out)
    if not _is_of_a_failed_try(rejected_file, out, file):
        refuse_existing(rejected_file)
    if (file / "run.toml").exists():
        raise ValueError(f"{file} is a run: looptool export {file} {out} writes its newest dataset")
    with remote.readable(file) as source, remote.written(out) as target:
        done = formats.convert(
            source,
            target,
            target.with_name(rejected_file.name),
            None if form is None else formats.form_named(form),
            mask_errors=not keep_error_turns,
            name=remote.url_of(file) or str(file),
        )
        if not done.samples:
            target.unlink(missing_ok=True)
    rejected_name = remote.url_of(rejected_file) or rejected_file
    if done.samples:
        say(f"Samples({done.samples} rows) in {remote.url_of(out) or out}")
    if done.rejected:
        say(f"{amount(done.rejected, 'row')} rejected, in {rejected_name}, for example {done.first}")
    if done.masked:
        say(f"{amount(done.masked, 'turn')} masked, whose call led to an error, in {rejected_name}")
    for title, counts in (("rejected", done.reasons), ("left behind", done.left)):
        for words, count in counts.most_common(MANY):
            say(f"{title:<12} {count:>8,}  {words}")
    if not done.samples:
        at = f"; {rejected_name} gives each row's reason" if done.rejected or done.masked else ""
        try_without = " Leave out --form, and each row's form is found." if form else ""
        raise ValueError(f"no row of {file} became a sample{at}.{try_without}")


def _is_of_a_failed_try(rejected: Path, out: Path, source: Path) -> bool:
    """Whether an import of the same file, of which nothing became a sample, left these rows."""
    from looptool_kit.core.json_text import strict_json

    if out.exists() or not rejected.is_file() or rejected.is_symlink():
        return False
    with rejected.open(encoding="utf-8", errors="replace") as lines:
        try:
            row = strict_json(lines.readline())
        except ValueError:
            return False
    return isinstance(row, dict) and row.get("file") == str(source)


contamination_app = typer.Typer(
    no_args_is_help=True,
    help="Keep benchmarks out of training data: fingerprints of an installed one, and the check.",
)
app.add_typer(contamination_app, name="contamination", rich_help_panel=DATA)


@contamination_app.command(name="build")
def contamination_build(
    out: Annotated[
        Path, typer.Argument(help="The list to write (.json); name it in the setting `contamination`.")
    ],
    from_: Annotated[
        list[Path],
        typer.Option("--from", help="Folder of an installed benchmark's data; may be given several times."),
    ],
) -> None:
    """Write the fingerprints of a benchmark.

    Hashes of its tool names and of every eight words, no text.
    """
    from looptool_kit.checks import contamination

    refuse_existing(out)
    for folder in from_:
        if not folder.is_dir():
            raise ValueError(f"{folder} is not a folder")
    fingerprints = contamination.build(from_)
    contamination.write(fingerprints, out)
    say(f"{fingerprints} ({fingerprints.files} files) in {out}")


@contamination_app.command(name="check")
def contamination_check(
    fingerprints: Annotated[Path, typer.Argument(help="A list that `build` has written.")],
    data: Annotated[
        Path, typer.Argument(help="A run folder, or a file or folder in any form that import reads.")
    ],
) -> None:
    """Find tools and samples that share names or words with a benchmark.

    The exit code is 1 where a sample does.
    """
    from looptool_kit.audit.read import rows
    from looptool_kit.checks import contamination
    from looptool_kit.core.samples import Samples

    found = list(rows(data))
    if not found:
        raise ValueError(f"{data} holds no rows: give a file, a folder or a run with samples")
    samples = Samples(row.sample for row in found if row.sample)
    for row in found:
        if row.sample is None:
            say(f"row {row.number} cannot be read: {row.reason}", err=True)
    matches = contamination.report(samples, contamination.read(fingerprints))
    for what, why in matches:
        say(f"{what}: {why}")
    ids = set(samples.by_id())
    hits = sum(what in ids for what, _ in matches)
    say(
        f"{hits} of {len(samples)} samples and {len(matches) - hits} tools share something with the benchmark"
    )
    raise typer.Exit(int(hits > 0))
