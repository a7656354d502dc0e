"""Score the first reading of complaints against a labelled file that stays outside the repository.

    python tests/benchmarks/score_complaints.py LABELLED.jsonl [--misses]

Each line is a JSON object with ``text``, ``category``, ``symptom`` and ``safety_related``, optionally ``also``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from triage.config.lexiconfile import load_lexicon
from triage.core.classify import classify


def main(argv: list[str]) -> int:
    """Print the shares, and the misses when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("labelled", type=Path)
    parser.add_argument("--lexicon", type=Path, default=Path("config/lexicon"))
    parser.add_argument("--misses", action="store_true")
    options = parser.parse_args(argv)
    lexicon = load_lexicon(options.lexicon)
    rows = [json.loads(line) for line in options.labelled.read_text("utf-8").splitlines() if line.strip()]
    count = dict.fromkeys(("category", "symptom", "symptom_any", "true", "false", "missed"), 0)
    began = time.perf_counter()
    readings = [classify(row["text"], lexicon) for row in rows]
    spent = time.perf_counter() - began
    for row, reading in zip(rows, readings, strict=True):
        right = reading.category == row["category"], reading.symptom == row["symptom"]
        count["category"] += right[0]
        count["symptom"] += right[1]
        count["symptom_any"] += right[1] or reading.symptom in row.get("also", ())
        count["true"] += reading.safety and row["safety_related"]
        count["false"] += reading.safety and not row["safety_related"]
        count["missed"] += row["safety_related"] and not reading.safety
        wrong_safety = reading.safety != row["safety_related"]
        if options.misses and (not all(right) or wrong_safety):
            wanted = f"{row['category']}/{row['symptom']}/{row['safety_related']}"
            print(f"{row.get('id')} wanted {wanted} got {reading.category}/{reading.symptom}/{reading.safety}")
            print(f"   why: {reading.why}\n   {row['text'][:240]}")
    total = len(rows)
    print(f"category {count['category'] / total:.1%}  symptom {count['symptom'] / total:.1%}", end="  ")
    print(f"(or one of the labels: {count['symptom_any'] / total:.1%})")
    heard, real = count["true"] + count["false"], count["true"] + count["missed"]
    print(f"safety recall {count['true'] / max(real, 1):.1%}  precision {count['true'] / max(heard, 1):.1%}")
    print(f"{1000 * spent / max(total, 1):.3f} ms a text")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
