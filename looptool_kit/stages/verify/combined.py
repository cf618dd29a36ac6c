"""The judge `combined`: the evidence and a language model, each believed by its measured merits.

`looptool judge-check RUN --judge combined` asks the model of `llm` about planted errors, counts what it says
of which verdict, and fits how far it and the evidence are to be believed beside each other (`_merits.py`).
The card keeps these merits, and the stage takes them from there; a model without them counts as a decent
judge. Verdicts follow from the probabilities as those of `evidence` do: a label is replaced from
`verify.floor` on, by a prediction that passes the rules; two answers are both wrong only where something
speaks against each, or the model says so.
"""

from __future__ import annotations

from collections.abc import Sequence

from looptool_kit.config import Settings
from looptool_kit.core.records import Verdict
from looptool_kit.stages.verify import Case, Context, Known, Measured, llm
from looptool_kit.stages.verify import _weights as weights
from looptool_kit.stages.verify._merits import Merits, Rated, fit, posterior
from looptool_kit.stages.verify._odds import probabilities
from looptool_kit.stages.verify.evidence import Signs, held_back, signs_of, verdict_of

FOLDS = 5
"""Parts of the known cases: each is judged by merits that the other parts gave."""


def decided_by(settings: Settings) -> list[str]:
    """Those of the model."""
    return llm.decided_by(settings)


def judge(cases: Sequence[Case], context: Context) -> list[Verdict]:
    """Return one verdict for each case.

    Where the model's call failed, it is unjudged and has no judge's name.

    Raises:
        EndpointError: No model is set, or it cannot be used at all.
    """
    models = _models(context.settings)
    merits = Merits.model_validate(context.merits)
    if merits.models != models:  # they are another model's, or nobody's
        merits = Merits()
    opinions = llm.judge(cases, context)
    context.facts["merits"] = {"measured": sum(sum(of.values()) for of in merits.counts.values())}
    return [
        _verdict(case, _signs(case), opinion, merits, context.settings.verify.floor)
        for case, opinion in zip(cases, opinions, strict=True)
    ]


def measure(known: Sequence[Known], context: Context) -> Measured:
    """Measure the model's merits.

    It judges cases whose right verdict is known.
    """
    cases = [k.case for k in known]
    opinions = llm.judge(cases, context)
    signs = [_signs(case) for case in cases]
    rated = [
        Rated(k.group, k.expected, _said(o), probabilities(s.between, s.together, weights.PRIOR))
        for k, o, s in zip(known, opinions, signs, strict=True)
        if o.judge
    ]
    models, groups = _models(context.settings), sorted({k.group for k in known})
    part = {group: at % FOLDS for at, group in enumerate(groups)}
    merits = [fit([r for r in rated if part[r.group] != fold], models) for fold in range(FOLDS)]
    floor = context.settings.verify.floor
    verdicts = [
        _verdict(k.case, s, o, merits[part[k.group]], floor)
        for k, o, s in zip(known, opinions, signs, strict=True)
    ]
    return Measured(verdicts, fit(rated, models).model_dump())


def _models(settings: Settings) -> tuple[str, ...]:
    return tuple(endpoint.model for endpoint in llm.models_of(settings))


def _signs(case: Case) -> Signs:
    return signs_of(case.sample, case.prediction)


def _said(opinion: Verdict) -> str:
    return opinion.verdict or "unjudged"


def _verdict(case: Case, signs: Signs, opinion: Verdict, merits: Merits, floor: float) -> Verdict:
    if not opinion.judge:
        return opinion
    said = _said(opinion)
    odds = posterior(probabilities(signs.between, signs.together, weights.PRIOR), said, merits)
    row = verdict_of(case.sample, case.prediction, signs, odds, both_denied=said == "BOTH_WRONG")
    words = f"{row.rationale} The model says {said}: {opinion.rationale}"
    row = row.model_copy(update={"judge": "combined", "votes": opinion.votes, "rationale": words})
    return held_back(row, floor)
