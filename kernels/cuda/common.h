// What all kernels share. The sources are plain CUDA C, for nvcc, for NVRTC, and for g++ with sim/simulator.h.
//
// A file is compiled once for float and once for double: what it computes in is `real`. A kernel's arguments are
// pointers, `wide` integers, `real` numbers and geometries, nothing else, so that a launcher need not know it.
#pragma once

#ifndef KERNEL
#define KERNEL extern "C" __global__
#define SHARED __shared__
#endif

#ifndef REAL
#define REAL float
#endif
typedef REAL real;
typedef long long wide;  // of what counts elements: there may be more than 2^31

// As minigan.kernels.geometry.ConvGeometry: a window that slides over images (N, H, W, C) and meets features
// (N, OH, OW, K). Each size fits an int; their products are `wide`.
struct ConvGeometry {
    int N, H, W, C, OH, OW, K, KH, KW, SH, SW, PT, PB, PL, PR, DH, DW, G;
};

// The numbers from 0 to below `total`, each in one thread: a grid of any size goes on until they are all done.
#define EACH(number, total)                                                                    \
    for (wide number = blockIdx.x * (wide)blockDim.x + threadIdx.x, stride_ = (wide)gridDim.x * blockDim.x; \
         number < (total); number += stride_)
