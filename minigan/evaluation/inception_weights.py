"""The 2015 Inception network's weights, from a file that the user has.

The published file is of PyTorch: https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/
pt_inception-2015-12-05-6726825d.pth, and torch-fidelity's weights-inception-2015-12-05-6726825d.pth is the same to the
byte. `converted` makes a safetensors file of it, which is read without PyTorch.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minigan import random
from minigan.errors import DataError, MiniganError
from minigan.models.inception import Inception
from minigan.training import weights

SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"  # of the published file
DIGITS = 8  # of a digest, as shown
CONVERT = (
    "where PyTorch is, `python -c \"from minigan.evaluation import inception_weights as w; w.converted('{0}', "
    "'{1}')\"` makes a file that is read without it"
)


@dataclass(frozen=True)
class Weights:
    """A network with the weights of a file.

    arrays: the SHA-256 of all its arrays, by which features are the same or not
    published: whether they are the published ones: the file is, to the byte, or was converted from it and not changed
    """

    network: Inception
    arrays: str
    published: bool

    @property
    def digest(self) -> str:
        """What they are called: the first digits of the published file's SHA-256, or of their own arrays'."""
        return (SHA256 if self.published else self.arrays)[:DIGITS]


def load(path: str | Path) -> Weights:
    """The network with the weights of a .pth file, which takes PyTorch, or of a .safetensors one.

    raises DataError for a file that is missing, foreign or damaged, or holds other arrays than the network's;
        MiniganError where PyTorch is wanted and missing
    """
    path = Path(path)
    header, arrays = _read(path)
    network = Inception(random.derived(0, "inception"))
    try:
        network.load_published(arrays)
    except DataError as error:
        raise DataError(f"{path}: {error}{_guess(arrays)}") from error
    found, told = _digest(network), header.get("arrays_sha256")
    if told and told != found:
        raise DataError(f"{path}: its arrays are not those that were converted; convert the published file again")
    published = header.get("made_from_sha256") == SHA256 and (told or path.suffix.lower() != ".safetensors")
    return Weights(network.freeze().eval(), found, bool(published))


def converted(path: str | Path, out: str | Path) -> None:
    """Write the weights of a .pth file as safetensors, to be read without PyTorch; its header says what they are of.

    raises DataError as `load` does
    """
    path, out = Path(path), Path(out)
    if out.suffix.lower() != ".safetensors":
        raise DataError(f"{out}: the file's name must end in .safetensors")
    header, arrays = _read(path)
    network = load(path).network
    arrays = {name: arrays[name] for name in network.published()}
    weights.save(out, {**header, "arrays_sha256": _digest(network)}, arrays)


def _read(path) -> tuple[dict[str, str], Mapping[str, np.ndarray]]:
    """What the file is said to be of, and its arrays."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; it is to hold the weights of the 2015 Inception network")
    if path.suffix.lower() == ".safetensors":
        return weights.read(path)
    if path.suffix.lower() not in (".pth", ".pt"):
        raise DataError(f"{path}: weights are in a .pth or a .safetensors file")
    return {"made_from_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}, _from_torch(path)


def _from_torch(path):
    try:
        import torch
    except ImportError as error:
        hint = CONVERT.format(path, path.with_suffix(".safetensors"))
        raise MiniganError(
            f"{path}: a .pth file is PyTorch's, which is not installed (pip install torch); {hint}"
        ) from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a file that is something else makes unpickling raise nearly anything
        raise DataError(
            f"{path}: not a file of PyTorch weights, or a damaged one ({type(error).__name__}); the SHA-256 of the "
            f"published one is {SHA256}"
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise DataError(f"{path}: holds other things than arrays by name")
    try:
        return {name: tensor.detach().numpy() for name, tensor in state.items()}
    except (TypeError, RuntimeError) as error:  # bfloat16, quantised, sparse
        raise DataError(f"{path}: holds arrays that NumPy does not have ({error}); save them as float32") from error


def _guess(arrays):
    """What a file with wrong arrays may be, in words."""
    if any(name.startswith("AuxLogits.") for name in arrays) or len(arrays.get("fc.bias", ())) == 1000:
        return "; it may be torchvision's Inception v3, which was trained apart, and whose features give no FID"
    return ""


def _digest(network):
    found = hashlib.sha256()
    for name, array in sorted(network.published().items()):
        found.update(name.encode())
        found.update(array)
    return found.hexdigest()
