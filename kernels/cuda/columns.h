// Sums over the columns of a matrix (M, C), by blocks of THREADS threads.
//
// The matrix is cut into tiles of `width` columns and runs of `run` rows; columns.py chooses both, by the shape alone.
// A block owns one run of one tile and reads `step` whole rows of it at a time: neighbouring threads read neighbouring
// columns, or the next row if the tile is narrow. Its sums form a row of `partial`, whose columns are summed in the
// same way by blocks that own all of its rows. So the order of summation does not depend on the order of execution.
#pragma once
#include "common.h"

constexpr int THREADS = 256;

// A thread's share: one column, and every `step`th row of its block's run.
struct Part {
    wide run;           // the index of its block's run
    wide column;
    wide row, end;      // its first row, and the end of the run; equal if the thread has no work
    int step, lane, width;
    bool leads;         // whether it writes the column's sum: one thread per column does

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

// The number of rows in the run.
static __device__ wide rows_of(wide number, wide run, wide M) {
    wide left = M - number * run;
    return left < run ? left : run;
}

// Add up the N numbers of all threads of a column; every thread gets the sums. Halves are added pairwise, in the same
// order for every grid. A round writes below `half` and reads from `half` upwards, so it needs no barrier inside.
template <int N>
static __device__ void fold(double (&sums)[N], double (*shared)[THREADS], const Part &part) {
    __syncthreads();  // the results of the previous fold have been read
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
