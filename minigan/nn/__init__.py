"""Layers and the modules made of them."""

from minigan.nn import init
from minigan.nn.fusion import Sequential
from minigan.nn.layers import (
    AvgPool2d,
    Conv2d,
    ConvTranspose2d,
    Dropout,
    Embedding,
    Flatten,
    LeakyReLU,
    Linear,
    MaxPool2d,
    MaxUnpool2d,
    ReLU,
    Reshape,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
    Upsample,
)
from minigan.nn.minibatch import MinibatchStd, minibatch_std
from minigan.nn.module import Module, ModuleDict, ModuleList, as_in_use
from minigan.nn.norm import (
    BatchNorm,
    ConditionalBatchNorm,
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    SpectralNorm,
    spectral_norm,
)

__all__ = [
    "AvgPool2d",
    "BatchNorm",
    "ConditionalBatchNorm",
    "Conv2d",
    "ConvTranspose2d",
    "Dropout",
    "Embedding",
    "Flatten",
    "GroupNorm",
    "InstanceNorm",
    "LayerNorm",
    "LeakyReLU",
    "Linear",
    "MaxPool2d",
    "MaxUnpool2d",
    "MinibatchStd",
    "Module",
    "ModuleDict",
    "ModuleList",
    "ReLU",
    "Reshape",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "SpectralNorm",
    "Tanh",
    "Upsample",
    "as_in_use",
    "init",
    "minibatch_std",
    "spectral_norm",
]
