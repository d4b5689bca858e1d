// Shared by all kernels. The sources are plain CUDA C, for nvcc, NVRTC, and g++ with sim/simulator.h.
//
// Each file is compiled once with `real` as float and once as double. A kernel's arguments are only pointers, `wide`
// integers, `real` numbers and geometries, so a launcher needs to know nothing about the kernel.
#pragma once

#ifndef KERNEL
#define KERNEL extern "C" __global__
#define SHARED __shared__
#endif

#ifndef REAL
#define REAL float
#endif
typedef REAL real;
typedef long long wide;  // counts elements: there may be more than 2^31

// The same as minigan.kernels.geometry.ConvGeometry: a window slides over images (N, H, W, C) and has one position per
// pixel of the features (N, OH, OW, K). Each size fits an int; products of sizes are `wide`.
struct ConvGeometry {
    int N, H, W, C, OH, OW, K, KH, KW, SH, SW, PT, PB, PL, PR, DH, DW, G;
};

// Loop over 0, 1, ..., total - 1, each in one thread. Works with a grid of any size.
#define EACH(number, total)                                                                    \
    for (wide number = blockIdx.x * (wide)blockDim.x + threadIdx.x, stride_ = (wide)gridDim.x * blockDim.x; \
         number < (total); number += stride_)
