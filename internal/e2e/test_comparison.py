"""The page of the comparison says what its measurements say, and its command still runs: on a few of its pictures here."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench" / "comparison"))

import comparison_table as table  # noqa: E402
import make_photos  # noqa: E402


def test_page_holds_the_measurements():
    text = table.PAGE.read_text()
    assert table.page(text) == text, (
        "docs/comparison.md is not what the CSV files say: run bench/comparison/comparison_table.py"
    )
    for name in ("comparison_last_layer", "comparison_earlier_layer"):
        methods = table.scores(name)
        assert {"grad_cam", "grad_cam_plus_plus"} <= set(methods)
        for method, by_image in methods.items():
            assert len(by_image) == len(make_photos.PHOTOS) * make_photos.VIEWS, f"{name}: {method}"


def test_measurements_can_be_repeated(binary, models, tmp_path):
    """Four of the pictures, made and measured anew, have the numbers of the recorded file, up to other processors' rounding."""
    subprocess.run([sys.executable, ROOT / "bench/comparison/make_photos.py", "--out", tmp_path / "all"], check=True)
    recorded = table.scores("comparison_last_layer")
    names = ["astronaut_03.png", "chelsea_11.png", "coffee_07.png", "rocket_19.png"]
    measured = tmp_path / "scores.csv"
    command = [binary, "evaluate", *(tmp_path / "all" / n for n in names), "--model", models / "efficientnet_lite0"]
    subprocess.run([*command, "--method", "grad_cam,grad_cam_plus_plus", "--csv", measured], check=True, cwd=ROOT)
    for row in table.csv.DictReader(measured.open(newline="")):
        want = recorded[row["method"]][f".cache/comparison/{pathlib.Path(row['image']).name}"]
        for column in ("probability", "average_drop", "deletion_auc", "insertion_auc", "road"):
            assert abs(float(row[column]) - float(want[column])) < 2e-2, (row["image"], row["method"], column)
