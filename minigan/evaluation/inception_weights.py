"""Load the 2015 Inception network's weights from a file that the user provides.

The published file is in PyTorch's format: https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/
pt_inception-2015-12-05-6726825d.pth. torch-fidelity's weights-inception-2015-12-05-6726825d.pth has the same bytes.
`converted` makes a safetensors file from it, which can be read without PyTorch.
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
DIGITS = 8  # shown of a digest
CONVERT = (
    "on a machine with PyTorch, `python -c \"from minigan.evaluation import inception_weights as w; w.converted('{0}', "
    "'{1}')\"` makes a file that can be read without it"
)


@dataclass(frozen=True)
class Weights:
    """A network with the weights of a file.

    arrays: the SHA-256 of all its arrays; equal digests mean equal features
    published: whether the file is the published one, to the byte, or was converted from it and not changed
    """

    network: Inception
    arrays: str
    published: bool

    @property
    def digest(self) -> str:
        """A short name: the first digits of the published file's SHA-256, or of the arrays' SHA-256 for others."""
        return (SHA256 if self.published else self.arrays)[:DIGITS]


def load(path: str | Path) -> Weights:
    """Load the network with the weights of a .pth file, which requires PyTorch, or of a .safetensors file.

    raises DataError for a file that is missing, foreign or damaged, or whose arrays are not the network's; MiniganError
        if PyTorch is required and missing
    """
    path = Path(path)
    header, arrays = _read(path)
    network = Inception(random.derived(0, "inception"))
    try:
        network.load_published(arrays)
    except DataError as error:
        raise DataError(f"{path}: {error}{_guess(arrays)}") from error
    digest, recorded = _digest(network), header.get("arrays_sha256")
    if recorded and recorded != digest:
        raise DataError(f"{path}: its arrays were changed after the conversion; convert the published file again")
    published = header.get("made_from_sha256") == SHA256 and (recorded or path.suffix.lower() != ".safetensors")
    return Weights(network.freeze().eval(), digest, bool(published))


def converted(path: str | Path, out: str | Path) -> None:
    """Convert the weights of a .pth file to safetensors, which is read without PyTorch. The header records the source.

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
    """The file's header, or for a .pth file its SHA-256, and its arrays."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file; it should contain the weights of the 2015 Inception network")
    if path.suffix.lower() == ".safetensors":
        return weights.read(path)
    if path.suffix.lower() not in (".pth", ".pt"):
        raise DataError(f"{path}: weights must be a .pth or a .safetensors file")
    return {"made_from_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}, _from_torch(path)


def _from_torch(path):
    try:
        import torch
    except ImportError as error:
        hint = CONVERT.format(path, path.with_suffix(".safetensors"))
        raise MiniganError(
            f"{path}: reading a .pth file requires PyTorch, which is not installed (pip install torch); {hint}"
        ) from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling a foreign file can raise nearly anything
        raise DataError(
            f"{path}: not a file of PyTorch weights, or a damaged one ({type(error).__name__}); the SHA-256 of the "
            f"published one is {SHA256}"
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(tensor, torch.Tensor) for tensor in state.values()):
        raise DataError(f"{path}: expected a mapping of names to arrays")
    try:
        return {name: tensor.detach().numpy() for name, tensor in state.items()}
    except (TypeError, RuntimeError) as error:  # bfloat16, quantised, sparse
        raise DataError(f"{path}: its arrays have a type unknown to NumPy ({error}); save them as float32") from error


def _guess(arrays):
    """A guess, for an error message, about a file with the wrong arrays."""
    if any(name.startswith("AuxLogits.") for name in arrays) or len(arrays.get("fc.bias", ())) == 1000:
        return "; it may be torchvision's Inception v3, a different network whose features do not give FID"
    return ""


def _digest(network):
    found = hashlib.sha256()
    for name, array in sorted(network.published().items()):
        found.update(name.encode())
        found.update(array)
    return found.hexdigest()
