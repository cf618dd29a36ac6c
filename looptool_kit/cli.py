"""The `looptool` command: the loop and its stages on a run folder."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from looptool_kit.core.terminal import say

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)

RunFolder = Annotated[Path, typer.Argument(help="The run folder.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting, e.g. --set grpo.steps=2; may be given several times."),
]
Preset = Annotated[
    str | None,
    typer.Option(
        help="Settings to start from: cpu (the default), cpu-quick, ...; the names in looptool_kit/presets."
    ),
]
SeedOption = Annotated[int | None, typer.Option(help="Random seed of the run.")]
Iteration = Annotated[int | None, typer.Option(help="Iteration; the newest one if left out.")]


def main() -> None:
    """Run the command; errors that a user can mend are one paragraph, not a traceback (LOOPTOOL_DEBUG=1 shows
    the traceback).
    """
    from looptool_kit.core.errors import no_writing
    from looptool_kit.policy.models import ModelNotFound
    from looptool_kit.run.folder import RunError

    signal.signal(signal.SIGINT, _stop)
    try:
        app()
    except (RunError, ModelNotFound, ValueError, FileNotFoundError, FileExistsError) as error:
        if os.environ.get("LOOPTOOL_DEBUG"):
            raise
        say(f"looptool: {error}", fg="red", err=True)
        sys.exit(1)
    except OSError as error:
        remedy = no_writing(error, Path(error.filename)) if isinstance(error.filename, str) else ""
        if not remedy or os.environ.get("LOOPTOOL_DEBUG"):
            raise
        say(f"looptool: {remedy}", fg="red", err=True)
        sys.exit(1)
    except Stopped:
        say(
            "\nlooptool: stopped. Nothing finished is lost; the same command goes on where it stopped.",
            fg="yellow",
            err=True,
        )
        sys.exit(130)


class Stopped(BaseException):
    """Ctrl-C; not KeyboardInterrupt, which the command-line library would swallow."""


def _stop(*_: object) -> None:
    raise Stopped


def _overrides(pairs: list[str] | None, seed: int | None) -> dict[str, Any]:
    import tomllib

    values: dict[str, Any] = {} if seed is None else {"seed": seed}
    for pair in pairs or []:
        name, equals, text = pair.partition("=")
        if not equals:
            raise ValueError(f"--set {pair}: write name=value, e.g. --set grpo.steps=2")
        try:
            value = tomllib.loads(f"v = {text}")["v"]
        except tomllib.TOMLDecodeError:
            value = text
        values[name.strip().replace(".", "__")] = value
    return values


def _open(path: Path) -> Any:
    from looptool_kit.run.folder import Run

    return Run.open(path)


def _open_or_create(path: Path, preset: str | None, overrides: dict[str, Any]) -> Any:
    from looptool_kit.run.folder import Run

    if (path / "run.toml").exists() and preset is None and not overrides:
        return Run.open(path)
    return Run.create(path, preset or "cpu", **overrides)


@app.command()
def init(
    path: RunFolder,
    tools: Annotated[
        str | None,
        typer.Option(help="Your own tools: a .py file, an OpenAI or OpenAPI file, or mcp:<command or URL>."),
    ] = None,
    preset: Preset = None,
    seed: SeedOption = None,
    set_: Set = None,
) -> None:
    """Make a run folder with the settings of a preset, to look at and edit before the loop starts; with
    --tools, for your own tools.
    """
    if tools is None:
        run = _open_or_create(path, preset, _overrides(set_, seed))
    else:
        from looptool_kit.tools.of_run import init as make
        from looptool_kit.tools.of_run import tools_of
        from looptool_kit.trust import tools_kind

        if act := {"python": "run", "mcp": "started or asked"}.get(tools_kind(tools)):
            say(f"{tools.removeprefix('mcp:')} is {act} now, to learn its tools", err=True)
        run = make(path, tools, preset or "cpu", **_overrides(set_, seed))
        say(
            f"{run.path / 'tools.json'} holds {len(tools_of(run))} tools:"
            f" {', '.join(t.name for t in tools_of(run))}"
        )
        if (run.path / "rejected.jsonl").exists():
            say(f"{run.path / 'rejected.jsonl'} says which tools were left out, and why")
    say(f"{run.path / 'run.toml'} holds the settings. Next: looptool loop {path}")


@app.command()
def trust(
    path: RunFolder, yes: Annotated[bool, typer.Option("--yes", help="Confirm without asking.")] = False
) -> None:
    """Show which settings of a run from elsewhere run a command or a file or send data, and confirm them for
    this folder.
    """
    from looptool_kit import trust as settings
    from looptool_kit.run.folder import Run

    run = Run.open(path, read_only=True)
    found = settings.acts(run.settings, path)
    for act in found:
        say(f"{act.setting} {act.words}" + (" (confirmed before)" if settings.confirmed(path, act) else ""))
    if not found:
        say(f"nothing in {run.path / 'run.toml'} runs a command or a file, or sends data")
    elif settings.unconfirmed(path, run.settings):
        if not yes and not typer.confirm("Shall these be obeyed for this folder?"):
            raise ValueError("nothing was confirmed")
        if not settings.confirm(path, found):
            raise ValueError(
                "what was confirmed cannot be kept: the folder of your user configuration cannot be"
                " written to"
            )
        say(f"confirmed. Next: looptool loop {path}")


@app.command()
def loop(
    path: RunFolder = Path("runs/tour"), preset: Preset = None, seed: SeedOption = None, set_: Set = None
) -> None:
    """Close the loop: seed, train, evaluate, probe, verify, expand, compose, and round again; then the
    scoreboard and the report.

    A loop that was stopped goes on where it stopped.
    """
    from looptool_kit.loop import Loop
    from looptool_kit.run.folder import full_disk_explained

    run = _open_or_create(path, preset, _overrides(set_, seed))
    if not run.iterations and (said := _forecast(run)):
        say(said)
    with full_disk_explained(run.path):
        Loop(run, say).run()
    _finish(run)
    name = _command()
    say(
        f"next: open {run.path / 'report.html'} in a browser\n      {name} lab     the same stages and views"
        f" in notebooks, starting with a tour\n      {name} init runs/mine --tools my_tools.py && {name} loop"
        " runs/mine     the same for tools of your own"
    )


def _forecast(run: Any) -> str:
    """What the loop is about to take, in words; empty where that cannot be known."""
    from looptool_kit.core.terminal import duration
    from looptool_kit.report.forecast import forecast

    found = forecast(run.settings)
    if found is None:
        return ""
    count = run.settings.iterations
    return (
        f"{count} iteration{'s' * (count != 1)} of the loop: about"
        f" {duration(60 * max(1, round(found.seconds / 60)))} on this machine, up to {found.memory_gb:.0f} GB"
        f" of memory, {found.disk_gb:.1f} GB of disk. Ctrl-C stops at any time; the same command goes on from"
        " there."
    )


def _command() -> str:
    """How this command is called from where the user stands: `looptool` where the shell finds it, else its
    path.
    """
    import shutil

    called, found = Path(sys.argv[0]), shutil.which("looptool")
    if called.stem != "looptool" or (found and Path(found).resolve() == called.resolve()):
        return "looptool"
    return os.path.relpath(called) if called.is_absolute() else str(called)


@app.command()
def ablate(
    path: Annotated[
        Path, typer.Argument(help="The folder that holds the arms' runs, the table and the plot.")
    ] = Path("runs/ablation"),
    preset: Annotated[str, typer.Option(help="Settings that all arms start from.")] = "cpu",
    seeds: Annotated[
        str, typer.Option(help="Random seeds, by commas; three or more for intervals that mean something.")
    ] = "0,1,2",
    arms: Annotated[
        str | None,
        typer.Option(
            help="Only these beside the full loop, by commas: no-hppl,no-jglv,no-edde,repeat,control."
        ),
    ] = None,
    set_: Set = None,
) -> None:
    """Does the loop help? The full loop without each of its parts, and seed data alone for as many tokens,
    from one policy D1 a random seed.

    Says first how long it will take. What has finished is kept, and one that was stopped goes on where it
    stopped.
    """
    from looptool_kit.studies import ablate as study
    from looptool_kit.studies.arms import ARMS, text

    try:
        numbers = [int(n) for n in seeds.split(",")]
    except ValueError:
        raise ValueError(
            f"--seeds {seeds}: write whole numbers with commas between them, e.g. --seeds 0,1,2"
        ) from None
    found = study.ablate(
        path,
        preset,
        numbers,
        [a.strip() for a in arms.split(",")] if arms else list(ARMS),
        say,
        **_overrides(set_, None),
    )
    say(f"\n{text(found)}\n\nforest plot: {path / 'ablation.html'}")


def _finish(run: Any) -> None:
    from looptool_kit.report.summary import print_scoreboard, report_run, took
    from looptool_kit.run.folder import full_disk_explained

    print_scoreboard(run)
    say(took(run))
    with full_disk_explained(run.path):
        say(f"report: {report_run(run)}")


def _stage(path: Path, work: Callable[[Any], Any]) -> None:
    from looptool_kit.run.folder import full_disk_explained

    run = _open(path)
    with full_disk_explained(run.path):
        say(repr(work(run)))


@app.command(name="seed")
def seed_command(
    path: RunFolder,
    preset: Preset = None,
    seed: SeedOption = None,
    noise: Annotated[
        float | None, typer.Option(help="Share of labels that get a planted annotator's error.")
    ] = None,
    set_: Set = None,
) -> None:
    """Make the seed data: the pool, D1, the held-out splits and the truth behind planted noise."""
    from looptool_kit.stages.seed.stage import seed as stage

    run = _open_or_create(
        path, preset, _overrides(set_, seed) | ({} if noise is None else {"seeds__noise": noise})
    )
    say(f"{stage(run)} in {run.folder(1) / 'samples.parquet'}; held-out splits and truth in {run.folder(0)}")


@app.command()
def train(path: RunFolder, iteration: Iteration = None) -> None:
    """Train the policy on D_j."""
    from looptool_kit.stages.train.stage import train as stage

    _stage(path, lambda run: stage(run, iteration=iteration))


@app.command()
def probe(path: RunFolder, iteration: Iteration = None) -> None:
    """Greedy-decode D_j: predictions, perplexities, matches."""
    from looptool_kit.stages.probe import probe as stage

    _stage(path, lambda run: stage(run, iteration=iteration))


@app.command()
def verify(
    path: RunFolder,
    iteration: Iteration = None,
    again: Annotated[
        bool,
        typer.Option(
            help=(
                "Judge once more: only calls to a model that failed are made, the rest is in the run's store."
            )
        ),
    ] = False,
) -> None:
    """Judge the failed samples' labels."""
    from looptool_kit.stages.verify.stage import verify as stage

    _stage(path, lambda run: stage(run, iteration=iteration, again=again))
    from looptool_kit.studies.judge_check import warning

    if said := warning(_open(path)):
        say(said, fg="yellow", err=True)


@app.command(name="judge-check")
def judge_check(
    target: Annotated[
        Path,
        typer.Argument(
            help=(
                "A run folder (its seed pool under the true labels), or a .jsonl or .parquet file of right"
                " samples."
            )
        ),
    ],
    judge: Annotated[
        str | None, typer.Option(help="The judge; the run's own if left out, else evidence.")
    ] = None,
    iteration: Annotated[
        int | None,
        typer.Option(
            help="Lend the judge the log-probabilities of that iteration's policy (0: the base model)."
        ),
    ] = None,
    samples: Annotated[
        int, typer.Option(min=1, help="At most that many samples, always the same ones.")
    ] = 60,
    repeats: Annotated[int, typer.Option(min=1, help="How often each question is asked.")] = 2,
    set_: Set = None,
) -> None:
    """Plant known errors, ask the judge, print its precision, recall and abstention for each kind, with
    intervals, and keep every trial.
    """
    from looptool_kit.config import Settings, with_overrides
    from looptool_kit.core.records import Truths
    from looptool_kit.core.samples import Samples
    from looptool_kit.policy.policy import open_engine, policy_of
    from looptool_kit.studies import judge_check as report
    from looptool_kit.trust import confirm_given

    engine, overrides = None, _overrides(set_, None) | ({"verify__judge": judge} if judge else {})
    if target.is_dir():
        run = _open(target)
        pool, truth = (
            run.table(Samples, "pool", 0),
            {t.sample_id: t.label for t in run.table(Truths, "truth", 0)},
        )
        settings, folder = with_overrides(run.settings, **overrides), target / "judge_check"
        confirm_given(run.path, settings, overrides, run.settings)
        if iteration is not None:
            engine = open_engine(policy_of(run, iteration), run.settings.probe.batch)
    elif iteration is not None:
        raise ValueError(f"--iteration names a run's policy, and {target} is no run folder")
    else:
        pool, truth = Samples.read(target), {}
        settings, folder = (
            with_overrides(Settings(), **overrides),
            target.with_name(f"{target.name}.judge_check"),
        )
    right = report.right_samples(pool, truth)
    if not right:
        raise ValueError(
            f"{target} holds no samples with calls or questions: there is nothing to plant errors in"
        )
    right = right[:: max(1, len(right) // samples)][:samples]
    folder = folder / (settings.verify.judge + ("-policy" if engine else ""))
    say(report.check(folder, right, settings, engine, repeats))
    say(f"every trial, and the card, in {folder}")


@app.command()
def expand(
    path: RunFolder,
    iteration: Iteration = None,
    again: Annotated[
        bool,
        typer.Option(
            help="Expand once more: of calls to a model only those that failed are made, and what follows."
        ),
    ] = False,
) -> None:
    """Write new samples from the error seeds."""
    from looptool_kit.stages.expand.stage import expand as stage

    _stage(path, lambda run: stage(run, iteration=iteration, again=again))


@app.command()
def compose(path: RunFolder, iteration: Iteration = None) -> None:
    """Compose D_{j+1}, obeying what people decided."""
    from looptool_kit.stages.compose import compose as stage

    _stage(path, lambda run: stage(run, iteration=iteration))


@app.command()
def evaluate(
    path: Annotated[Path | None, typer.Argument(help="The run folder.")] = None,
    iteration: Iteration = None,
    suite: Annotated[
        str,
        typer.Option(
            help="held_out (the run's own held-out splits), or a benchmark: bfcl, acebench, robustness."
        ),
    ] = "held_out",
    setup: Annotated[
        bool,
        typer.Option(
            "--setup", help="Fetch what the benchmark needs first (bfcl: from the package index, once)."
        ),
    ] = False,
    categories: Annotated[
        str | None, typer.Option(help="Benchmarks: categories or groups, by commas.")
    ] = None,
    per_category: Annotated[
        int | None,
        typer.Option(min=1, help="Benchmarks: evaluate that many of each category, always the same ones."),
    ] = None,
) -> None:
    """Score the policy of an iteration (0: the base model): on the held-out splits, or on a benchmark."""
    from looptool_kit.policy.policy import policy_of
    from looptool_kit.stages import evaluate as suites
    from looptool_kit.stages.evaluate.stage import evaluate as stage

    benchmark = None if suite == "held_out" else suites.find_suite(suite)
    if setup and benchmark and (where := suites.setup(suite)):
        say(f"{suite} is set up in {where}")
    if path is None:
        if setup:
            return
        raise ValueError("name the run folder whose policy is to be evaluated")
    run = _open(path)
    policy = policy_of(run, run.iteration if iteration is None else iteration)
    if benchmark is None:
        say(repr(stage(run, policy)))
        return
    scores = benchmark.evaluate(run, policy, categories.split(",") if categories else None, per_category)
    if hasattr(benchmark, "print_run"):
        benchmark.print_run(run, policy.name)
    else:
        benchmark.print_scores(scores, policy.name)
    say(
        f"rows, and what failed, in {run.folder(policy.iteration) / suite}; to look:"
        f" ProbeView(*{suite}.failures(run, policy))"
    )


@app.command()
def report(path: RunFolder) -> None:
    """Print the scoreboard and write the run's report as one HTML file."""
    from looptool_kit.run.folder import Run

    _finish(Run.open(path, read_only=True))


def _free(out: Path) -> None:
    """Raise where something is there that would be lost."""
    if out.exists() or out.is_symlink():
        raise FileExistsError(
            f"{out} is there already, and nothing is written over it: give another name, or move it away"
            " first"
        )
    if run := next((p for p in out.absolute().resolve().parents if (p / "run.toml").exists()), None):
        raise ValueError(
            f"{out} is inside the run {run}, which keeps its own files there: give a place outside of it"
        )


@app.command()
def plan(path: RunFolder) -> None:
    """Say what the loop would do on a run as it stands: which stages are done, which would be made again,
    why, and what they had taken.
    """
    from looptool_kit.report import plan as account
    from looptool_kit.run.folder import Run

    run = Run.open(path, read_only=True)
    steps = account.plan(run)
    for step in steps:
        say(step)
    say(account.summary(run, steps))


@app.command()
def clean(
    path: RunFolder, yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False
) -> None:
    """Delete for good what later results have taken the place of (the folder `superseded` of a run)."""
    import shutil

    from looptool_kit.run.folder import SUPERSEDED

    with _open(path) as run:
        old = run.path / SUPERSEDED
        files = [p for p in old.rglob("*") if p.is_file()]
        if not files:
            say(f"{old} holds nothing")
            return
        say(
            f"{old} holds {len(files)} files, {sum(p.stat().st_size for p in files) / 2**20:.1f} MiB, of"
            " results that others have taken the place of"
        )
        if not yes and not typer.confirm("Delete them for good?"):
            raise ValueError("nothing was deleted")
        shutil.rmtree(old)
        say("deleted")


Form = Annotated[
    str | None,
    typer.Option(
        help="openai, sharegpt, hermes, xlam, verl or looptool; export also takes adapter and merged."
    ),
]


@app.command()
def export(
    path: RunFolder,
    out: Annotated[
        Path, typer.Argument(help="A .jsonl, .json or .parquet file, or a folder for `datasets`.")
    ],
    form: Form = "looptool",
    iteration: Iteration = None,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="The held-out samples instead of a dataset D_j.")
    ] = False,
) -> None:
    """Write a dataset D_j for others to train on; rows that a form has no place for are left out and counted.

    With --form adapter or merged: the policy trained on D_j, by default the run's best, as a LoRA adapter or
    as a whole checkpoint.
    """
    from looptool_kit.core.samples import Samples
    from looptool_kit.formats import read as formats
    from looptool_kit.run.folder import Run

    run = Run.open(path, read_only=True)
    _free(out)
    if form in ("adapter", "merged"):
        from looptool_kit.policy.export import save_adapter, save_merged
        from looptool_kit.policy.policy import policy_of
        from looptool_kit.stages.evaluate.stage import best_policy

        policy = policy_of(run, iteration) if iteration else best_policy(run)
        say(f"policy {policy.name} in {(save_adapter if form == 'adapter' else save_merged)(policy, out)}")
        return
    table = (
        run.table(Samples, "held_out", 0)
        if held_out
        else run.table(Samples, "samples", iteration or run.iteration)
    )
    fit, unfit = formats.fitting(table, formats.form_named(form or "looptool"))
    say(f"{fit} in {formats.write(fit, out, formats.form_named(form or 'looptool'))}")
    if unfit:
        say(f"{len(unfit)} rows left out, for example: {unfit[0]}")


@app.command(name="import")
def import_command(
    file: Annotated[
        Path, typer.Argument(help="A .jsonl, .json or .parquet file, or a folder written by `datasets`.")
    ],
    out: Annotated[Path, typer.Argument(help="The .jsonl or .parquet file of samples to write.")],
    form: Form = None,
) -> None:
    """Turn somebody's dataset into samples (then: --set seeds.source=OUT). Rows that cannot be used go beside
    it, with row number and reason.
    """
    from looptool_kit.formats import read as formats

    aside = out.with_name(out.stem + ".rejected.jsonl")
    _free(out)
    _free(aside)
    samples, rejected, first = formats.convert(
        file, out, aside, None if form is None else formats.form_named(form)
    )
    say(f"Samples({samples} rows) in {out}")
    if rejected:
        say(f"{rejected} rows set aside in {aside}, for example {first}")


@app.command()
def lab(
    target: Annotated[Path, typer.Argument(help="The notebook or folder to open.")] = Path(
        "notebooks/00_tour.ipynb"
    ),
) -> None:
    """Open the notebooks in JupyterLab, on the tour."""
    import importlib.util
    import subprocess

    if importlib.util.find_spec("jupyterlab") is None or importlib.util.find_spec("anywidget") is None:
        raise ValueError(
            "JupyterLab is not installed here. Use `make lab`, which installs it, or `pip install -e"
            " '.[lab]'`."
        )
    if not target.exists():
        raise ValueError(
            f"{target} does not exist. Call this in the repository's folder, or name a notebook or a folder."
        )
    command = [sys.executable, "-P", "-m", "jupyterlab", str(target)]
    if target.is_file():
        command += [
            f"--ServerApp.root_dir={Path.cwd()}"
        ]  # so that runs/ and the reports in it stand in the file browser
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command += ["--allow-root"]  # as in most containers; the server asks for a token all the same
    raise typer.Exit(subprocess.call(command))


contamination_app = typer.Typer(
    no_args_is_help=True,
    help="Keep benchmarks out of training data: fingerprints of an installed one, and the check.",
)
app.add_typer(contamination_app, name="contamination")


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
    """Write the fingerprints of a benchmark: hashes of its tool names and of every run of eight words, no
    text.
    """
    from looptool_kit.checks import contamination

    _free(out)
    for folder in from_:
        if not folder.is_dir():
            raise ValueError(f"{folder} is no folder")
    known = contamination.build(from_)
    contamination.write(known, out)
    say(f"{known} ({known.files} files) in {out}")


@contamination_app.command(name="check")
def contamination_check(
    fingerprints: Annotated[Path, typer.Argument(help="A list that `build` has written.")],
    data: Annotated[Path, typer.Argument(help="A .jsonl or .parquet file of samples.")],
) -> None:
    """Say which tools and samples of a dataset share a name or words with the benchmark; exit code 1 where a
    sample does.
    """
    from looptool_kit.checks import contamination
    from looptool_kit.core.samples import Samples

    samples = Samples.read(data)
    found = contamination.report(samples, contamination.read(fingerprints))
    for what, why in found:
        say(f"{what}: {why}")
    ids = set(samples.by_id())
    hits = sum(what in ids for what, _ in found)
    say(f"{hits} of {len(samples)} samples and {len(found) - hits} tools share something with the benchmark")
    raise typer.Exit(int(hits > 0))


@app.command()
def doctor() -> None:
    """Say what this machine can do and what is missing, with the remedy."""
    from looptool_kit.doctor import print_doctor

    raise typer.Exit(print_doctor())


if __name__ == "__main__":
    main()
