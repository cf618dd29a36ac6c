"""The words of a report that its reader may not know, each with its meaning."""

from __future__ import annotations

from collections.abc import Collection

KINDS = {
    "single": "one call is expected",
    "choice": "one call is expected, and several tools on offer look alike",
    "parallel": "several calls at once are expected, none of which waits for another's result",
    "multi_step": "one request takes several calls, later ones with what earlier ones gave",
    "multi_turn": "a later request of a dialogue, which builds on what was said or found before",
    "ask": "something that the tool needs was not said: a question back is expected",
    "decline": "no tool on offer can do it: a reply that says so is expected",
    "finish": "the calls are made: a reply that tells their result is expected",
}
"""What a sample asks for; imported data may have kinds of its own."""
SPLITS = {
    "unseen_values": "the tools of the training data, with values that no training sample has",
    "unseen_phrasings": "the tools of the training data, in wordings that no training sample has",
    "unseen_tools": "tools that are never trained on; they show what is forgotten",
}
"""The parts of the held-out samples; imported data may have parts of its own."""
GENERAL = {
    "sample": "tools on offer, a dialogue, and its label",
    "label": "the reference answer: the calls, or the reply, that should come next",
    "prediction": "the policy's answer, at each step the likeliest token",
    "exact match": "the share of answers with exactly the calls of the label, in any order",
    "held-out": "kept apart for the scores; no dataset has such a sample",
    "policy": "one state of the model in training",
    "base": "the model before any training here",
    "D1": "the dataset of seed samples, and the policy that was trained on it; D2, D3, ... follow",
    "interval": "holds the true value in 95 of 100 such measurements; a difference whose interval holds 0 may"
    " be chance",
    "perplexity": "how unsure the policy was of its answer; 1 is complete certainty",
    "mastered": "answered right, at low perplexity: left out of the next dataset",
    "borderline": "answered right, at high perplexity",
    "failed": "prediction and label differ, whichever of them is wrong",
    "verdict": "the judge's decision on a failed sample, or a person's that overruled it",
    "PRED_WRONG": "the prediction is wrong: the label stands, and the sample is an error seed",
    "LABEL_WRONG": "the label is wrong: the prediction, or a new label, replaces it",
    "BOTH_CORRECT": "both are right: the sample may stay, at high perplexity",
    "BOTH_WRONG": "both are wrong: the sample is dropped",
    "unjudged": "the evidence was too thin for a verdict, or there was none yet",
    "seed": "a sample of the world or of your file, not made by the loop",
    "ES": "error seeds: failed samples whose right label is known",
    "EE": "new samples that were made from error seeds and passed all checks (their children)",
    "HPPL": "right answers at high perplexity, which stay in training",
    "AUG": "seed samples in a perturbed form",
    "SFT": "training that makes the labels more likely",
    "GRPO": "training by rewards of sampled answers, those of one prompt compared with each other",
}


def told(name: object) -> str:
    """A name of the data as the page tells it."""
    words = "other tools" if name == "unseen_tools" else str(name)
    return words if words.isupper() else words.replace("_", " ")  # a verdict keeps its name


def meanings(used: Collection[str]) -> dict[str, str]:
    """The meaning of each word on the page.

    The general ones, then the splits and kinds of samples among `used`.
    """
    return GENERAL | {name: said for name, said in (SPLITS | KINDS).items() if name in used}
