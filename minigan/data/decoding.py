"""Decoding one image file to 8-bit pixels, with Pillow."""

import io
import math
import struct
import sys
import warnings
import zlib
from dataclasses import dataclass

import numpy as np

from minigan.data.arrays import Size, fitted, pillow
from minigan.errors import DataError

# What is tried on a file, whatever its name; left out are formats that start other programs (EPS) or guess (TGA).
FORMATS = ["AVIF", "BMP", "DIB", "GIF", "HEIF", "ICO", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "QOI", "TIFF", "WEBP"]
ANIMATED = ("AVIF", "GIF", "PNG", "TIFF", "WEBP")  # an MPO's other frames are a camera's extras: depth, previews

PIXELS_PER_BYTE = 100  # a photograph has about 10, an empty drawing 1,000
DEPTHS = (8, 10, 12, 14, 16)  # bits that the values in 16-bit files really have
FULL = (1 << 16) - 1

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHUNKS = (b"tRNS", b"eXIf", b"acTL")  # ancillary chunks that matter: transparency, orientation, animation

BITS, MEANING, PLACING = 258, 262, 284  # tags of a TIFF: bits per channel, what values mean, where channels lie
WHITE_IS_0, PLANES = 0, 2  # a meaning, a placing

# Which transposition undoes each EXIF orientation.
ORIENTATION = 0x0112
UPRIGHT = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}


@dataclass(frozen=True)
class Picture:
    """A decoded image file.

    pixels: (H, W, channels), uint8
    top: the largest value in a file with 16 bits per channel; 0 if it has fewer
    animated: whether further frames or pages follow the one that was decoded
    """

    pixels: np.ndarray
    top: int
    animated: bool


def decoded(content: bytes, name: str, size: Size | None, channels: int, bits: int = 16) -> Picture:
    """Decode one image file: upright by its EXIF orientation, and the first frame if there are several.

    content: the file's bytes
    name: what errors call it
    size: reached as in `resized`; None keeps the image's own
    channels: 1 for grey, 3 for colour; transparent pixels lie on white
    bits: how many bits the values in a 16-bit file have, see `depth`; 2 ** bits - 1 becomes 255
    raises DataError naming the file if its pixels cannot all be decoded, have no known range, or are too many
    """
    module = pillow()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about metadata, which does not change the pixels
            return _decode(content, size, channels, bits)
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
    except MemoryError as error:
        raise DataError(f"{name}: there is not enough memory to decode it") from error
    except module.Image.DecompressionBombError as error:
        raise DataError(f"{name}: too large to be decoded safely ({error})") from error
    except Exception as error:  # a broken file makes decoders raise nearly anything, SyntaxError included
        reason = "not an image, or one of a kind Pillow does not know"
        if not isinstance(error, module.UnidentifiedImageError):
            reason = f"corrupt or truncated ({error or type(error).__name__})"
        raise DataError(f"{name}: {reason}") from error


def depth(top: int) -> int:
    """The number of bits (8, 10, 12, 14 or 16) of values whose largest is `top`.

    Cameras and converters store 8 to 14 bits in 16-bit files without saying so. One image may be dark; look at the
    largest value of all that belong together.
    """
    return next(bits for bits in DEPTHS if top < 1 << bits)


def _decode(content: bytes, size: Size | None, channels: int, bits: int) -> Picture:
    if content.startswith(PNG_SIGNATURE):
        content = _essential_chunks(content)
    with _opened(content) as picture:
        _check_ratio(picture, len(content))
        values, top = _wide(picture, content)
        plain = picture if values is None else _narrowed(values, bits)
        plain = _on_white(plain).convert("L" if channels == 1 else "RGB")
        upright = UPRIGHT.get(_orientation(picture))
        if upright:
            plain = plain.transpose(pillow().Image.Transpose[upright])
        if size is not None:
            plain = fitted(plain, size)
        pixels = np.array(plain).reshape(plain.height, plain.width, channels)
        animated = picture.format in ANIMATED and bool(getattr(picture, "is_animated", False))
    return Picture(pixels, top, animated)


def _opened(content: bytes):
    image_module = pillow().Image
    image_module.init()
    formats = [name for name in FORMATS if name in image_module.OPEN]
    return image_module.open(io.BytesIO(content), formats=formats)


def _check_ratio(picture, size: int) -> None:
    """Raise DataError for a likely decompression bomb: more pixels than Pillow warns of, from next to no bytes.

    Pillow itself refuses images of twice its limit.
    """
    pixels, limit = picture.width * picture.height, pillow().Image.MAX_IMAGE_PIXELS
    if limit is not None and pixels > limit and pixels > PIXELS_PER_BYTE * size:
        raise DataError(f"too large to be decoded safely ({pixels:,} pixels in {size:,} bytes)")


def _essential_chunks(content: bytes) -> bytes:
    """A PNG file with only the chunks that decide what is seen, each checked by its CRC.

    Texts, colour profiles and times may be huge, damaged by a tool that edited them, or bombs.
    raises ValueError if a chunk that decides the pixels is damaged, or the end is missing
    """
    kept, place = [PNG_SIGNATURE], len(PNG_SIGNATURE)
    while True:
        if len(content) < place + 12:
            raise ValueError(f"the file ends at byte {len(content)}, before the image does")
        length, kind = struct.unpack_from(">I4s", content, place)
        chunk = content[place : place + 12 + length]
        place += 12 + length
        critical = not kind[0] & 0x20
        if critical or kind in PNG_CHUNKS:
            if len(chunk) == 12 + length and zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:]):
                kept.append(chunk)
            elif critical or kind == b"tRNS":
                raise ValueError(f"the check sum of its {kind.decode('latin-1')} chunk is wrong")
        if kind == b"IEND":
            return b"".join(kept)


def _orientation(picture) -> int:
    try:
        return picture.getexif().get(ORIENTATION, 1)
    except Exception:  # metadata that cannot be parsed says nothing, and raises nearly anything
        return 1


def _wide(picture, content: bytes) -> tuple[np.ndarray | None, int]:
    """The values of a file with 16 bits per channel, (H, W) or (H, W, C), and the largest; (None, 0) if it has fewer.

    Pillow keeps 16 bits of grey images only, and the upper 8 bits of the others.
    """
    codec, _, offset, how = _tile(picture)
    layout, declared = str(how[0]), how[1] if codec.startswith("ppm") else FULL
    if picture.format == "TIFF":
        _check_tiff(picture)
    if picture.mode == "F":
        raise DataError("it has floating-point pixels, whose range is not known; convert it to 8 or 16 bits")
    if picture.mode.startswith("I"):
        values = np.asarray(picture)
        if not 0 <= values.min() <= values.max() <= FULL:
            raise DataError(f"its values run from {values.min()} to {values.max()}; convert them to 0 to {FULL}")
        values = values.astype(np.uint16)
    elif codec == "ppm" and declared == FULL:
        shape = (picture.height, picture.width, 3)
        values = np.frombuffer(content, ">u2", math.prod(shape), offset).reshape(shape)
    elif ";16" not in layout:
        return None, 0
    elif picture.mode == "CMYK":
        raise DataError("it is CMYK with 16 bits per channel; convert it to RGB")
    elif layout == "LA;16B":
        bytes_of = _unpacked(content, "RGBA").astype(np.uint16)  # each sample is two of Pillow's
        values = bytes_of[..., ::2] << 8 | bytes_of[..., 1::2]
    else:
        values = np.array(picture).astype(np.uint16) << 8 | _unpacked(content, _other_order(layout))
    colours = values[..., : 3 if values.shape[-1] > 2 else 1] if values.ndim == 3 else values
    # Where a PGM or PPM declares fewer bits, Pillow has scaled the values.
    return _keyed(values, picture), int(colours.max()) if declared == FULL else FULL


def _check_tiff(picture) -> None:
    """Raise DataError for 16-bit values that Pillow takes for others."""
    bits = picture.tag_v2.get(BITS, (1,))
    if max(bits) != 16:
        return
    if len(bits) > 1 and picture.tag_v2.get(PLACING) == PLANES:
        raise DataError("its colours lie in planes of 16 bits, which Pillow misreads; save them pixel by pixel")
    if picture.tag_v2.get(MEANING) == WHITE_IS_0:
        raise DataError("its white is 0, which Pillow ignores in 16 bits; save it with black as 0")


def _tile(picture) -> tuple:
    """How Pillow reads the first part of a file: codec, extents, offset, and the codec's arguments as a tuple."""
    codec, extents, offset, how = tuple(picture.tile[0])[:4] if picture.tile else ("", (), 0, "")
    return codec, extents, offset, (how,) if isinstance(how, str) else tuple(how or ("",))


def _unpacked(content: bytes, layout: str) -> np.ndarray:
    """The pixels of a file, (H, W, C), uint8, read as if its samples lay as `layout` (Pillow's raw mode) says."""
    with _opened(content) as picture:
        picture.tile = [_laid_out(tile, layout) for tile in picture.tile]
        picture.load()  # np.array would make an object of what cannot be loaded
        return np.array(picture)


def _laid_out(tile, layout: str):
    """A part of a file as Pillow reads it, in another layout. Pillow's newer versions name the parts of the tuple."""
    how = tile[3]
    changed = *tile[:3], layout if isinstance(how, str) else (layout, *how[1:])
    return type(tile)(*changed) if hasattr(tile, "_fields") else changed


def _other_order(raw: str) -> str:
    """The raw mode that reads the lower byte of each sample where `raw` reads the upper one."""
    native = "L" if sys.byteorder == "little" else "B"
    layout, order = raw[:-1], raw[-1] if raw[-1] in "LB" else native
    return layout + ("B" if order == "L" else "L")


def _keyed(values: np.ndarray, picture) -> np.ndarray:
    """Add an alpha channel to values one of which a PNG declares transparent."""
    key = picture.info.get("transparency")
    if key is None:
        return values
    colours = values[..., None] if values.ndim == 2 else values
    seen = (colours != np.reshape(key, -1)).any(-1, keepdims=True)
    return np.concatenate([colours, np.where(seen, FULL, 0).astype(np.uint16)], -1)


def _narrowed(values: np.ndarray, bits: int):
    """An 8-bit picture of 16-bit values."""
    picture = _scaled(values, bits)
    if values.ndim == 3 and values.shape[2] in (2, 4):
        alpha = values[..., -1]
        picture[..., -1] = _scaled(alpha, depth(int(alpha.max())))
    return pillow().Image.fromarray(picture)


def _scaled(values: np.ndarray, bits: int) -> np.ndarray:
    largest = (1 << bits) - 1
    return np.minimum((values.astype(np.uint32) * 255 + largest // 2) // largest, 255).astype(np.uint8)


def _on_white(picture):
    """A picture without transparency, grey or colour."""
    if picture.mode == "La":
        picture = picture.convert("LA")
    if picture.mode == "LAB":
        return picture.convert("RGB")
    if not picture.has_transparency_data:
        return picture
    picture = picture.convert("RGBA")
    white = pillow().Image.new("RGBA", picture.size, "white")
    return pillow().Image.alpha_composite(white, picture)
