// Numbers in runs of 16 bytes, which a GPU loads and stores at once: with one number a time, too few bytes are under way
// to keep its memory busy.
#pragma once

#include "common.h"

constexpr int RUN = 16 / sizeof(real);

struct alignas(16) Run {
    real at[RUN];
};

// Whether runs begin where these arrays do. (Views of arrays begin anywhere.)
__device__ inline bool aligned(const void *a, const void *b = nullptr, const void *c = nullptr) {
    return (((size_t)a | (size_t)b | (size_t)c) & 15) == 0;
}
