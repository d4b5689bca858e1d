"""The roofline of published ceilings, with each operation's intensity."""

from __future__ import annotations

import numpy as np

from docs.build.lecture.draw import GREEN, GREY, INK, OURS, PEER
from docs.build.lecture.operations import BANDWIDTH, CEILINGS, DIRECTIONS, OPERATIONS, of_the_dcgan
from minigan.kernels.cuda.tiling import ON_TENSOR_CORES

ROOFS = {"fp32": OURS, "tf32": PEER, "bf16": GREEN}
LEFT, RIGHT, BOTTOM = 0.03, 1000, 0.1
SHOWN = {  # label below the roof, from left to right, and operations of about the same intensity
    "max pool backward": ["pool_scatter"],
    "leaky ReLU backward": ["leaky_relu_vjp"],
    "leaky ReLU": ["leaky_relu"],
    "bias gradient with leaky ReLU": ["leaky_relu_vjp_sum"],
    "average pool, col2im": ["window_sum", "window_spread", "col2im"],
    "tanh backward, bias gradient": ["tanh_vjp", "bias_sum"],
    "SGD": ["sgd_update", "sgd_update, momentum"],
    "Adam, RMSprop, batch norm": ["adam_update", "rmsprop_update", "batch_norm"],
    "batch norm backward": ["batch_norm_vjp"],
    "normal noise": ["standard_normal"],
    "dense product (G1)": ["matmul"],
    "D2 by im2col and a library": [f"{direction}, im2col" for direction in DIRECTIONS],
    "D2 on tensor cores, but conv2d_transpose": [
        f"{direction}, {numbers}" for direction in ("conv2d", "conv2d_weight") for numbers in ON_TENSOR_CORES
    ],
    "D2 conv2d_weight": ["conv2d_weight, implicit"],
    "D2 conv2d, conv2d_transpose": ["conv2d, implicit", *(f"conv2d_transpose, {how}" for how in ON_TENSOR_CORES)],
}


def roofline(pyplot):
    at = of_the_dcgan()
    figure, axes = pyplot.subplots(figsize=(8, 4.6))
    axes.spines[["left", "bottom"]].set_visible(True)
    intensities = np.geomspace(LEFT, RIGHT, 400)
    for name, colour in reversed(ROOFS.items()):
        roof = np.minimum(intensities * BANDWIDTH, CEILINGS[name]) / 1e12
        axes.plot(intensities, roof, color=colour, linewidth=2)
        words = f"{name}: {CEILINGS[name] / 1e12:.0f} TFLOP/s, from {CEILINGS[name] / BANDWIDTH:.0f} FLOP/byte on"
        axes.text(RIGHT * 1.08, CEILINGS[name] / 1e12, words, color=colour, va="center", fontsize=8)
    axes.text(1.5, 11, f"{BANDWIDTH / 1e12} TB/s", rotation=33, color=INK)
    for words, names in SHOWN.items():
        tops = [_place(axes, OPERATIONS[name], at) for name in names]
        intensity, height = max(tops, key=lambda top: top[1])
        axes.plot([intensity] * 2, [height, BOTTOM], color=GREY, linewidth=0.6, zorder=0)
        turned = {"rotation": 60, "rotation_mode": "anchor", "ha": "right", "va": "top"}
        axes.text(intensity, 0.92 * BOTTOM, words, fontsize=8, **turned)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(LEFT, RIGHT)
    axes.set_ylim(BOTTOM, 2500)
    axes.set_ylabel("at most, TFLOP/s")
    axes.set_xlabel("FLOP / byte", loc="right")
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.spines[["bottom"]].set_visible(False)
    axes.set_title("Ceilings that an H200's maker publishes, and intensities by counting. Nothing was measured.")
    return figure


def _place(axes, operation, at) -> tuple[float, float]:
    """The point of an operation on the roof: (FLOP/byte, TFLOP/s)."""
    intensity = operation.flops(at) / operation.traffic(at)
    ceiling = operation.ceiling if operation.ceiling in ON_TENSOR_CORES else "fp32"
    height = min(intensity * BANDWIDTH, CEILINGS[ceiling]) / 1e12
    below = intensity * BANDWIDTH < CEILINGS["fp32"]
    axes.plot(intensity, height, "o", color=INK if below else ROOFS[ceiling], markersize=6)
    return intensity, height
