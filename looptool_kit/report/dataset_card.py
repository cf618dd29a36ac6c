"""What an exported dataset is: one line for the terminal, and the card (README.md) beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import yaml

from looptool_kit.core.records import Members, Truths
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.terminal import amount
from looptool_kit.core.versions import version
from looptool_kit.llm.store import spent
from looptool_kit.run.folder import Run
from looptool_kit.stages._find import source_of
from looptool_kit.stages.compose import PART_WORDS

UNKNOWN_LICENCE = "unknown"
"""The hub's word for a licence that nobody has named."""
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))
"""Upper bounds of the hub's size categories."""
_MADE = {
    "world": "the procedural world: requests from a grammar, labels exact",
    "evolved": "the procedural world over changed tools, labels exact",
    "search": "dialogues that search made-up records, labels exact",
    "records": "dialogues that search a file's records, written by a language model",
    "procedural": "sampled tools over typed things, labels exact",
    "templates": "templates over the run's own tools, labels exact",
    "trees": "a language model that plays user, assistant and tools",
    "expander": "an expander, from a failed sample; accepted by the rule tier",
    "judge": "a judge, which replaced the label",
    "person": "a person, who replaced the label",
}
_OWN = ("looptool", "verl")
"""Forms that keep all of a sample."""


class Written(NamedTuple):
    """Rows as they were exported."""

    rows: Samples
    ids: list[str]
    """The id that each row has in the run: names of tools may have been changed back since."""
    iteration: int
    """j of D_j; 0 for the held-out samples."""
    form: str
    left_out: int
    """Rows that the form has no place for."""

    @property
    def split(self) -> str:
        """The split that a folder keeps them as."""
        return "train" if self.iteration else "test"


def mix(run: Run, written: Written) -> Counter[str]:
    """Describe the mix of a dataset in words.

    Rows of each part, or of each split of held-out samples.
    """
    if not written.iteration:
        return Counter(sample.split.replace("_", " ") for sample in written.rows)
    members = run.table(Members, "members", written.iteration, missing_ok=True)
    part_of = {m.sample_id: str(m.part) for m in members}
    counts = Counter(part_of.get(sample_id, "seed") for sample_id in written.ids)
    return Counter({words: counts[part] for part, words in PART_WORDS.items() if counts[part]})


def title(run: Run, written: Written) -> str:
    """Name iteration, rows, mix and form of an export.

    As `D2: 198 samples (22 error seeds (ES), ...), looptool form`.
    """
    name = f"D{written.iteration}" if written.iteration else "held out"
    parts = ", ".join(f"{count} {words}" for words, count in mix(run, written).items())
    return f"{name}: {amount(len(written.rows), 'sample')} ({parts or 'none'}), {written.form} form"


def dataset_card(run: Run, written: Written, licence: str, folder: bool) -> str:
    """The card: composition, kinds, splits, provenance, licence, limits.

    Args:
        run: The run that the rows are from.
        written: The rows.
        licence: An identifier of the hub, `unknown` where nobody has named one.
        folder: Whether the card stands in a folder as hubs keep datasets.
    """
    header: dict[str, Any] = {
        "license": licence,
        "task_categories": ["text-generation"],
        "tags": ["tool-calling", "function-calling", "looptool"],
        "size_categories": [next((n for most, n in _SIZES if len(written.rows) < most), "n>1M")],
    }
    if folder:
        files = [{"split": written.split, "path": f"data/{written.split}-*.parquet"}]
        header["configs"] = [{"config_name": "default", "data_files": files}]
    tools = {tool.name for sample in written.rows for tool in sample.tools}
    sections = [
        f"# {title(run, written)}",
        "Samples for training a language model to call tools: a list of tools, a dialogue, and the right next"
        " turn of the assistant (calls or a plain reply).\n"
        f"{len(tools)} tools are on offer in them. Made by looptool-kit {version()}.",
        "## Composition\n\n" + table("part" if written.iteration else "split", mix(run, written)),
        "## Kinds\n\n" + table("kind", _most_first(s.kind or "unnamed" for s in written.rows)),
        f"## Splits\n\nAll {len(written.rows)} rows are the split `{written.split}`. "
        + (
            "The run's held-out samples are not among them (`looptool export --held-out` writes those)."
            if written.iteration
            else "They are for evaluation: training on them makes figures about them void."
        ),
        _provenance(run, written),
        f"## Licence\n\n{licence_words(licence)}",
        "## Limits\n\n" + bullets(_limits(run, written)),
    ]
    return with_header(header, sections)


def _provenance(run: Run, written: Written) -> str:
    settings = run.settings
    made = _most_first(map(_maker, written.rows))
    lines = ["## Provenance\n", table("a row and its label are from", made), ""]
    if written.iteration > 1:
        lines.append(
            f"What `{name_of(settings.model)}` failed, or was unsure of, after {written.iteration - 1} of the"
            f" loop's iterations decided which rows are here (judge `{settings.verify.judge}`)."
        )
    endpoints = [e for e in (settings.generator_llm, settings.judge_llm, *settings.jury.others) if e]
    if models := sorted(spent(run.path / "calls.sqlite", endpoints)):
        lines.append(
            f"Language models were asked on the way: {', '.join(f'`{m}`' for m in models)}. Their terms hold"
            " for what they wrote."
        )
    return "\n".join(lines).rstrip()


def _most_first(words: Iterable[str]) -> dict[str, int]:
    return dict(Counter(words).most_common())


def _maker(sample: Sample) -> str:
    words = _MADE.get(sample.source) or sample.source or "not recorded"
    return f"{words} (`{sample.strategy}`)" if sample.strategy else words


def _limits(run: Run, written: Written) -> Iterable[str]:
    planted = {t.sample_id for t in run.table(Truths, "truth", 0, missing_ok=True)}
    if wrong := sum(sample_id in planted for sample_id in written.ids):
        yield (
            f"{wrong} of {len(written.rows)} rows carry a label that was planted wrong, to measure"
            " verification (setting `seeds.noise`). The rows do not say which."
        )
    if unjudged := mix(run, written)[PART_WORDS["unjudged"]]:
        yield f"{unjudged} labels contradict the policy and no judge has decided between them."
    if _made_up(run):
        yield "Requests are written by rules, in English, with made-up values: people's requests differ."
    else:
        yield "Nobody has searched the texts for personal or harmful content."
    if written.iteration > 1:
        yield "The rows are chosen by the failures of one model: another model may need others."
    if written.form not in _OWN:
        yield (
            f"The form `{written.form}` has no place for what a plain reply must say, nor for a row's origin;"
            " `looptool` keeps both."
        )
    if written.left_out:
        yield f"{written.left_out} rows of the dataset do not fit the form `{written.form}` and are left out."


def _made_up(run: Run) -> bool:
    """Rules write the requests; records of a file may be about anybody."""
    made_up = getattr(source_of(run.settings.seeds.source), "MADE_UP", False)
    return made_up and not run.settings.search.file


# ---------------------------------------------------------------- what both cards use


def name_of(model: str) -> str:
    """Return a model's name as a card may show it.

    Of a folder on this machine, the last part.
    """
    from looptool_kit.policy.models import hub_id

    return hub_id(model) or model.rstrip("/").rsplit("/", 1)[-1]


def licence_words(licence: str) -> str:
    """The licence in a sentence."""
    if licence == UNKNOWN_LICENCE:
        return "No licence was named (`looptool export --licence`). Ask the owner before you use it."
    return f"`{licence}`, named by the person who exported it."


def table(title: str, counts: Mapping[str, int]) -> str:
    """Counts as a Markdown table."""
    return grid([title, "rows"], [[plain(words), f"{count:,}"] for words, count in counts.items()])


def grid(head: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def bullets(lines: Iterable[str]) -> str:
    """A Markdown list."""
    return "\n".join(f"- {line}" for line in lines)


def plain(text: str) -> str:
    """Escape text from data for a cell of a Markdown table.

    It ends no cell, and is not HTML.
    """
    return text.replace("\n", " ").replace("|", "\\|").replace("<", "&lt;")


def with_header(header: Mapping[str, Any], sections: Iterable[str]) -> str:
    """A card: the YAML header that hubs read, then the sections."""
    head = yaml.safe_dump(dict(header), sort_keys=False, allow_unicode=True)
    return f"---\n{head}---\n\n" + "\n\n".join(sections) + "\n"
