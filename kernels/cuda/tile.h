// Matrix products, tile by tile: shared by the matrix product and the convolutions.
//
// A block of THREADS threads computes ROWS x COLUMNS numbers of left @ right and walks along the depth in steps of
// DEPTH. In each step its threads load a tile of left and one of right to shared memory, and each thread updates its
// register tile of a few rows by a few columns, so a number is loaded once and multiplied many times. A loader defines
// an operand, which need not exist in memory as a matrix. All sums are in order of depth.
#pragma once
#include "activation.h"
#include "common.h"
#include "mma.h"

constexpr int THREADS = 256;  // per block
constexpr int RESIDENT = sizeof(real) == 4 ? 2 : 1;  // large blocks per multiprocessor; limits their registers
constexpr int RUN = 4;        // neighbouring numbers that a thread reads or writes at once

struct alignas(RUN * sizeof(real)) Run {  // aligned, so that it is loaded in pieces of 16 bytes
    real of[RUN];
};

// One explicit store per 16 bytes: the compiler would split the store of a Run or a float4.
__device__ inline void store(float *to, const float (&run)[RUN]) {
    __stwb((float4 *)to, float4{run[0], run[1], run[2], run[3]});
}
__device__ inline void store(double *to, const double (&run)[RUN]) {
    __stwb((double2 *)to, double2{run[0], run[1]});
    __stwb((double2 *)to + 1, double2{run[2], run[3]});
}

// A block's tile is R x C and a step is D deep; a thread sums a tile of TR x TC, in runs of up to RUN.
template <int R, int C, int D, int TR, int TC>
struct Shape {
    static constexpr int ROWS = R, COLUMNS = C, DEPTH = D, OWN_ROWS = TR, OWN_COLUMNS = TC;
    static constexpr int DOWN = R / TR, ACROSS = C / TC;  // threads along each side
    static constexpr int PAD = 4;  // padding after each row of a tile: fewer bank conflicts, and runs stay aligned
    static constexpr int CELLS = D;
    typedef real Cell;
    static_assert(DOWN * ACROSS == THREADS, "each thread has a register tile");
    static_assert(TR % RUN == 0 && (TC % RUN == 0 || TC == 1), "register tiles are read in runs");

    template <int PITCH>
    static __device__ void put(real x, Cell (&tile)[CELLS][PITCH], int depth, int item) {
        tile[depth][item] = x;
    }
};

// A block's tile on tensor cores: each of its warps sums 32 x 32 numbers. Cells are Tf32 or Bf16 (mma.h).
template <int R, int C, int D, class Number>
struct TensorShape {
    static constexpr int ROWS = R, COLUMNS = C, DEPTH = D, DOWN = R / 32;  // warps along a column
    static constexpr int PAD = 8;  // a warp reads 4 rows of 8 cells at once: no bank conflicts
    static constexpr int CELLS = D / Number::DEPTHS;
    typedef Number Cell;
    static_assert(R / 32 * (C / 32) * 32 == THREADS && CELLS % 8 == 0, "each warp has a tile");

    template <int PITCH>
    static __device__ void put(real x, Cell (&tile)[CELLS][PITCH], int depth, int item) {
        tile[depth / Cell::DEPTHS][item].set(depth % Cell::DEPTHS, x);
    }
};

// The SHAPES of tiling.py: most products per loaded number; more blocks; few columns; tensor cores. Steps in bfloat16
// are no deeper than in TF32, because a thread has no registers for more loads in flight.
typedef Shape<128, 128, 8, 8, 8> Large;
typedef Shape<64, 64, 16, 4, 4> Medium;
typedef Shape<256, 4, 8, 4, 1> Narrow;
typedef TensorShape<128, 64, 16, Tf32> InTf32;
typedef TensorShape<128, 64, 16, Bf16> InBf16;

// The tiles of two steps: one is multiplied while the next is written.
template <class S>
struct alignas(RUN * sizeof(real)) Tiles {
    typename S::Cell left[2][S::CELLS][S::ROWS + S::PAD];
    typename S::Cell right[2][S::CELLS][S::COLUMNS + S::PAD];
};

// The numbers that a thread loads of a tile of WIDTH items by DEPTH: every THREADS-th, counted along the depth or along
// the items, whichever are neighbours in memory, so that loads coalesce.
template <int WIDTH, int DEPTH>
struct Places {
    static constexpr int COUNT = (WIDTH * DEPTH + THREADS - 1) / THREADS;
    static_assert(THREADS % WIDTH == 0 && THREADS % DEPTH == 0, "all of a thread's numbers are in one row or column");
    int item, depth;    // of the thread's first number
    int items, depths;  // steps from one number to the next; one of them is 0
    bool any;           // false for threads that a small tile leaves idle

    __device__ explicit Places(bool along_depth) {
        int thread = threadIdx.x;
        item = along_depth ? thread / DEPTH : thread % WIDTH;
        depth = along_depth ? thread % DEPTH : thread / WIDTH;
        items = along_depth ? THREADS / DEPTH : 0;
        depths = along_depth ? 0 : THREADS / WIDTH;
        any = WIDTH * DEPTH >= THREADS || thread < WIDTH * DEPTH;
    }

    template <class S, int PITCH>
    __device__ void put(const real (&values)[COUNT], typename S::Cell (&tile)[S::CELLS][PITCH]) const {
        if (!any) return;
#pragma unroll
        for (int i = 0; i < COUNT; i++) S::put(values[i], tile, depth + i * depths, item + i * items);
    }
};

// One part's stretch of the depth: the same number of whole steps for each part, fewer or none for the last ones.
template <class S>
struct Stretch {
    wide first;
    int length, steps;  // ints are enough: plans of tiling.py cut long depths into parts

    __device__ Stretch(wide depth, wide parts, wide part) {
        wide all = (depth + S::DEPTH - 1) / S::DEPTH, each = (all + parts - 1) / parts;
        first = min(part * each * S::DEPTH, depth);
        length = min(each * S::DEPTH, depth - first);
        steps = (length + S::DEPTH - 1) / S::DEPTH;
    }
};

// A block's task, computed from its number: a tile of one of several products of equal size, and a part of the depth.
// Consecutive blocks share their rows, which then stay in the L2 cache.
template <class S>
struct Task {
    wide row, column;   // position of the tile's first number
    int rows, columns;  // left in the matrix from there; at most the tile's
    int product, part;

    __device__ Task(wide all_rows, wide all_columns, wide products) {
        wide across = (all_columns + S::COLUMNS - 1) / S::COLUMNS, down = (all_rows + S::ROWS - 1) / S::ROWS;
        wide rest = blockIdx.x;
        column = rest % across * S::COLUMNS;
        rest /= across;
        row = rest % down * S::ROWS;
        rest /= down;
        product = rest % products;
        part = rest / products;
        rows = min(all_rows - row, (wide)S::ROWS);
        columns = min(all_columns - column, (wide)S::COLUMNS);
    }
};

// A matrix in memory, in any order: item i at depth d is start[i * item_stride + d * depth_stride].
template <int WIDTH, int DEPTH>
struct Strided {
    Places<WIDTH, DEPTH> places;
    const real *first;  // this thread's first number of a step
    wide hop, advance;  // distances from one of its numbers to the next, and from step to step
    int items, depths;  // left from its first number

    // start: the address of the block's first number
    __device__ Strided(const real *start, wide item_stride, wide depth_stride, int all_items, int length)
        : places(depth_stride == 1 && item_stride != 1) {
        first = start + places.item * item_stride + places.depth * depth_stride;
        hop = places.items * item_stride + places.depths * depth_stride;
        advance = DEPTH * depth_stride;
        items = places.any ? all_items - places.item : 0;
        depths = length - places.depth;
    }

    __device__ void load(real (&values)[Places<WIDTH, DEPTH>::COUNT]) {
#pragma unroll
        for (int i = 0; i < places.COUNT; i++) {
            bool inside = i * places.items < items && i * places.depths < depths;
            values[i] = inside ? first[i * hop] : real(0);
        }
    }

    __device__ void next() {
        first += advance;
        depths -= DEPTH;
    }
};

// The last pass over a product's sums: the bias and the activation.
struct Finish {
    const real *bias;  // or nullptr
    real slope;

    __device__ real operator()(real sum, wide column) const {
        return activated(bias ? sum + bias[column] : sum, slope);
    }
};

// A thread's register tile.
template <class S>
struct Sums {
    static constexpr int RUN_DOWN = RUN, RUN_ACROSS = S::OWN_COLUMNS < RUN ? S::OWN_COLUMNS : RUN;
    real of[S::OWN_ROWS][S::OWN_COLUMNS] = {};

    // The position in the block's tile of this thread's i-th row or column. A thread's runs are far apart, so that
    // the runs of neighbouring threads are adjacent: no bank conflicts.
    static __device__ int row(int i) {
        return i / RUN_DOWN * S::DOWN * RUN_DOWN + (int)threadIdx.x / S::ACROSS * RUN_DOWN + i % RUN_DOWN;
    }
    static __device__ int column(int i) {
        return i / RUN_ACROSS * S::ACROSS * RUN_ACROSS + (int)threadIdx.x % S::ACROSS * RUN_ACROSS + i % RUN_ACROSS;
    }

    __device__ void add(const real (&left)[S::DEPTH][S::ROWS + S::PAD],
                        const real (&right)[S::DEPTH][S::COLUMNS + S::PAD]) {
#pragma unroll
        for (int d = 0; d < S::DEPTH; d++) {
            Run l[S::OWN_ROWS / RUN], r[(S::OWN_COLUMNS + RUN - 1) / RUN];
#pragma unroll
            for (int i = 0; i < S::OWN_ROWS; i += RUN) l[i / RUN] = *(const Run *)&left[d][row(i)];
#pragma unroll
            for (int j = 0; j < S::OWN_COLUMNS; j += RUN) {
                if (RUN_ACROSS == RUN)
                    r[j / RUN] = *(const Run *)&right[d][column(j)];
                else
                    r[j / RUN].of[0] = right[d][column(j)];
            }
#pragma unroll
            for (int i = 0; i < S::OWN_ROWS; i++) {
#pragma unroll
                for (int j = 0; j < S::OWN_COLUMNS; j++) of[i][j] += l[i / RUN].of[i % RUN] * r[j / RUN].of[j % RUN];
            }
        }
    }

    // Finish and write the sums of those rows and columns of the tile that exist. place(i): the address of row i.
    template <class Place>
    __device__ void store(int rows, int columns, Finish finish, Place place) const {
#pragma unroll
        for (int i = 0; i < S::OWN_ROWS; i++) {
            if (row(i) >= rows) continue;
            real *out = place(row(i));
            if (RUN_ACROSS == RUN && columns == S::COLUMNS && (size_t)(out + column(0)) % sizeof(Run) == 0) {
#pragma unroll
                for (int j = 0; j < S::OWN_COLUMNS; j += RUN) {
                    real run[RUN];
#pragma unroll
                    for (int k = 0; k < RUN; k++) run[k] = finish(of[i][j + k % RUN_ACROSS], column(j) + k);
                    ::store(out + column(j), run);
                }
            } else {
#pragma unroll
                for (int j = 0; j < S::OWN_COLUMNS; j++)
                    if (column(j) < columns) out[column(j)] = finish(of[i][j], column(j));
            }
        }
    }
};

// A thread's sums if its warp uses tensor cores: 2 x 4 products of 16 x 8 numbers; it holds four of each.
template <int R, int C, int D, class Cell>
struct Sums<TensorShape<R, C, D, Cell>> {
    typedef TensorShape<R, C, D, Cell> S;
    float of[2][4][4] = {};
    int top, left, group, turn;  // the warp's first row and column; the thread's position in the warp

    __device__ Sums() {
        int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
        top = warp % S::DOWN * 32;
        left = warp / S::DOWN * 32;
        group = lane / 4;
        turn = lane % 4;
    }

    __device__ void add(const Cell (&of_left)[S::CELLS][R + S::PAD], const Cell (&of_right)[S::CELLS][C + S::PAD]) {
#pragma unroll
        for (int d = turn; d < S::CELLS + turn; d += 8) {
            Cell a[2][4], b[4][2];
#pragma unroll
            for (int i = 0; i < 2; i++) {
                int row = top + i * 16 + group;
                a[i][0] = of_left[d][row];
                a[i][1] = of_left[d][row + 8];
                a[i][2] = of_left[d + 4][row];
                a[i][3] = of_left[d + 4][row + 8];
            }
#pragma unroll
            for (int j = 0; j < 4; j++) {
                int column = left + j * 8 + group;
                b[j][0] = of_right[d][column];
                b[j][1] = of_right[d + 4][column];
            }
#pragma unroll
            for (int i = 0; i < 2; i++) {
#pragma unroll
                for (int j = 0; j < 4; j++) mma(of[i][j], a[i], b[j]);
            }
        }
    }

    template <class Place>
    __device__ void store(int rows, int columns, Finish finish, Place place) const {
#pragma unroll
        for (int i = 0; i < 4; i++) {
            int row = top + i * 8 + group;
            if (row >= rows) continue;
            real *out = place(row);
#pragma unroll
            for (int j = 0; j < 8; j++) {
                int column = left + j / 2 * 8 + turn * 2 + j % 2;
                if (column < columns) out[column] = finish(of[i / 2][j / 2][i % 2 * 2 + j % 2], column);
            }
        }
    }
};

// Sum a tile. Every thread of the block calls this. The loads of a step are issued before the previous step is
// multiplied, so that they overlap. One barrier per step is enough: a thread that writes to a buffer has passed the
// barrier of the previous step, and every thread finished reading this buffer before it arrived there.
template <class S, class Left, class Right>
__device__ void multiply(Tiles<S> &tiles, Left &left, Right &right, int steps, Sums<S> &sums) {
    real of_left[Places<S::ROWS, S::DEPTH>::COUNT], of_right[Places<S::COLUMNS, S::DEPTH>::COUNT];
    if (steps) {
        left.load(of_left);
        right.load(of_right);
    }
    for (int step = 0; step < steps; step++) {
        int buffer = step % 2;
        left.places.template put<S>(of_left, tiles.left[buffer]);
        right.places.template put<S>(of_right, tiles.right[buffer]);
        __syncthreads();
        if (step + 1 < steps) {
            left.next();
            right.next();
            left.load(of_left);
            right.load(of_right);
        }
        sums.add(tiles.left[buffer], tiles.right[buffer]);
    }
}
