"""What a peer gave, written down: one file per library, one case per map or number.

A case either agrees with explaind's formula within a tolerance, or differs for a reason; then the formula with that one
change must give the peer's map, which shows that the reason is the reason. A claim that does not hold ends the run.
"""

import importlib.metadata
import json
import pathlib

import numpy as np

from arithmetic import resize
from measures import measures
from network import relu
from ours import explain

FOLDER = pathlib.Path(__file__).with_name("goldens")
REPRODUCED = 1e-4  # how near the changed formula has to come …
MUCH_NEARER = 10  # … and how many times nearer than ours

# How a peer's map is to be read.
RAW = "raw"  # as the formula gives it
FACTOR = "up to a factor"  # as the formula gives it, times a positive number
SHOWN = "shown"  # at the input's size, rectified and stretched to 0…1


class Golden:
    def __init__(self, library, *others):
        self.library = library
        self.versions = {name: importlib.metadata.version(name) for name in (library, *others)}
        self.cases, self.numbers = [], []

    def case(
        self,
        name,
        question,
        method,
        values,
        call,
        form=RAW,
        options=None,
        agrees=None,
        differs=None,
        by=None,
        layers=None,
    ):
        """agrees is the tolerance. differs says why the map is another one, and by is the map that the reason leads to."""
        values = np.asarray(values, np.float64).squeeze()
        values = values / values.max() if form == FACTOR else values
        ours = explain(question, method, options, layers)
        entry = {
            "name": name,
            "call": call,
            **described(question),
            **({"layers": layers} if layers else {}),
            "method": method,
            "options": options or {},
            "form": form,
            "difference": difference(values, comparable(ours, form)),
            "cosine": cosine(values, comparable(ours, form)),
        }
        if (agrees is None) == (differs is None):
            raise ValueError(f"{name}: either agrees or differs")
        if agrees is not None:
            entry["tolerance"] = agrees
            if entry["difference"] > agrees:
                raise SystemExit(f"{self.library}, {name}: {entry['difference']:.3g} from ours, not within {agrees:g}")
        else:
            reproduced = difference(values, comparable(by, form))
            entry["because"], entry["reproduced"] = differs, reproduced
            if reproduced > min(REPRODUCED, entry["difference"] / MUCH_NEARER):
                raise SystemExit(
                    f"{self.library}, {name}: {entry['difference']:.3g} from ours, {reproduced:.3g} from what was said"
                )
        entry |= packed(values)
        self.cases.append(entry)
        print(
            f"{self.library:16} {name:44} {entry['difference']:9.2g} {entry['cosine']:.6f} {differs or ''}", flush=True
        )

    def number(self, name, question, method, measure, value, call, options=None, agrees=None, differs=None, by=None):
        """A measure of faithfulness of explaind's own map."""
        ours = float(measures(question, input_map(question, method, options))[measure])
        entry = {"name": name, "call": call, **described(question), "method": method, "options": options or {}}
        entry |= {"measure": measure, "value": float(f"{value:.6g}"), "difference": abs(ours - value)}
        if agrees is not None:
            entry["tolerance"] = agrees
            if entry["difference"] > agrees:
                raise SystemExit(f"{self.library}, {name}: {value:.6g}, ours is {ours:.6g}")
        else:
            entry["because"], entry["reproduced"] = differs, abs(float(by) - value)
            if entry["reproduced"] > min(REPRODUCED, entry["difference"] / MUCH_NEARER):
                raise SystemExit(f"{self.library}, {name}: {value:.6g}, ours is {ours:.6g}, said was {by:.6g}")
        self.numbers.append(entry)
        print(f"{self.library:16} {name:44} {value:.4f}, ours {ours:.4f} {differs or ''}", flush=True)

    def write(self):
        FOLDER.mkdir(exist_ok=True)
        lines = [f'"library": {json.dumps(self.library)}', f'"versions": {json.dumps(self.versions)}']
        for kind, entries in (("cases", self.cases), ("numbers", self.numbers)):
            rows = ",\n".join(json.dumps(rounded(e), ensure_ascii=False, separators=(",", ":")) for e in entries)
            lines.append(f'"{kind}": [\n{rows}\n]')
        (FOLDER / f"{self.library}.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")


def described(question):
    return {
        "model": question.model,
        "picture": question.picture,
        "layer": question.layer,
        "class": question.target,
        "versus": question.versus,
        "score": question.score,
    }


def rounded(entry):
    """Differences and cosines to the digits that mean something on another machine."""
    return {
        k: float(f"{v:.3g}") if k in ("difference", "reproduced") else round(v, 7) if k == "cosine" else v
        for k, v in entry.items()
    }


def packed(values):
    """The map in whole hundred-thousandths of its largest magnitude, which keeps the files small."""
    unit = float(f"{abs(values).max() / 1e5:.7g}")
    return {"shape": list(values.shape), "unit": unit, "map": np.rint(values / unit).astype(int).ravel().tolist()}


def unpacked(entry):
    return np.reshape(entry["map"], entry["shape"]) * entry["unit"]


def load():
    """[(library, what Golden wrote)]."""
    return [(path.stem, json.loads(path.read_text())) for path in sorted(FOLDER.glob("*.json"))]


def input_map(question, method, options=None):
    """explaind's map at the input's size."""
    return resize(explain(question, method, options), *question.x.shape[:2])


def comparable(values, form):
    if form == RAW:
        return values
    if form == FACTOR:
        return values / values.max()
    values = relu(resize(values, 32, 32))
    return values / values.max()


def difference(theirs, ours):
    """The largest one, over the range of theirs."""
    if np.shape(theirs) != np.shape(ours):
        raise ValueError(f"shapes {np.shape(theirs)} and {np.shape(ours)}")
    return float(abs(theirs - ours).max() / np.ptp(theirs))


def cosine(theirs, ours):
    return float((theirs * ours).sum() / np.sqrt((theirs**2).sum() * (ours**2).sum()))
