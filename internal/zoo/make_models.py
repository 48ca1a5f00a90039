"""Makes the test models and their references.

    python internal/zoo/make_models.py NAME… --out DIR

Every model lands in DIR/NAME/1 (TensorFlow Serving's layout), its reference in DIR/NAME/reference.
"""

import argparse
import os
import pathlib
import shutil
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np
import tensorflow as tf

import applications
import raw
import rectified
import small
from asked import make_asked
from reference import Writer, make_reference

VERSION = pathlib.Path(__file__).with_name("version.txt").read_text().strip()

MODELS = {
    "vgg16": applications.vgg16,
    "resnet50": applications.resnet50,
    "mobilenetv2": applications.mobilenetv2,
    "efficientnetb0": applications.efficientnetb0,
    "densenet121": applications.densenet121,
    "inceptionv3": applications.inceptionv3,
    "convnexttiny": applications.convnexttiny,
    "nested": small.nested,
    "subclassed": small.subclassed,
    "sigmoid": small.sigmoid,
    "linear": small.linear,
    "two_outputs": small.two_outputs,
    "fixed_batch": small.fixed_batch,
    "free_size": small.free_size,
    "uint8_input": small.uint8_input,
    "saved": small.saved,
    "keras2": small.keras2,
    "keras2_export": small.keras2_export,
    "module": raw.module,
    "tf1": raw.tf1,
    "tf1_training": raw.tf1_training,
    "vgg_like": rectified.vgg_like,
    "gap_like": rectified.gap_like,
}


def main():
    parser = argparse.ArgumentParser(description="Makes the test models and their references.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all if none is given; of {', '.join(MODELS)}")
    parser.add_argument("--out", type=pathlib.Path, required=True, metavar="DIR")
    arguments = parser.parse_args()
    if not VERSION.endswith(f"TensorFlow {tf.__version__}"):
        sys.exit(f"internal/zoo/version.txt says {VERSION!r}, but this is TensorFlow {tf.__version__}: update it")
    for name in arguments.names or MODELS:
        if name not in MODELS:
            sys.exit(f"there is no model {name!r}; known: {', '.join(MODELS)}")
        started = time.time()
        make(name, arguments.out.resolve())
        print(f"{name}: {time.time() - started:.0f} s", flush=True)


def make(name, out):
    """Makes one model in a temporary folder and renames it, so that a half-made one is never seen."""
    tf.keras.backend.clear_session()
    tf.get_logger().setLevel("ERROR")
    temporary = out / f".{name}.{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        subject = MODELS[name]()
        subject.export(str(temporary / "1"))
        images, probabilities, logits = make_reference(name, subject, temporary / "reference", seed=7)
        check_export(name, subject, temporary / "1", images, logits if subject.linear else probabilities)
        if subject.twins:
            make_asked(name, subject, images, Writer(temporary / "reference"))
        (temporary / "reference" / "complete").write_text(VERSION + "\n")
        shutil.rmtree(out / name, ignore_errors=True)
        temporary.rename(out / name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def check_export(name, subject, folder, images, expected):
    """The SavedModel has to answer what the live model answers."""
    loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures[subject.signature]
    (argument,) = signature.structured_input_signature[1]
    parts = [signature(**{argument: tf.constant(batch)}) for batch in subject.batches(images)]
    output = subject.output or next(iter(parts[0]))
    got = np.concatenate([np.asarray(p[output], np.float32) for p in parts])
    difference = np.abs(got - expected).max()
    assert difference <= subject.tolerance, f"{name}: the SavedModel's answer is off by {difference}"


if __name__ == "__main__":
    main()
