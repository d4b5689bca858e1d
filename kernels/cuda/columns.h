// Sums over the columns of a matrix (M, C), by blocks of THREADS threads.
//
// The matrix is cut into tiles of `width` columns and runs of `run` rows; columns.py chooses both, by the shape alone.
// A block owns a run of a tile and reads `step` whole rows of it at once: neighbouring threads have neighbouring
// columns, or the next row where there are few. Its sums are a row of `partial`, and the columns of that matrix are
// summed the same way, by blocks that own all of its rows. So every sum has one order, whatever runs first.
#pragma once
#include "common.h"

constexpr int THREADS = 256;

// The part of a thread: one column, and every `step`th row of its block's run.
struct Part {
    wide run;           // the number of its run
    wide column;
    wide row, end;      // its first row, and the end of its run; the same for a thread that is left over
    int step, lane, width;
    bool leads;         // one thread of each column has its sum to write

    __device__ Part(wide M, wide C, wide width_, wide rows) {
        wide tiles = (C + width_ - 1) / width_;
        width = width_;
        step = THREADS / width;
        lane = threadIdx.x / width;
        run = blockIdx.x / tiles;
        column = blockIdx.x % tiles * width + threadIdx.x % width;
        row = run * rows + lane;
        end = (run + 1) * rows < M ? (run + 1) * rows : M;
        leads = lane == 0 && column < C;
        if (lane >= step || column >= C) row = end;
    }

    __device__ bool idle() const { return row >= end; }
};

// Rows of a run.
static __device__ wide rows_of(wide number, wide run, wide M) {
    wide left = M - number * run;
    return left < run ? left : run;
}

// Add what the threads of a column have, N numbers each; all of them get the sums. In pairs of halves, the same ones
// for every grid. A round writes below `half` and reads from there on, so it needs no barrier within.
template <int N>
static __device__ void fold(double (&sums)[N], double (*shared)[THREADS], const Part &part) {
    __syncthreads();  // what was folded before has been read
    for (int k = 0; k < N; k++) shared[k][threadIdx.x] = sums[k];
    for (int size = part.step; size > 1;) {
        int half = (size + 1) / 2;
        __syncthreads();
        if (part.lane + half < size)
            for (int k = 0; k < N; k++) shared[k][threadIdx.x] += shared[k][threadIdx.x + half * part.width];
        size = half;
    }
    __syncthreads();
    for (int k = 0; k < N; k++) sums[k] = shared[k][threadIdx.x % part.width];
}
