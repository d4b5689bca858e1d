// Optimisers: a launch updates all parameters and their states, in place.
//
// Each parameter is divided among as many blocks of threads as it needs; blocks are numbered from the first parameter
// to the last. The table has a row for each parameter: its first block, its number of elements, and the addresses of
// its arrays, the parameter first and the gradient last. A block owns some elements of a parameter and a thread some of
// the block's, so no two threads write to the same address. The settings of a formula are in memory, not among the
// arguments, so that a captured graph can be replayed with new values.
#include "runs.h"

constexpr int BLOCK = 4096;  // elements per block of threads, as in optim.py; whole runs
constexpr int BEFORE = 2;    // table columns before the addresses

// The table row of this block: the last whose first block is not after it. Bisection takes log2(rows) steps.
__device__ __forceinline__ const wide *row_of_block(const wide *table, wide rows, int columns) {
    wide row = 0, end = rows;
    while (end - row > 1) {
        wide middle = (row + end) / 2;
        (table[middle * columns] <= blockIdx.x ? row : end) = middle;
    }
    return table + row * columns;
}

struct One {
    real at[1];
};

// Apply `update` to units `begin` to end - 1 of the arrays. A thread owns a unit: a run or one number. numbers[0] is
// the parameter's; the last one is the gradient's, which is not written back.
template <class Unit, int ARRAYS, class Update>
__device__ __forceinline__ void update_units(real *(&arrays)[ARRAYS], int begin, int end, Update update) {
    for (int i = begin + threadIdx.x; i < end; i += blockDim.x) {
        Unit units[ARRAYS];
#pragma unroll
        for (int k = 0; k < ARRAYS; k++) units[k] = ((const Unit *)arrays[k])[i];
#pragma unroll
        for (int place = 0; place < (int)(sizeof(Unit) / sizeof(real)); place++) {
            real numbers[ARRAYS];
#pragma unroll
            for (int k = 0; k < ARRAYS; k++) numbers[k] = units[k].at[place];
            update(numbers);
#pragma unroll
            for (int k = 0; k < ARRAYS - 1; k++) units[k].at[place] = numbers[k];
        }
#pragma unroll
        for (int k = 0; k < ARRAYS - 1; k++) ((Unit *)arrays[k])[i] = units[k];
    }
}

// Update the elements that this block owns: in runs, except those after the last whole run, or all one by one if an
// array is not aligned to runs.
template <int ARRAYS, class Update>
__device__ __forceinline__ void update_block(const wide *table, wide rows, Update update) {
    const wide *row = row_of_block(table, rows, BEFORE + ARRAYS);
    wide first = (blockIdx.x - row[0]) * BLOCK;
    int size = min(row[1] - first, (wide)BLOCK);
    real *arrays[ARRAYS];
    bool in_runs = true;
#pragma unroll
    for (int k = 0; k < ARRAYS; k++) {
        arrays[k] = (real *)row[BEFORE + k] + first;
        in_runs = in_runs && aligned(arrays[k]);
    }
    int runs = in_runs ? size / RUN : 0;
    update_units<Run>(arrays, 0, runs, update);
    update_units<One>(arrays, runs * RUN, size, update);
}

// settings: learning rate, weight decay
KERNEL void __launch_bounds__(256) sgd(const wide *table, const real *settings, wide rows) {
    real lr = settings[0], weight_decay = settings[1];
    update_block<2>(table, rows, [=](real(&numbers)[2]) {
        real &p = numbers[0], g = numbers[1];
        p -= lr * (g + weight_decay * p);
    });
}

// settings: learning rate, weight decay, momentum, whether to use Nesterov's
KERNEL void __launch_bounds__(256) sgd_momentum(const wide *table, const real *settings, wide rows) {
    real lr = settings[0], weight_decay = settings[1], momentum = settings[2];
    bool nesterov = settings[3] != 0;
    update_block<3>(table, rows, [=](real(&numbers)[3]) {
        real &p = numbers[0], &velocity = numbers[1], g = numbers[2];
        real gradient = g + weight_decay * p;
        velocity = momentum * velocity + gradient;
        p -= lr * (nesterov ? gradient + momentum * velocity : velocity);
    });
}

// settings: learning rate, decay, 1 - decay, epsilon, weight decay
KERNEL void __launch_bounds__(256) rmsprop(const wide *table, const real *settings, wide rows) {
    real lr = settings[0], decay = settings[1], rest = settings[2], eps = settings[3], weight_decay = settings[4];
    update_block<3>(table, rows, [=](real(&numbers)[3]) {
        real &p = numbers[0], &square = numbers[1], g = numbers[2];
        real gradient = g + weight_decay * p;
        square = decay * square + rest * gradient * gradient;
        real deviation = sqrt(square);
        p -= lr * gradient / (deviation + eps);
    });
}

// settings: lr / (1 - beta1^step), beta1, 1 - beta1, beta2, 1 - beta2, epsilon, factor of p by decoupled weight
// decay, weight decay that is not decoupled, (1 - beta2^step)^-0.5
KERNEL void __launch_bounds__(256) adam(const wide *table, const real *settings, wide rows) {
    real rate = settings[0], beta1 = settings[1], rest1 = settings[2], beta2 = settings[3], rest2 = settings[4];
    real eps = settings[5], keep = settings[6], weight_decay = settings[7], unbiased = settings[8];
    update_block<4>(table, rows, [=](real(&numbers)[4]) {
        real &p = numbers[0], &mean = numbers[1], &square = numbers[2], g = numbers[3];
        real gradient = g + weight_decay * p;
        mean = beta1 * mean + rest1 * gradient;
        square = beta2 * square + rest2 * gradient * gradient;
        real deviation = sqrt(square);
        p = keep * p - rate * mean / (deviation * unbiased + eps);
    });
}
