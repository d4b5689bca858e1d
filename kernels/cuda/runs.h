// Numbers in runs of 16 bytes, which a GPU loads and stores in one instruction. With one number at a time, too few
// bytes would be in flight to keep the memory busy.
#pragma once

#include "common.h"

constexpr int RUN = 16 / sizeof(real);

struct alignas(16) Run {
    real at[RUN];
};

// Whether these arrays begin at a multiple of 16 bytes. (Views may begin anywhere.)
__device__ inline bool aligned(const void *a, const void *b = nullptr, const void *c = nullptr) {
    return (((size_t)a | (size_t)b | (size_t)c) & 15) == 0;
}
