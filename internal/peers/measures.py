"""explaind's measures of faithfulness of one map [H, W], in NumPy. Y is the probability of the class."""

import numpy as np

from arithmetic import blur
from network import relu

STEPS = 20
SHARES = (0.2, 0.4, 0.6, 0.8)


def measures(question, values):
    """All of them, as in Faithfulness; road without the noise that explaind adds to the pixels it fills in."""
    y = question.probabilities(question.x[None])[0]
    masked = question.probabilities((question.x * stretched(values)[..., None])[None])[0]
    return {
        "average_drop": relu(y - masked) / y,
        "increase": bool(masked > y),
        "average_gain": relu(masked - y) / (1 - y) if y < 1 else 0.0,
        "deletion_auc": area(question, values, question.x, np.zeros_like(question.x)),
        "insertion_auc": area(question, values, blur(question.x), question.x),
        "road": road(question, values),
        "masked_probability": masked,
    }


def stretched(values):
    span = np.ptp(values)
    return (values - values.min()) / span if span else np.zeros_like(values)


def order(values):
    """Pixels, the most relevant first, of equals the one with the lower index."""
    return np.argsort(-values.ravel(), kind="stable")


def area(question, values, before, after):
    """Below Y while before turns into after, the most relevant pixels first, in equal steps."""
    counts = [int(step * values.size / STEPS + 0.5) for step in range(STEPS + 1)]
    y = curve(question, order(values), before, after, counts)
    return ((y[1:] + y[:-1]) / 2).mean()


def curve(question, pixels, before, after, counts):
    """Y after so many of the pixels have turned."""
    images = []
    for count in counts:
        image = before.reshape(len(pixels), -1).copy()
        image[pixels[:count]] = after.reshape(len(pixels), -1)[pixels[:count]]
        images.append(image.reshape(before.shape))
    return question.probabilities(np.stack(images))


def road(question, values):
    pixels = order(values)
    differences = []
    for share in SHARES:
        count = int(share * len(pixels) + 0.5)
        most, least = (
            question.probabilities(impute(question.x, p)[None])[0] for p in (pixels[:count], pixels[-count:])
        )
        differences.append((least - most) / 2)
    return np.mean(differences)


def impute(x, unknown):
    """x with the unknown pixels solved for: each is the weighted mean of its neighbours inside the picture."""
    height, width, channels = x.shape
    number = {pixel: i for i, pixel in enumerate(unknown.tolist())}
    matrix, right = np.zeros((len(unknown), len(unknown))), np.zeros((len(unknown), channels))
    for pixel, i in number.items():
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                y, column = pixel // width + dy, pixel % width + dx
                if (dy or dx) and 0 <= y < height and 0 <= column < width:
                    weight = 1 / 12 if dy and dx else 1 / 6
                    matrix[i, i] += weight
                    neighbour = y * width + column
                    if neighbour in number:
                        matrix[i, number[neighbour]] -= weight
                    else:
                        right[i] += weight * x[y, column]
    filled = x.reshape(-1, channels).copy()
    filled[unknown] = np.linalg.solve(matrix, right)
    return filled.reshape(x.shape)
