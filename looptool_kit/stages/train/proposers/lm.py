"""The proposer `lm`: the run's model with an adapter of its own writes plans (ReverseGen, arXiv 2410.16736).

It is warmed up by SFT on plans that the world draws: the tools, three example plans, a fourth one as the
label. After each round it learns from its own proposals, by DPO with `preference.py`, or by one step of
policy gradient on what its groups were paid, which is GRPO's step where the ratio to the old policy is one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from looptool_kit.config import PreferenceSettings
from looptool_kit.core.records import Pair, Pairs
from looptool_kit.core.samples import Label, Message, Sample, Samples
from looptool_kit.policy.engines import Chat, Sampling
from looptool_kit.policy.engines.prompts import Begun, encode_answer
from looptool_kit.policy.models import find_model, load_tokenizer
from looptool_kit.policy.policy import close_engines, load_base, open_engine, untrained
from looptool_kit.run.folder import Run
from looptool_kit.stages.train import preference, sft
from looptool_kit.stages.train.common import training_dtype
from looptool_kit.world.plans import WEIGHTS, Dealer
from looptool_kit.world.proposed import Line, Preferred, Prompt, drawn, line_of
from looptool_kit.world.spec import Spec, domain_of

WARMUP = 256
"""Plans of the warm-up; one pass over them."""
MAX_TOKENS = 256
"""Most tokens of a plan; the world's own have 113 at the most, with the embedded model's tokenizer."""
EXAMPLES = 3
"""Plans that a prompt shows before the one to write, as in ReverseGen's warm-up."""
DPO = PreferenceSettings(epochs=1, loss="dpo", beta=0.1, learning_rate=5e-5)
"""ReverseGen's; of its two learning rates that of the published script."""
PAID_RATE = 1e-4
"""Step size of a round's one step of policy gradient."""
BEGINNING = "Plan: "
"""Begins a plan, since a reply that begins with a brace is a call in some models' forms."""
ASK = """Tools:
{tools}

A plan says which tools a user's request is about. It is one line of JSON with the kind of the request, the \
calls with the parameters that are mentioned and those of them that are said implicitly, the mode, the part \
and the link. These are three plans for these tools:
{examples}

Write another plan for these tools."""


def make(run: Run, iteration: int, place: Path, key: str, seed: int) -> Lm:
    """The proposer after its warm-up, which is done once."""
    return Lm(run, place / "lm", seed)


class Lm:
    """The model, its present adapter, and what its trainings took."""

    def __init__(self, run: Run, place: Path, seed: int) -> None:
        """Warm up; a finished warm-up in `place` is taken as it is."""
        self.run, self.place, self.seed = run, place, seed
        self.tokenizer = load_tokenizer(find_model(run.settings.model).path)
        self.trained = 0
        settings = run.settings.sft.model_copy(update={"epochs": 1})
        folder = place / "warmup"
        if not (folder / "result.json").exists():
            close_engines()
        rows = warmup(run.settings.seeds.domains, Random(f"{seed}/warmup"))
        self._took(sft.train(self._load, None, rows, settings, run.settings.lora, folder, seed), folder)

    def _load(self) -> tuple[Any, Any]:
        return load_base(self.run.settings.model, training_dtype())

    def _took(self, facts: dict[str, Any], folder: Path) -> None:
        self.trained += int(facts["tokens"])
        self.adapter = folder / "adapter"

    def propose(self, prompt: Prompt, kinds: Sequence[str | None], rng: Random) -> list[Line]:
        """Sampled lines; where a kind is prescribed the line begins with it."""
        chat, counts = chat_of(prompt), Counter(kinds)
        policy = untrained(self.run.settings)
        about = {"adapter": str(self.adapter), "folder": str(self.run.path)}
        engine = open_engine(policy.model_copy(update=about), self.run.settings.probe.batch)
        lines, seed = [], rng.randrange(2**31)
        for kind in (kind for kind in (*WEIGHTS, None) if kind in counts):
            begun = f'{BEGINNING}{{"kind": "{kind}",' if kind else BEGINNING.rstrip()
            asked: Chat = Begun(chat, tuple(encode_answer(self.tokenizer, begun)))
            sampling = Sampling(MAX_TOKENS, 1.0, counts[kind], seed)
            for written in engine.generate([asked], sampling)[0]:
                text = f"{begun}{written.text}".removeprefix(BEGINNING.rstrip()).strip()
                lines.append(Line(text, len(written.token_ids)))
        return lines

    def learn(self, pairs: Sequence[Preferred], number: int) -> None:
        """Train the adapter on the pairs.

        It is DPO against the adapter as it is, or one step of policy gradient; without pairs nothing happens.
        """
        if not pairs:
            return
        folder = self.place / f"round-{number}"
        if not (folder / "result.json").exists():
            close_engines()
        chats = {pair.prompt.key: chat_of(pair.prompt) for pair in pairs}
        rows = [
            Pair(
                sample_id=chats[pair.prompt.key].id,
                chosen=BEGINNING + pair.chosen,
                rejected=BEGINNING + pair.rejected,
                gap=pair.gap,
            )
            for pair in pairs
        ]
        paid = self.run.settings.reverse.pay == "uncertainty"
        settings = DPO
        if paid:
            all_at_once = {"batch": len(rows), "most": len(rows), "learning_rate": PAID_RATE}
            settings = DPO.model_copy(update=all_at_once)
        else:
            Random(f"{self.seed}/{number}").shuffle(rows)
        samples = Samples({chat.id: chat for chat in chats.values()}.values())
        lora = self.run.settings.lora
        given = (self._load, self.adapter, Pairs(rows), samples, settings, lora, folder, self.seed)
        self._took(preference.train(*given, paid=paid), folder)

    def facts(self) -> dict[str, Any]:
        """Tokens of the trainings so far."""
        return {"trained": self.trained}


def chat_of(prompt: Prompt, label: str = "") -> Sample:
    """Say what the model is asked.

    The answer is the line that it is to write.
    """
    text = ASK.format(tools="\n".join(map(_shown, prompt.specs)), examples="\n".join(prompt.examples))
    message = Message(role="user", content=text)
    return Sample(tools=(), messages=(message,), label=Label(reply=f"{BEGINNING}{label}"))


def _shown(spec: Spec) -> str:
    parameters = ", ".join(f"{p.name}{' (optional)' if p.optional else ''}" for p in spec.params)
    domain = domain_of()[spec.name].name
    return f"- {spec.name} ({domain}): {parameters or 'no parameters'}. {spec.description}"


def warmup(domains: Sequence[str], rng: Random) -> Samples:
    """Draw prompts over the world's train tools.

    Their labels are plans that it draws in its own proportions.
    """
    dealer = Dealer("train", rng, domains)
    found: list[Sample] = []
    kinds, weights = list(WEIGHTS), list(WEIGHTS.values())
    while len(found) < WARMUP:
        tools = dealer.deal(rng.random() < 0.5, rng.random() < 0.3)
        plans = (drawn(rng.choices(kinds, weights)[0], tools, rng) for _ in range(2 * EXAMPLES + 2))
        lines = [line_of(plan) for plan in plans if plan]
        if len(lines) > EXAMPLES:
            prompt = Prompt(tools=tuple(s.name for s in tools), examples=tuple(lines[:EXAMPLES]))
            found.append(chat_of(prompt, lines[EXAMPLES]))
    return Samples(found)
