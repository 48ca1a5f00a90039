"""Computes the reference of a Subject: what the exported model has to answer, and the maps of every method."""

import json
import pathlib

import numpy as np
from scipy import ndimage

import formulas
from delicate import delicate_maps, nudged
from pictures import pictures

ROWS = 3
ATTEMPTS = 25


def make_reference(name, subject, folder, seed):
    """Writes folder/reference.json and the arrays that it names."""
    rng = np.random.default_rng(seed)
    images, classes = choose(name, subject, rng)
    logits, probabilities = subject.predict(images)
    writer = Writer(pathlib.Path(folder))
    document = {
        "model": name,
        "classes": logits.shape[1],
        "input_shape": list(images.shape),
        "images": writer.write("images", images),
        "logits": writer.write("logits", logits),
        "probabilities": writer.write("probabilities", probabilities),
        "default_layer": subject.layers[0],
        "cases": [],
    }
    top = logits.argmax(axis=1)
    for rank, chosen in ((1, top), (0, classes)):
        for score in ("logit", "probability"):
            evidence = subject.evidence(images, chosen, score)
            moved = [subject.evidence(i, chosen, score) for i in nudged(images)]
            for layer in layers_of(subject, score):
                maps = all_maps(subject, layer, evidence[layer], chosen, score, probabilities)
                for method, stack in maps.items():
                    assert all(lively(m) for m in stack), f"{name}/{layer}/{score}/{method} has a dull map"
                maps |= delicate_maps(evidence[layer], [e[layer] for e in moved])
                if name == "vgg16" and score == "probability":
                    maps |= article_pictures(maps)
                prefix = f"case{len(document['cases']):02d}"
                document["cases"].append(
                    {
                        "layer": layer,
                        "score": score,
                        "rank": rank,
                        "classes": [int(c) for c in chosen],
                        "maps": {m: writer.write(f"{prefix}_{m}", a) for m, a in maps.items()},
                    }
                )
    (writer.folder / "reference.json").write_text(json.dumps(document, indent=1) + "\n")
    return images, probabilities, logits


def choose(name, subject, rng):
    """Images and one explicit class for each, such that no map of the reference is dull or at the mercy of rounding."""
    images, classes = [], []
    for _ in range(ATTEMPTS):
        batch = subject.images(pictures(rng, ROWS, *subject.shape))
        logits, probabilities = subject.predict(batch)
        good = good_rows(subject, batch, logits.argmax(axis=1), probabilities)
        found = np.full(ROWS, -1)
        for candidates in runners_up(logits, rng):
            if not any(good & (found < 0)):
                break
            fits = good_rows(subject, batch, candidates, probabilities)
            for row in np.flatnonzero(good & fits & (found < 0)):
                if logits.shape[1] <= ROWS or candidates[row] not in classes + list(found):
                    found[row] = candidates[row]
        for row in np.flatnonzero(found >= 0):
            images.append(batch[row])
            classes.append(int(found[row]))
        if len(images) >= ROWS:
            return np.stack(images[:ROWS]), np.array(classes[:ROWS])
    raise RuntimeError(f"{name}: only {len(images)} of {ATTEMPTS * ROWS} images had good maps on every layer")


def runners_up(logits, rng):
    """Candidates [N] for an explicit class: any class of a small model, one of the first 40 but the top otherwise."""
    classes = logits.shape[1]
    order = np.argsort(-logits, axis=1)
    if classes == 1:
        return [order[:, 0]]
    ranks = rng.permutation(np.arange(1, min(classes, 40)))[:8]
    return [order[:, r] for r in ranks]


def good_rows(subject, images, classes, probabilities):
    """Tells the images whose maps are neither dull nor at the mercy of rounding."""
    chosen = probabilities[np.arange(len(images)), classes]
    good = (chosen > 1e-4) & (chosen < 0.97)
    for score in ("probability", "logit"):
        if any(good):
            evidence = subject.evidence(images, classes, score)
            if score == "probability" and subject.layers[0] in subject.kernels:
                good &= off_poles(
                    *evidence[subject.layers[0]]
                )  # there, all of the article's methods have to have a map
            maps = maps_of(subject, evidence, classes, score, probabilities)
            for stack in maps.values():
                good &= [lively(m, margin=1.1) for m in stack]
    return good & steady(subject, images, classes, probabilities, maps) if any(good) else good


def steady(subject, images, classes, probabilities, maps):
    """Tells the images whose probabilities and maps, those of the logits, survive rounding errors: where a unit of a
    ReLU is within one of zero, the gradient may take either of two values, and any number would be right."""
    good = np.ones(len(images), bool)
    if np.issubdtype(images.dtype, np.integer):
        return good
    for factor in (1 + 1e-6, 1 - 1e-6):
        moved = images * np.float32(factor)
        good &= np.abs(subject.predict(moved)[1] - probabilities).max(axis=1) < 5e-6
        evidence = subject.evidence(moved, classes, "logit")
        for key, stack in maps_of(subject, evidence, classes, "logit", probabilities).items():
            good &= [np.abs(m - n).max() < 3e-5 * np.ptp(m) for m, n in zip(maps.get(key, stack), stack)]
    return good


def maps_of(subject, evidence, classes, score, probabilities):
    """{(layer, method): maps} of one score."""
    return {
        (layer, method): stack
        for layer in layers_of(subject, score)
        for method, stack in all_maps(subject, layer, evidence[layer], classes, score, probabilities).items()
    }


def layers_of(subject, score):
    return subject.layers if score == "logit" else subject.layers[:1]


def lively(m, margin=1.0):
    """Tells a map with shape from a flat or nearly empty one."""
    high = m.max()
    return bool(high > 0 and np.ptp(m) / high > 0.2 * margin and (m > 0.01 * high).mean() > 0.04 * margin)


def all_maps(subject, layer, evidence, classes, score, probabilities):
    """{method: [N, H, W]} of every method that is defined for the layer and the score."""
    a, g = evidence
    rows = range(len(a))
    maps = {"grad_cam": [formulas.grad_cam(a[i], g[i]) for i in rows]}
    if all(off_poles(a, np.maximum(g, 0))):
        maps["grad_cam_plus_plus"] = [formulas.grad_cam_plus_plus(a[i], g[i]) for i in rows]
    if score == "probability":
        maps["article_grad_cam"] = maps["grad_cam"]
    if score == "probability" and all(off_poles(a, g)):
        p = probabilities.astype(np.float64)
        maps["article_grad_cam_plus_plus"] = [
            formulas.article_grad_cam_plus_plus(a[i], g[i], p[i, classes[i]]) for i in rows
        ]
    if subject.class_weights is not None and layer == subject.layers[0]:
        weights = subject.class_weights.astype(np.float64)
        maps["cam"] = [formulas.cam(a[i], weights[:, classes[i]]) for i in rows]
    if layer in subject.kernels:
        kernel = subject.kernels[layer].astype(np.float64)
        maps["article_cam"] = [formulas.article_cam(a[i], kernel) for i in rows]
    return {method: np.stack(m) for method, m in maps.items()}


def off_poles(a, g):
    """Tells the rows where float32's rounding of A and g leaves the α of Grad-CAM++ alone. Layers with negative values
    may have poles anywhere; the reference then leaves the method out, since any number would be right."""
    return (np.abs(2 + a.sum(axis=(1, 2), keepdims=True) * g) > 0.1).all(axis=(1, 2, 3))


def article_pictures(maps):
    """The article's own last step: cubic spline, corners on corners, from 14×14 to 224×224, divided by the maximum."""
    out = {}
    for method in ("article_cam", "article_grad_cam", "article_grad_cam_plus_plus"):
        large = np.stack([ndimage.zoom(m, 16, order=3, mode="mirror") for m in maps[method]])
        assert large.shape[1:] == (224, 224)
        out[method + "_input"] = large / large.max(axis=(1, 2), keepdims=True)
    return out


class Writer:
    """Writes arrays as raw little-endian float32."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, name, array):
        assert np.isfinite(array).all(), f"{name} is not finite"
        (self.folder / f"{name}.f32").write_bytes(np.ascontiguousarray(array, "<f4").tobytes())
        return {"shape": list(array.shape), "file": f"{name}.f32"}
