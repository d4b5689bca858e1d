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

# Formats tried on a file, whatever its name. Excluded are formats that start other programs (EPS) or have no signature
# (TGA).
FORMATS = ["AVIF", "BMP", "DIB", "GIF", "HEIF", "ICO", "JPEG", "JPEG2000", "PCX", "PNG", "PPM", "QOI", "TIFF", "WEBP"]
ANIMATED = ("AVIF", "GIF", "PNG", "TIFF", "WEBP")  # not MPO, whose other frames are a camera's depth maps and previews

PIXELS_PER_BYTE = 100  # a photograph has about 10, an empty drawing 1,000
DEPTHS = (8, 10, 12, 14, 16)  # bits that are really used in 16-bit files
FULL = (1 << 16) - 1

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_CHUNKS = (b"tRNS", b"eXIf", b"acTL")  # ancillary chunks that matter: transparency, orientation, animation

# TIFF tags BitsPerSample, PhotometricInterpretation and PlanarConfiguration, and values of the last two.
BITS, PHOTOMETRIC, PLANAR = 258, 262, 284
WHITE_IS_0, PLANES = 0, 2

# The transposition that undoes each EXIF orientation.
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
    top: the largest value in a file with 16 bits per channel; 0 if it has fewer bits
    animated: whether the file has more frames or pages than the one that was decoded
    """

    pixels: np.ndarray
    top: int
    animated: bool


def decoded(content: bytes, name: str, size: Size | None, channels: int, bits: int = 16) -> Picture:
    """Decode the first frame of an image file, rotated upright by its EXIF orientation.

    content: the file's bytes
    name: its name in error messages
    size: resize to this, as `resized` does; None keeps the image's own size
    channels: 1 for grey, 3 for colour; transparent pixels are composited on white
    bits: the bits used in a 16-bit file, see `depth`; 2 ** bits - 1 becomes 255
    raises DataError naming the file if it cannot be decoded completely, its range is unknown, or it is too large
    """
    module = pillow()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about metadata, which does not affect the pixels
            return _decode(content, size, channels, bits)
    except DataError as error:
        raise DataError(f"{name}: {error}") from error
    except MemoryError as error:
        raise DataError(f"{name}: not enough memory to decode it") from error
    except module.Image.DecompressionBombError as error:
        raise DataError(f"{name}: too large to be decoded safely ({error})") from error
    except Exception as error:  # decoders of broken files can raise nearly anything, even SyntaxError
        reason = "not an image, or in a format that Pillow does not know"
        if not isinstance(error, module.UnidentifiedImageError):
            reason = f"corrupt or truncated ({error or type(error).__name__})"
        raise DataError(f"{name}: {reason}") from error


def depth(top: int) -> int:
    """The number of bits (8, 10, 12, 14 or 16) needed for values up to `top`.

    Cameras and converters store 8 to 14 bits in 16-bit files without declaring it. Since an image may be dark, use the
    largest value of all images in a dataset.
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
    """Raise DataError for a likely decompression bomb: more pixels than Pillow's warning limit, from very few bytes.

    Pillow itself refuses images of twice that limit.
    """
    pixels, limit = picture.width * picture.height, pillow().Image.MAX_IMAGE_PIXELS
    if limit is not None and pixels > limit and pixels > PIXELS_PER_BYTE * size:
        raise DataError(f"too large to be decoded safely ({pixels:,} pixels in {size:,} bytes)")


def _essential_chunks(content: bytes) -> bytes:
    """Keep only the chunks of a PNG file that affect the picture, and check their CRCs.

    Text, colour profiles and timestamps may be huge, damaged by editing tools, or decompression bombs.
    raises ValueError if a chunk that affects the pixels is damaged, or the end is missing
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
                raise ValueError(f"the checksum of its {kind.decode('latin-1')} chunk is wrong")
        if kind == b"IEND":
            return b"".join(kept)


def _orientation(picture) -> int:
    try:
        return picture.getexif().get(ORIENTATION, 1)
    except Exception:  # malformed metadata can raise nearly anything; ignore it
        return 1


def _wide(picture, content: bytes) -> tuple[np.ndarray | None, int]:
    """The values of a 16-bit file, (H, W) or (H, W, C), and the largest of them; (None, 0) for files with fewer bits.

    Pillow keeps all 16 bits only in grey images, and the upper 8 bits in others.
    """
    codec, _, offset, how = _tile(picture)
    layout, declared = str(how[0]), how[1] if codec.startswith("ppm") else FULL
    if picture.format == "TIFF":
        _check_tiff(picture)
    if picture.mode == "F":
        raise DataError("it has floating-point pixels of unknown range; convert it to 8 or 16 bits")
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
        halves = _unpacked(content, "RGBA").astype(np.uint16)  # the upper and lower byte of each sample
        values = halves[..., ::2] << 8 | halves[..., 1::2]
    else:
        values = np.array(picture).astype(np.uint16) << 8 | _unpacked(content, _other_order(layout))
    colours = values[..., : 3 if values.shape[-1] > 2 else 1] if values.ndim == 3 else values
    # If a PGM or PPM declares fewer bits, Pillow has already scaled the values.
    return _keyed(values, picture), int(colours.max()) if declared == FULL else FULL


def _check_tiff(picture) -> None:
    """Raise DataError for 16-bit files that Pillow misreads."""
    bits = picture.tag_v2.get(BITS, (1,))
    if max(bits) != 16:
        return
    if len(bits) > 1 and picture.tag_v2.get(PLANAR) == PLANES:
        raise DataError("its colours are stored in planes of 16 bits, which Pillow misreads; save them pixel by pixel")
    if picture.tag_v2.get(PHOTOMETRIC) == WHITE_IS_0:
        raise DataError("it stores white as 0, which Pillow ignores in 16-bit files; save it with black as 0")


def _tile(picture) -> tuple:
    """Pillow's plan for reading the first part of a file: codec, extents, offset, and the codec's arguments."""
    codec, extents, offset, how = tuple(picture.tile[0])[:4] if picture.tile else ("", (), 0, "")
    return codec, extents, offset, (how,) if isinstance(how, str) else tuple(how or ("",))


def _unpacked(content: bytes, layout: str) -> np.ndarray:
    """Read a file's pixels, (H, W, C), uint8, as if its samples had this layout (one of Pillow's raw modes)."""
    with _opened(content) as picture:
        picture.tile = [_laid_out(tile, layout) for tile in picture.tile]
        picture.load()  # np.array would turn a picture that cannot be loaded into an object array
        return np.array(picture)


def _laid_out(tile, layout: str):
    """Replace the layout in Pillow's plan for a part of a file: a tuple, which is a named one in newer versions."""
    how = tile[3]
    changed = *tile[:3], layout if isinstance(how, str) else (layout, *how[1:])
    return type(tile)(*changed) if hasattr(tile, "_fields") else changed


def _other_order(raw: str) -> str:
    """The raw mode that reads each sample's lower byte, where `raw` reads the upper one."""
    native = "L" if sys.byteorder == "little" else "B"
    layout, order = raw[:-1], raw[-1] if raw[-1] in "LB" else native
    return layout + ("B" if order == "L" else "L")


def _keyed(values: np.ndarray, picture) -> np.ndarray:
    """Add an alpha channel if a PNG declares one value transparent."""
    key = picture.info.get("transparency")
    if key is None:
        return values
    colours = values[..., None] if values.ndim == 2 else values
    seen = (colours != np.reshape(key, -1)).any(-1, keepdims=True)
    return np.concatenate([colours, np.where(seen, FULL, 0).astype(np.uint16)], -1)


def _narrowed(values: np.ndarray, bits: int):
    """Convert 16-bit values to an 8-bit picture."""
    picture = _scaled(values, bits)
    if values.ndim == 3 and values.shape[2] in (2, 4):
        alpha = values[..., -1]
        picture[..., -1] = _scaled(alpha, depth(int(alpha.max())))
    return pillow().Image.fromarray(picture)


def _scaled(values: np.ndarray, bits: int) -> np.ndarray:
    largest = (1 << bits) - 1
    return np.minimum((values.astype(np.uint32) * 255 + largest // 2) // largest, 255).astype(np.uint8)


def _on_white(picture):
    """Composite a picture on white, if it has transparency."""
    if picture.mode == "La":
        picture = picture.convert("LA")
    if picture.mode == "LAB":
        return picture.convert("RGB")
    if not picture.has_transparency_data:
        return picture
    picture = picture.convert("RGBA")
    white = pillow().Image.new("RGBA", picture.size, "white")
    return pillow().Image.alpha_composite(white, picture)
