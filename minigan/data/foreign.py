"""Files that people have data sets in and that are not read here: what they are, and what to do with them."""

from pathlib import Path

from minigan.data.walk import open_regular

EXTRACT = "extract it and name the folder"
CONVERT = "convert it to an .npz file with np.savez('data.npz', images=images, labels=labels)"
STARTS = {
    b"Rar!": ("a RAR archive", EXTRACT),
    b"7z\xbc\xaf\x27\x1c": ("a 7-Zip archive", EXTRACT),
    b"\x28\xb5\x2f\xfd": ("compressed with Zstandard", "decompress it first"),
    b"\x89HDF\r\n": ("an HDF5 file", CONVERT),
    b"PAR1": ("a Parquet file", CONVERT),
    b"SQLite format 3": ("a database", CONVERT),
    b"MATLAB": ("a MATLAB file", CONVERT),
    b"\x80\x02": ("a pickle, which could run any program", CONVERT),
    b"\x80\x03": ("a pickle, which could run any program", CONVERT),
    b"\x80\x04": ("a pickle, which could run any program", CONVERT),
    b"\x80\x05": ("a pickle, which could run any program", CONVERT),
    b"\0\0\x08": ("one IDX file", "name the folder that it lies in with its labels"),
    b"\x89PNG": ("one image", "name the folder that it lies in"),
    b"\xff\xd8\xff": ("one image", "name the folder that it lies in"),
    b"GIF8": ("one image", "name the folder that it lies in"),
}
TABLES = (".csv", ".tsv", ".txt")
# For the table of digits that has one column of labels, and then one for each pixel.
TABLE = """a table of text. If a row is a label and the pixels of an image, Python makes an .npz file of it:
  import numpy as np
  rows = np.loadtxt({path!r}, np.int64, delimiter={delimiter!r}, skiprows=1)
  side = int((rows.shape[1] - 1) ** 0.5)
  images = rows[:, 1:].reshape(-1, side, side).astype(np.uint8)
  np.savez({npz!r}, images=images, labels=rows[:, 0])"""


def words(path: Path) -> str:
    """What a file is that is no archive of images, as far as its beginning says, and what to do with it."""
    return known(path) or "neither a folder nor an archive (.tar, .zip), nor an array (.npz, .npy)"


def known(path: Path) -> str | None:
    """The same; None where its beginning says nothing."""
    with open_regular(path) as file:
        start = file.read(32)
    if path.suffix.lower() in TABLES:
        delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        return TABLE.format(path=str(path), delimiter=delimiter, npz=str(path.with_suffix(".npz")))
    return next((f"{what}; {how}" for magic, (what, how) in STARTS.items() if start.startswith(magic)), None)
