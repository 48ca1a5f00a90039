"""Writes the tables of docs/comparison.md, between its markers, from the CSV files of compare.sh.

python bench/comparison/comparison_table.py
"""

import collections
import csv
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "comparison.md"
RESULTS = ROOT / "bench" / "results"
TIE = 1e-4  # as `explaind evaluate` has it: one and the same map differs by rounding
RIVAL = "grad_cam"  # whom the win is counted against, as in the paper


def scores(name):
    """{method: {image: row}} of a CSV file."""
    methods = collections.defaultdict(dict)
    with open(RESULTS / f"{name}.csv", newline="") as file:
        for row in csv.DictReader(file):
            methods[row["method"]][row["image"]] = row
    return methods


def mean(rows, column):
    return sum(float(r[column]) for r in rows) / len(rows)


def win(rows, rivals):
    """The share of images on which the drop is smaller than the rival's, in percent; ties count for neither."""
    won = sum(float(row["average_drop"]) < float(rivals[image]["average_drop"]) - TIE for image, row in rows.items())
    return 100 * won / len(rows)


def table(name):
    methods = scores(name)
    lines = [
        "| method | images | average drop % | increase % | wins against Grad-CAM % | Grad-CAM wins % | deletion | insertion | ROAD |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for method, by_image in methods.items():
        rows = list(by_image.values())
        wins = ["–", "–"]
        if method != RIVAL:
            wins = [f"{win(by_image, methods[RIVAL]):.1f}", f"{win(methods[RIVAL], by_image):.1f}"]
        cells = [
            f"`{method}`",
            str(len(rows)),
            f"{100 * mean(rows, 'average_drop'):.2f}",
            f"{100 * mean(rows, 'increase'):.2f}",
            *wins,
            *(f"{mean(rows, c):.3f}" for c in ("deletion_auc", "insertion_auc", "road")),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def page(text):
    """The page with its tables renewed."""

    def renew(match):
        return f"<!-- {match[1]} -->\n{table(match[1])}\n<!-- end -->"

    return re.sub(r"<!-- (comparison_\w+) -->\n.*?<!-- end -->", renew, text, flags=re.DOTALL)


def main():
    PAGE.write_text(page(PAGE.read_text()))


if __name__ == "__main__":
    main()
