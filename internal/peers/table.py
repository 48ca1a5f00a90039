"""Prints the tables of docs/divergences.md, made of goldens/: what differs, and what agrees.

python internal/peers/table.py
"""

import golden

TITLES = {
    "ablation_cam": "Ablation-CAM",
    "cam": "CAM",
    "eigen_cam": "Eigen-CAM",
    "eigen_grad_cam": "EigenGrad-CAM",
    "grad_cam": "Grad-CAM",
    "grad_cam_plus_plus": "Grad-CAM++",
    "gradient_x_input": "Gradient × Input",
    "guided_backprop": "Guided Backpropagation",
    "guided_grad_cam": "Guided Grad-CAM",
    "hires_cam": "HiResCAM",
    "integrated_gradients": "Integrated Gradients",
    "layer_cam": "LayerCAM",
    "occlusion": "Occlusion",
    "rise": "RISE",
    "saliency": "Saliency",
    "score_cam": "Score-CAM",
    "smooth_grad": "SmoothGrad",
    "smooth_grad_cam_plus_plus": "Smooth Grad-CAM++",
    "xgrad_cam": "XGrad-CAM",
}
NAMES = {"captum": "Captum", "grad-cam": "pytorch-grad-cam", "torchcam": "torch-cam", "xplique": "Xplique"}
MEASURES = {
    "average_drop": "average drop",
    "average_gain": "average gain",
    "deletion_auc": "deletion AUC",
    "increase": "increase",
    "insertion_auc": "insertion AUC",
    "road": "ROAD",
}


def differing():
    """One row for each reason: the distances and cosines of the maps, from the least to the largest."""
    rows = ["| library | method | differs in | distance | cosine |", "|---|---|---|---:|---:|"]
    for library, document in golden.load():
        reasons = {}
        for case in document["cases"]:
            if "because" in case:
                reasons.setdefault((case["method"], case["because"]), []).append(case)
        for (method, because), cases in sorted(reasons.items(), key=lambda r: TITLES[r[0][0]]):
            distances, cosines = ([case[key] for case in cases] for key in ("difference", "cosine"))
            rows.append(
                f"| {name(library)} | {TITLES[method]} | {because} | {span(distances, '.2g')} | {span(cosines, '.3f')} |"
            )
    return "\n".join(rows)


def agreeing():
    """One row for each method: the libraries that have it as explaind has, and the largest distance of their maps."""
    rows = ["| method | agrees with | maps | largest distance |", "|---|---|---:|---:|"]
    methods = {}
    for library, document in golden.load():
        for case in document["cases"]:
            if case.get("tolerance", 1) <= golden.REPRODUCED:
                methods.setdefault(case["method"], []).append((name(library), case["difference"]))
    for method, found in sorted(methods.items(), key=lambda m: TITLES[m[0]]):
        libraries = ", ".join(sorted({library for library, _ in found}, key=str.lower))
        rows.append(f"| {TITLES[method]} | {libraries} | {len(found)} | {max(d for _, d in found):.1g} |")
    return "\n".join(rows)


def measured():
    """One row for each measure of faithfulness and library."""
    rows = ["| measure | library | largest difference | because |", "|---|---|---:|---|"]
    for measure, title in MEASURES.items():
        for library, document in golden.load():
            found = [number for number in document["numbers"] if number["measure"] == measure]
            if found:
                largest = max(found, key=lambda number: number["difference"])
                because = largest.get("because", "agrees")
                rows.append(f"| {title} | {name(library)} | {largest['difference']:.2g} | {because} |")
    return "\n".join(rows)


def name(library):
    return NAMES.get(library, library)


def span(numbers, form):
    least, most = (format(n, form) for n in (min(numbers), max(numbers)))
    return least if least == most else f"{least} … {most}"


if __name__ == "__main__":
    print(differing(), agreeing(), measured(), sep="\n\n")
