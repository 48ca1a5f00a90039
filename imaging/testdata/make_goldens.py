"""Writes pictures/, decode.json, resize.json and values.json: image files and what Pillow, TensorFlow and Keras make of them.

Run: python imaging/testdata/make_goldens.py
"""

import io
import json
import pathlib
import shutil
import struct
import zlib

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps

HERE = pathlib.Path(__file__).parent
PICTURES = HERE / "pictures"
ORIENTATION = 0x0112


# Pictures: files of every kind, and their pixels.


def photo(height, width, channels=3):
    """Slopes, hard edges between colours, and some noise: what decoders and chroma upsampling differ on."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:height, 0:width].astype(float)
    out = np.stack([255 * x / width, 255 * y / height, 255 * (x + y) / (height + width)], axis=-1)
    out[height // 3 : 2 * height // 3, width // 2 :] = (220, 30, 40)
    out[: height // 4, : width // 3] = (20, 60, 230)
    out[-height // 4 :, -width // 3 :] = (250, 240, 30)
    out += rng.normal(0, 6, out.shape)
    if channels == 4:
        out = np.concatenate([out, (255 * x / width)[..., None]], axis=-1)
        out[2, :, 3] = 0
    return np.clip(out, 0, 255).astype(np.uint8)


def saved(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def by_pillow(data):
    return np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))


def by_tensorflow(data):
    return tf.io.decode_image(data, channels=3, expand_animations=False).numpy()


def frame_on_black(data):
    """What the first frame does not reach is black. Pillow fills it with the palette's first colour; TensorFlow moves the frame."""
    pixels = by_pillow(data)
    left, top, width, height = struct.unpack("<HHHH", data[gif_frame(data) + 1 :][:8])
    out = np.zeros_like(pixels)
    part = np.s_[top : top + height, left : left + width]
    out[part] = pixels[part]
    return out


def with_sof(data, h_v, width, height):
    """The same JPEG data with another sampling factor of Y and another size, which must need as many blocks."""
    at = data.index(b"\xff\xc0")
    out = bytearray(data)
    out[at + 5 : at + 9] = struct.pack(">HH", height, width)
    out[at + 11] = h_v
    return bytes(out)


def without_adobe(data):
    at = data.index(b"\xff\xee")
    return data[:at] + data[at + 2 + struct.unpack(">H", data[at + 2 : at + 4])[0] :]


def with_adobe_transform(data, transform):
    at = data.index(b"Adobe")
    return data[: at + 11] + bytes([transform]) + data[at + 12 :]


def png_chunk(kind, payload):
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))


def png(width, height, depth, colour, scanlines, interlaced=False, extra=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + extra
        + png_chunk(b"IDAT", zlib.compress(scanlines, 9))
        + png_chunk(b"IEND", b"")
    )


def interlaced_png(pixels):
    """Adam7, which Pillow and TensorFlow read but do not write."""
    lines = b""
    for y, x, down, across in [
        (0, 0, 8, 8),
        (0, 4, 8, 8),
        (4, 0, 8, 4),
        (0, 2, 4, 4),
        (2, 0, 4, 2),
        (0, 1, 2, 2),
        (1, 0, 2, 1),
    ]:
        part = pixels[y::down, x::across]
        if part.size:
            lines += b"".join(b"\0" + row.tobytes() for row in part)
    return png(pixels.shape[1], pixels.shape[0], 8, 2, lines, interlaced=True)


def gif_frame(data):
    """Where the first image descriptor stands."""
    at = 13 + (3 << ((data[10] & 7) + 1) if data[10] & 0x80 else 0)
    while data[at] == 0x21:  # extensions
        at += 2
        while data[at]:
            at += 1 + data[at]
        at += 1
    assert data[at] == 0x2C
    return at


def gif_on_larger_screen(data, width, height, left, top):
    out = bytearray(data)
    out[6:10] = struct.pack("<HH", width, height)
    at = gif_frame(data)
    out[at + 1 : at + 5] = struct.pack("<HH", left, top)
    return bytes(out)


def top_down_bmp(data):
    """The same BMP with its rows in the other order."""
    offset = struct.unpack("<I", data[10:14])[0]
    width, height = struct.unpack("<ii", data[18:26])
    stride = (len(data) - offset) // height
    rows = [data[offset + i * stride : offset + (i + 1) * stride] for i in range(height)]
    return data[:22] + struct.pack("<i", -height) + data[26:offset] + b"".join(reversed(rows))


def oriented(value):
    exif = Image.Exif()
    exif[ORIENTATION] = value
    return exif


def jpeg_big_endian_exif(image, value):
    tiff = b"MM\0*" + struct.pack(">IH", 8, 1) + struct.pack(">HHIHH", ORIENTATION, 3, 1, value, 0) + b"\0\0\0\0"
    return saved(image, "JPEG", quality=95, subsampling=0, exif=b"Exif\0\0" + tiff)


def pictures():
    rgb = photo(15, 22)
    image = Image.fromarray(rgb)
    rgba = Image.fromarray(photo(15, 22, 4))
    grey = image.convert("L")
    palette = image.quantize(37)
    small = Image.fromarray(photo(6, 9))
    wide = rgb.astype(np.uint16) * 257 + np.arange(22, dtype=np.uint16)[None, :, None] * 11

    p = by_pillow
    yield "444.jpg", saved(image, "JPEG", quality=92, subsampling=0), p
    yield "422.jpg", saved(image, "JPEG", quality=92, subsampling=1), p
    yield "420.jpg", saved(image, "JPEG", quality=92, subsampling=2), p
    yield "440.jpg", with_sof(saved(Image.fromarray(photo(16, 32)), "JPEG", quality=92, subsampling=1), 0x12, 15, 32), p
    yield "411.jpg", with_sof(saved(Image.fromarray(photo(16, 32)), "JPEG", quality=92, subsampling=2), 0x41, 61, 8), p
    yield "420-narrow.jpg", saved(image.resize((3, 7)), "JPEG", quality=92, subsampling=2), p
    yield "progressive-420.jpg", saved(image, "JPEG", quality=92, progressive=True), p
    yield "restarts-420.jpg", saved(image, "JPEG", quality=92, restart_marker_blocks=1), p
    yield "grey.jpg", saved(grey, "JPEG", quality=92), p
    yield "rgb.jpg", saved(image, "JPEG", quality=92, keep_rgb=True), p
    cmyk = saved(image.convert("CMYK"), "JPEG", quality=92)
    yield "cmyk-adobe.jpg", cmyk, p
    yield "cmyk-plain.jpg", without_adobe(cmyk), p
    yield "ycck.jpg", with_adobe_transform(cmyk, 2), p
    for value in range(1, 9):
        yield f"exif-{value}.jpg", saved(small, "JPEG", quality=95, subsampling=0, exif=oriented(value)), p
    yield "exif-6-big-endian.jpg", jpeg_big_endian_exif(small, 6), p

    yield "rgb.png", saved(image, "PNG"), p
    yield "rgba.png", saved(rgba, "PNG"), p
    yield "grey.png", saved(grey, "PNG"), p
    yield "grey-alpha.png", saved(rgba.convert("LA"), "PNG"), p
    yield "bits.png", saved(grey.convert("1"), "PNG"), p
    yield "palette-8.png", saved(palette, "PNG"), p
    yield "palette-2.png", saved(image.quantize(4), "PNG"), p
    yield "palette-transparent.png", saved(palette, "PNG", transparency=bytes(range(0, 37 * 6, 6))), p
    yield "colour-key.png", saved(image, "PNG", transparency=tuple(int(v) for v in rgb[7, 15])), p
    yield "grey-4.png", png(6, 2, 4, 0, b"\0\x01\x23\x45\0\xab\xcd\xef"), p
    yield "interlaced.png", interlaced_png(rgb), p
    yield "exif-8.png", saved(small, "PNG", exif=oriented(8)), p
    yield "grey-16.png", tf.io.encode_png(wide[..., :1]).numpy(), by_tensorflow
    yield "rgb-16.png", tf.io.encode_png(wide).numpy(), by_tensorflow
    yield "rgba-16.png", tf.io.encode_png(np.concatenate([wide, wide[..., :1]], axis=-1)).numpy(), by_tensorflow

    yield "whole.gif", saved(palette, "GIF", interlace=0), p
    yield "interlaced.gif", saved(palette, "GIF", interlace=1), p
    frames = [Image.fromarray(np.roll(rgb, i, axis=1)).quantize(16) for i in range(3)]
    yield "animated.gif", saved(frames[0], "GIF", save_all=True, append_images=frames[1:]), by_tensorflow
    yield "offset.gif", gif_on_larger_screen(saved(small.quantize(16), "GIF"), 14, 11, 3, 4), frame_on_black
    yield "transparent.gif", saved(palette, "GIF", transparency=palette.getpixel((15, 7))), by_tensorflow

    yield "lossless.webp", saved(image, "WEBP", lossless=True), p
    yield "lossless-alpha.webp", saved(rgba, "WEBP", lossless=True, exact=True), p
    yield "lossy.webp", saved(image, "WEBP", quality=80), p
    yield "lossy-alpha.webp", saved(rgba, "WEBP", quality=80), p
    yield "exif-6.webp", saved(small, "WEBP", lossless=True, exif=oriented(6)), p

    yield "rgb.bmp", saved(image, "BMP"), p
    yield "top-down.bmp", top_down_bmp(saved(image, "BMP")), p
    yield "palette.bmp", saved(palette, "BMP"), p
    yield "bits.bmp", saved(grey.convert("1"), "BMP"), p
    yield "rgba.bmp", saved(rgba, "BMP"), p


def write_pictures():
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir()
    lines = []
    for name, data, decode in pictures():
        pixels = decode(data)
        assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3, name
        (PICTURES / name).write_bytes(data)
        rows = [row.tobytes().hex() for row in pixels]
        lines.append(
            json.dumps(
                {"file": name, "by": decode.__name__, "width": pixels.shape[1], "height": pixels.shape[0], "rows": rows}
            )
        )
    write_lines("decode.json", lines)
    # Read by the tests of errors; Pillow and TensorFlow would take the first frame of the animation.
    frames = [Image.fromarray(np.roll(photo(8, 8), i, axis=1)) for i in range(2)]
    (PICTURES / "animated.webp").write_bytes(
        saved(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    )


# Resizing.


def pattern(height, width):
    """Pixels by a formula, which the test knows too: large pictures need not be stored."""
    y, x, c = np.ogrid[0:height, 0:width, 0:3]
    return ((x * x * 3 + y * y * 5 + x * y * 7 + c * 91) % 256).astype(np.uint8)


SIZES = [  # height, width → height, width
    ((5, 7), (13, 16)),
    ((40, 30), (9, 7)),
    ((12, 9), (5, 20)),
    ((9, 12), (20, 12)),
    ((1, 1), (3, 4)),
    ((4, 3), (1, 1)),
    ((1, 9), (4, 3)),
    ((6, 6), (6, 6)),
    ((8, 8), (4, 4)),
    ((100, 130), (224, 224)),
    ((480, 640), (224, 224)),
    ((333, 500), (299, 299)),
    ((3000, 4000), (224, 224)),
    ((4000, 3000), (331, 300)),
]
MOST = 400  # values kept of one result


def write_resizes():
    rng = np.random.default_rng(3)
    lines = []
    for source, target in SIZES:
        pixels = pattern(*source)
        for method in ("bilinear", "bicubic", "area"):
            result = tf.image.resize(pixels, target, method=method, antialias=False).numpy().astype(np.float32).ravel()
            at = np.arange(result.size)
            if result.size > MOST:
                at = np.sort(
                    np.append(rng.choice(result.size - 2, MOST // 2 - 2, replace=False) + 1, [0, result.size - 1])
                )
            lines.append(
                json.dumps(
                    {
                        "from": source,
                        "to": target,
                        "method": method,
                        "at": [] if at.size == result.size else at.tolist(),
                        "values": [round(float(v), 4) for v in result[at]],
                    }
                )
            )
    write_lines("resize.json", lines)


# Values: the whole way of a picture, without decoding.


def efficientnet_crop(pixels, fraction):
    """preprocessing.py of EfficientNet, _decode_and_center_crop."""
    height, width = pixels.shape[:2]
    side = int(fraction * min(height, width))
    top, left = ((height - side) + 1) // 2, ((width - side) + 1) // 2
    return tf.image.crop_to_bounding_box(pixels, top, left, side, side).numpy(), (left, top, left + side, top + side)


def write_values():
    keras = tf.keras.applications.imagenet_utils.preprocess_input
    lite = {"mean": [127.0], "std": [128.0]}
    uneven = {"mean": [10.0, 20.0, 30.0], "std": [2.0, 4.0, 8.0], "scale": 0.5}

    def standardize(x, mean, std, scale=1.0):
        return (x * np.float32(scale) - np.float32(mean)) / np.float32(std)

    cases = [
        ("none", {"mode": "none"}, lambda x: x),
        ("unit", {"mode": "unit"}, lambda x: x / 255.0),
        ("tf", {"mode": "tf"}, lambda x: keras(x.copy(), mode="tf")),
        ("caffe", {"mode": "caffe"}, lambda x: keras(x.copy(), mode="caffe")),
        ("torch", {"mode": "torch"}, lambda x: keras(x.copy(), mode="torch")),
        ("torch, BGR", {"mode": "torch", "bgr": True}, lambda x: keras(x.copy(), mode="torch")[..., ::-1]),
        ("EfficientNet-Lite", lite, lambda x: standardize(x, **lite)),
        ("own values, BGR", {**uneven, "bgr": True}, lambda x: standardize(x[..., ::-1], **uneven)),
        ("grey", {"mode": "unit", "channels": 1}, lambda x: tf.image.rgb_to_grayscale(x).numpy() / 255.0),
    ]
    lines = []
    for i, (name, how, scale) in enumerate(cases):
        height, width = [(21, 34), (35, 22), (19, 19)][i % 3]
        method = ["bilinear", "bicubic", "area"][i % 3]
        fraction = [0.0, 0.875, 0.6][i // 3 % 3]
        pixels, frame = pattern(height, width), (0, 0, width, height)
        if fraction:
            pixels, frame = efficientnet_crop(pixels, fraction)
        resized = tf.image.resize(pixels, (6, 7), method=method, antialias=False).numpy().astype(np.float32)
        values = np.asarray(scale(resized))
        lines.append(
            json.dumps(
                {
                    "name": name,
                    "how": {"channels": 3, "resize": method, "crop_fraction": fraction, **how},
                    "from": (height, width),
                    "to": (6, 7),
                    "frame": frame,
                    "values": [float(f"{v:.8g}") for v in values.ravel()],
                }
            )
        )
    write_lines("values.json", lines)


def write_lines(name, lines):
    (HERE / name).write_text("[\n" + ",\n".join(lines) + "\n]\n")


if __name__ == "__main__":
    write_pictures()
    write_resizes()
    write_values()
