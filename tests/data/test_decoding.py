import io
import struct
import zlib

import numpy as np
import pytest
from data_files import image_bytes, png_16, png_chunk, tiff_16
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

from minigan.data.decoding import ANIMATED, decoded, depth
from minigan.errors import DataError

COLOUR = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
PNG = image_bytes(COLOUR)
IHDR_END = 8 + 25


def pixels(content, channels=3, **how):
    return decoded(content, "file", None, channels, **how).pixels


def grey_of(colour):
    return np.asarray(Image.fromarray(colour).convert("L"))[..., None]


def on_white(colour, alpha):
    return colour.astype(float) * alpha / 255 + 255 - alpha


# 16 bits per channel

ENCODERS = {
    "grey PNG": (1, png_16),
    "grey and alpha PNG": (2, png_16),
    "colour PNG": (3, png_16),
    "colour and alpha PNG": (4, png_16),
    "grey TIFF": (1, lambda values: image_bytes(values[..., 0], "TIFF")),
    "deflated TIFF": (1, lambda values: image_bytes(values[..., 0], "TIFF", compression="tiff_deflate")),
    "colour TIFF": (3, lambda values: tiff_16(values, "<")),
    "colour TIFF, other byte order": (3, lambda values: tiff_16(values, ">")),
    "colour and alpha TIFF": (4, lambda values: tiff_16(values, "<")),
    **{
        f"{'colour and alpha' if channels == 4 else 'colour'} TIFF {order} {how}": (
            channels,
            lambda values, order=order, how=how: tiff_16(values, order, **how),
        )
        for channels in (3, 4)
        for order in "<>"
        for how in ({"rows": 1}, {"rows": 2}, {"deflated": True}, {"deflated": True, "rows": 2})
    },
    "PGM": (1, lambda values: pnm(b"P5", values)),
    "PPM": (3, lambda values: pnm(b"P6", values)),
}


def pnm(kind, values, largest=65535):
    height, width = values.shape[:2]
    return b"%s %d %d %d\n" % (kind, width, height, largest) + values.astype(">u2").tobytes()


@st.composite
def wide_values(draw, channels):
    bits = draw(st.sampled_from([8, 10, 12, 14, 16]))
    shape = (draw(st.integers(1, 5)), draw(st.integers(1, 5)), channels)
    values = draw(arrays.arrays(np.uint16, shape, elements=st.integers(0, (1 << bits) - 1)))
    values[0, 0, 0] = (1 << bits) - 1
    return bits, values


@pytest.mark.parametrize("encoder", ENCODERS)
@given(data=st.data())
def test_values_of_any_depth_in_16_bit_files_are_scaled_to_8(encoder, data):
    channels, encode = ENCODERS[encoder]
    bits, values = data.draw(wide_values(channels))
    colours = values[..., :1] if channels < 3 else values[..., :3]
    found = decoded(encode(values), "file", None, 3)
    assert found.top == colours.max()
    assert depth(found.top) == bits
    expected = colours * (255 / ((1 << bits) - 1))
    if channels in (2, 4):
        alpha = values[..., -1:]
        expected = on_white(expected, alpha * (255 / ((1 << depth(alpha.max())) - 1)))
    assert np.abs(pixels(encode(values), bits=bits) - expected).max() <= (0.51 if channels in (1, 3) else 1.6)


def test_true_16_bits_are_16_by_default():
    ramp = np.arange(256, dtype=np.uint16).reshape(16, 16, 1)
    assert np.array_equal(pixels(png_16(ramp * 257), 1), ramp)
    assert depth(65535) == 16


def test_what_a_pgm_declares_is_its_range():
    ramp = np.arange(16, dtype=np.uint16).reshape(4, 4, 1)
    found = decoded(pnm(b"P5", ramp, 1023), "file", None, 1)
    assert found.top == 65535
    assert np.abs(found.pixels - ramp * 255 / 1023).max() <= 0.51


def test_a_transparent_value_in_16_bits_lies_on_white():
    values = np.array([[[300], [301]], [[65535], [0]]], np.uint16)
    grey = png_16(values, png_chunk(b"tRNS", struct.pack(">H", 301)))
    assert pixels(grey, 1).ravel().tolist() == [1, 255, 255, 0]
    colour = png_16(values.repeat(3, 2), png_chunk(b"tRNS", struct.pack(">HHH", 301, 301, 301)))
    assert pixels(colour)[..., 1].ravel().tolist() == [1, 255, 255, 0]


@pytest.mark.parametrize("top", [65536, -1])
def test_values_beyond_16_bits_are_refused(top):
    with pytest.raises(DataError, match=r"file: its values run from .*; convert them to 0 to 65535"):
        pixels(image_bytes(np.array([[0, top]], np.int32), "TIFF"))


@pytest.mark.parametrize("order", "<>")
def test_16_bits_that_pillow_takes_for_other_pixels_are_refused(order):
    values = np.arange(36, dtype=np.uint16).reshape(4, 3, 3) * 999
    for deflated in (False, True):
        with pytest.raises(DataError, match="file: its colours are stored in planes of 16 bits"):
            pixels(tiff_16(values, order, apart=True, deflated=deflated))
    with pytest.raises(DataError, match=r"file: (it stores white as 0|not an image)"):
        pixels(tiff_16(values[..., :1], order, meaning=0))


def test_floats_are_refused():
    with pytest.raises(DataError, match="file: it has floating-point pixels of unknown range"):
        pixels(image_bytes(np.ones((2, 2), np.float32), "TIFF"))


# Modes of 8 bits and fewer


def in_mode(mode, kind="TIFF"):
    stream = io.BytesIO()
    Image.fromarray(COLOUR).convert(mode).save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_one_bit_is_black_and_white(kind):
    grey = pixels(in_mode("1", kind), 1)
    assert set(grey.ravel().tolist()) == {0, 255}
    assert np.array_equal(pixels(in_mode("1", kind)), grey.repeat(3, 2))


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "YCbCr", "RGB"])
def test_modes_have_the_colours_that_they_stand_for(mode):
    converted = Image.fromarray(COLOUR).convert(mode)
    colour = np.asarray(converted.convert("RGB"))
    assert np.array_equal(pixels(in_mode(mode)), colour)
    assert np.abs(pixels(in_mode(mode), 1) - grey_of(colour).astype(int)).max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
def test_lab_is_converted(channels):
    lab = Image.merge("LAB", [Image.new("L", (4, 4), value) for value in (255, 128, 128)])
    stream = io.BytesIO()
    lab.save(stream, "TIFF")
    assert pixels(stream.getvalue(), channels).min() > 250


@pytest.mark.parametrize("mode", ["LA", "RGBA", "RGBa"])
def test_transparency_lies_on_white(mode):
    alpha = np.linspace(0, 255, 35).astype(np.uint8).reshape(5, 7)
    picture = Image.fromarray(np.dstack([COLOUR, alpha]))
    expected = on_white(grey_of(COLOUR) if mode == "LA" else COLOUR, alpha[..., None])
    stream = io.BytesIO()
    (picture.convert(mode) if mode != "RGBa" else picture).save(stream, "TIFF")
    assert np.abs(pixels(stream.getvalue()) - expected).max() <= 1


# What is around the pixels

LARGE = bytes(70 << 20)
TEXT = b"Comment\0\0" + zlib.compress(LARGE)  # 70 MB of text in 70 kB
ANCILLARY = {
    b"tEXt": b"Comment\0" + bytes(4 << 20),
    b"zTXt": TEXT,
    b"iTXt": b"Comment\0\1\0\0\0" + zlib.compress(LARGE),
    b"iCCP": b"profile\0\0" + zlib.compress(LARGE),
    b"eXIf": b"not EXIF",
    b"tIME": b"1",
    b"pHYs": b"",
    b"gAMA": b"",
    b"cHRM": b"x",
    b"sRGB": b"",
    b"prVt": bytes(9),
}


@pytest.mark.parametrize("kind", ANCILLARY, ids=lambda kind: kind.decode())
@pytest.mark.parametrize("sound", [True, False])
@pytest.mark.parametrize("place", [IHDR_END, len(PNG) - 12])
def test_a_png_is_read_whatever_its_metadata(kind, sound, place):
    chunk = bytearray(png_chunk(kind, ANCILLARY[kind]))
    chunk[-1] ^= not sound
    assert np.array_equal(pixels(PNG[:place] + chunk + PNG[place:]), COLOUR)


def test_each_flipped_bit_that_matters_to_a_png_is_noticed():
    for bit in range(8 * 8, 8 * len(PNG)):
        broken = bytearray(PNG)
        broken[bit // 8] ^= 1 << bit % 8
        try:
            found = pixels(bytes(broken))
        except DataError:
            continue
        assert np.array_equal(found, COLOUR)


def test_a_damaged_declaration_of_transparency_is_noticed():
    clear = bytearray(png_chunk(b"tRNS", bytes(6)))
    clear[-1] ^= 1
    with pytest.raises(DataError, match="the checksum of its tRNS chunk"):
        pixels(PNG[:IHDR_END] + clear + PNG[IHDR_END:])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF"])
def test_a_file_cut_in_its_pixels_is_refused(kind):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    content = image_bytes(noise, kind)
    for length in np.linspace(0, 0.8 * len(content), 25).astype(int):
        with pytest.raises(DataError, match=r"^file: (corrupt|not an image)"):
            pixels(content[:length])


def exif(orientation):
    found = Image.Exif()
    found[0x0112] = orientation
    return found.tobytes()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_stand_upright(kind, orientation):
    rising = np.zeros((16, 32, 3), np.uint8)
    rising[:8, :16] = 255  # the top left is white
    turned = {1: rising, 2: rising[:, ::-1], 3: rising[::-1, ::-1], 4: rising[::-1]}
    turned |= {5: turned[1].swapaxes(0, 1), 6: np.rot90(rising, 1)}
    turned |= {7: turned[3].swapaxes(0, 1), 8: np.rot90(rising, -1)}
    how = {"lossless": True} if kind == "WEBP" else {}
    content = image_bytes(np.ascontiguousarray(turned[orientation]), kind, exif=exif(orientation), **how)
    found = pixels(content)
    assert found.shape == rising.shape
    assert np.abs(found.astype(int) - rising).max() < 20


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@given(damage=st.binary(max_size=40))
def test_metadata_that_cannot_be_parsed_does_not_hide_the_image(kind, damage):
    how = {"lossless": True} if kind == "WEBP" else {}
    plain = image_bytes(COLOUR, kind, **how)
    for metadata in (b"Exif\0\0" + damage, exif(1)[:20] + damage):
        assert np.array_equal(pixels(image_bytes(COLOUR, kind, exif=metadata, **how)), pixels(plain))


# Frames and sizes


def frames(kind, count):
    pictures = [Image.fromarray(np.full((8, 8, 3), 40 * i, np.uint8)) for i in range(count)]
    stream = io.BytesIO()
    pictures[0].save(stream, kind, save_all=True, append_images=pictures[1:])
    return stream.getvalue()


@pytest.mark.parametrize("kind", ANIMATED)
def test_the_first_of_several_frames_is_read_and_said(kind):
    several, single = decoded(frames(kind, 3), "file", None, 3), decoded(frames(kind, 1), "file", None, 3)
    assert (several.animated, single.animated) == (True, False)
    assert np.array_equal(several.pixels, single.pixels)
    assert several.pixels.max() <= 1


def test_a_camera_s_extra_pictures_are_no_animation():
    assert not decoded(frames("MPO", 2), "file", None, 3).animated


@pytest.mark.parametrize("kind", ["PNG", "BMP", "PPM", "GIF"])
def test_a_header_that_promises_too_many_pixels_is_refused(kind):
    content = bytearray(image_bytes(COLOUR, kind))
    side = 60_000
    if kind == "PNG":
        content[8:IHDR_END] = png_chunk(b"IHDR", struct.pack(">II", side, side) + PNG[24:29])
    elif kind == "PPM":
        content[:] = b"P6 60000 60000 255\n"
    else:
        start, layout = (18, "<ii") if kind == "BMP" else (6, "<HH")
        struct.pack_into(layout, content, start, side, side)
    with pytest.raises(DataError, match="file: too large to be decoded safely"):
        pixels(bytes(content))


def test_only_image_formats_are_tried():
    with pytest.raises(DataError, match="file: not an image"):  # Pillow hands PostScript to another program
        pixels(image_bytes(COLOUR, "EPS"))
