"""Deduplication with planted near-duplicates, against datasketch's MinHash and LSH index.

    python benchmarks/bench_dedup.py [--samples 5000] [--planted 500] [--rounds 3] [--quick]

A planted row is an earlier sample's request with one or two words changed, dropped or added, under the same
label. Found: the row is flagged; others flagged: rows that were not planted. datasketch (`pip install
datasketch`) gets the same word 3-shingles, 128 permutations and threshold: once as in the first example of
its documentation (`update` a shingle at a time, what the index returns is taken), once with `update_batch`,
the estimated similarity checked and answers compared.
"""

from __future__ import annotations

import argparse
import random
from functools import partial

from _measure import HEAD, Work, compare, rows, verdict

from looptool_kit import world
from looptool_kit.checks.dedup import NEAR_THRESHOLD, REPEAT_THRESHOLD, deduplicate, said
from looptool_kit.core.samples import Sample
from looptool_kit.core.toolcalls import canonical_calls

WORDS = ("please", "just", "really", "also", "now", "then", "kindly", "maybe", "actually", "soon")


def data(count: int, planted: int, seed: int = 0) -> tuple[list[Sample], set[int]]:
    """(samples in a random order in which a copy comes after its original, places of the copies)."""
    rng = random.Random(seed)
    originals = list(world.generate(count, seed=seed))
    long = [s for s in originals if len(said(s)) >= 12]
    marked = [(rng.random(), s, False) for s in originals]
    at = {s.id: place for place, s, _ in marked}
    for sample in rng.sample(long, planted):
        marked.append((rng.uniform(at[sample.id], 1), _reworded(sample, rng), True))
    marked.sort(key=lambda row: row[0])
    return [s for _, s, _ in marked], {i for i, (_, _, copied) in enumerate(marked) if copied}


def _reworded(sample: Sample, rng: random.Random) -> Sample:
    last = max(i for i, m in enumerate(sample.messages) if m.role == "user")
    words = sample.messages[last].content.split()
    how, place = rng.choice(("change", "drop", "add", "end")), rng.randrange(len(words))
    if how == "change":
        words[place] = rng.choice(WORDS)
    elif how == "drop" and len(words) > 3:
        del words[place]
    elif how == "add":
        words.insert(place, rng.choice(WORDS))
    else:
        words = [rng.choice(WORDS).capitalize() + ",", *words, rng.choice(WORDS)]
    message = sample.messages[last].model_copy(
        update={"content": " ".join(words).upper() if rng.random() < 0.2 else " ".join(words)}
    )
    return sample.model_copy(
        update={"messages": (*sample.messages[:last], message, *sample.messages[last + 1 :])}
    )


def ours(count: int, planted: int) -> Work:
    """`deduplicate`: what the seeders and EDDE ask of each new sample, asked of a whole table."""
    samples, _ = data(count, planted)

    def work() -> list[int]:
        _, dropped = deduplicate(samples)
        return [i for i, s in enumerate(samples) if s.id in dropped]

    return work


def theirs(count: int, planted: int, checked: bool) -> Work:
    """datasketch's MinHash and MinHashLSH, row by row."""
    from datasketch import MinHash, MinHashLSH

    samples, _ = data(count, planted)

    def work() -> list[int]:
        index, kept, flagged = MinHashLSH(threshold=NEAR_THRESHOLD, num_perm=128), {}, []
        for i, sample in enumerate(samples):
            minhash = MinHash(num_perm=128)
            if checked:
                minhash.update_batch([s.encode() for s in said(sample)])
            else:
                for shingle in said(sample):
                    minhash.update(shingle.encode())
            calls = canonical_calls(sample.label.calls)
            found = index.query(minhash)
            if checked:
                needed = {f: NEAR_THRESHOLD if kept[f][1] == calls else REPEAT_THRESHOLD for f in found}
                found = [f for f in found if kept[f][0].jaccard(minhash) >= needed[f]]
            if found:
                flagged.append(i)
            else:
                index.insert(i, minhash)
                kept[i] = (minhash, calls)
        return flagged

    return work


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--samples", type=int, default=5000)
    ask.add_argument("--planted", type=int, default=500)
    ask.add_argument("--rounds", type=int, default=3)
    ask.add_argument("--quick", action="store_true", help="300 samples with 30 planted, one round")
    args = ask.parse_args()
    count, planted, rounds = (300, 30, 1) if args.quick else (args.samples, args.planted, args.rounds)
    try:
        import datasketch  # noqa: F401
    except ImportError:
        ask.error(
            "datasketch is not installed; `pip install datasketch` (or looptool-kit's extra `bench`)"
            " brings it"
        )
    sides = {
        "ours": partial(ours, count, planted),
        "datasketch, first example": partial(theirs, count, planted, False),
        "datasketch, batched and checked": partial(theirs, count, planted, True),
    }
    costs = compare(sides, rounds)
    print(HEAD + "\n" + rows(f"deduplicate {count + planted:,} rows", costs) + "\n")
    _, copies = data(count, planted)
    for name, cost in costs.items():
        flagged = set(cost.value)
        found, others = len(flagged & copies) / planted, len(flagged - copies) / count
        print(f"- {name}: {found:.1%} of the planted found, {others:.2%} of the others flagged")
        if name == "ours":
            print(
                verdict("found", found * 100, 99, "%")
                + "\n"
                + verdict("others flagged", others * 100, 1, "%", most=True)
            )
    for name in list(sides)[1:]:
        print(verdict(f"CPU, against {name}", costs[name].best[0] / costs["ours"].best[0], 10))


if __name__ == "__main__":
    main()
