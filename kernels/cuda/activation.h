// The leaky ReLU of one number, for the kernels that end in it: as minigan.kernels.reference has it.
#pragma once
#include "common.h"

// 0 for a slope of 0, even at -infinity; NaN stays NaN.
template <class T>
static __device__ T activated(T x, T slope) {
    if (x > 0) return x;
    return slope != 0 || x != x ? slope * x : T(0);
}

// The gradient in x, where it is g in the result.
static __device__ real activated_vjp(real g, real x, real slope) { return x != x ? x : g * (x > 0 ? real(1) : slope); }
