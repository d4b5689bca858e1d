// Convolutions as implicit matrix products. im2col's columns are never written: each tile of them is gathered from the
// image while it is loaded to shared memory. In all three, a block owns a tile of one group's result and walks along
// one part of the depth; a thread owns a register tile (tile.h). No two blocks write to the same address.
#include "digits.h"
#include "tile.h"

// The window of one row of a block's tile: its position, which may be outside the image if there is padding.
struct alignas(16) Window {
    wide first;  // index of its first pixel's first channel in the images
    int top, left;
};

constexpr int NOWHERE = -(1 << 30);  // further left than any window or tap reaches

// Compute the windows of a tile's rows once, so that threads need not keep those of the rows that they load.
template <int ROWS>
__device__ void find_windows(Window (&windows)[ROWS], const ConvGeometry &g, wide first_row) {
    for (int row = threadIdx.x; row < ROWS; row += THREADS) {
        wide number = first_row + row, line = number / g.OW, n = line / g.OH;
        Window &window = windows[row];
        window.top = (int)(line % g.OH) * g.SH - g.PT;
        window.left = (int)(number % g.OW) * g.SW - g.PL;
        window.first = ((n * g.H + window.top) * g.W + window.left) * g.C;
        if (n >= g.N) window.left = NOWHERE;
    }
}

// im2col's columns for one group, as the left matrix of the forward pass: an item is a window (n, oh, ow), the depth is
// (kh, kw, c). A thread reads one channel of one tap in several windows; its neighbours read the next channels.
template <int WIDTH, int DEPTH>
struct Columns {
    Places<WIDTH, DEPTH> places;
    const Window *windows;  // the tile's, in shared memory
    const real *x;          // the group's first channel
    Digits tap;             // (kh, kw, c)
    int depths;             // left in the part
    int H, W, C, DH, DW;

    __device__ Columns(const Window *windows_, const real *x_, const ConvGeometry &g, wide first_depth, int length)
        : places(true), windows(windows_ + places.item), x(x_), tap(first_depth + places.depth, g.KW, g.C / g.G),
          depths(length - places.depth), H(g.H), W(g.W), C(g.C), DH(g.DH), DW(g.DW) {}

    __device__ void load(real (&values)[Places<WIDTH, DEPTH>::COUNT]) {
        int down = tap.outer * DH, along = tap.middle * DW;
        wide offset = ((wide)down * W + along) * C + tap.inner;
#pragma unroll
        for (int i = 0; i < places.COUNT; i++) {
            Window window = windows[i * places.items];
            int h = window.top + down, w = window.left + along;
            bool inside = depths > 0 && (unsigned)h < (unsigned)H && (unsigned)w < (unsigned)W;
            values[i] = inside ? x[window.first + offset] : real(0);
        }
    }

    __device__ void next() {
        tap.add(DEPTH);
        depths -= DEPTH;
    }
};

// y (parts, N, OH, OW, K): rows are windows, columns one group's features, the depth is (kh, kw, c).
template <class S>
__device__ void conv2d_tile(Tiles<S> &tiles, Window (&windows)[S::ROWS], const real *x, const real *w,
                            const real *bias, real *y, const ConvGeometry &g, wide biased, real slope,
                            wide parts) {
    wide rows = (wide)g.N * g.OH * g.OW, features = g.K / g.G;
    Task<S> task(rows, features, g.G);
    Stretch<S> stretch((wide)g.KH * g.KW * (g.C / g.G), parts, task.part);
    wide first = task.product * features + task.column;  // feature, of all K
    find_windows(windows, g, task.row);
    __syncthreads();
    Columns<S::ROWS, S::DEPTH> left(windows, x + task.product * (g.C / g.G), g, stretch.first, stretch.length);
    const real *start = w + stretch.first * g.K + first;
    Strided<S::COLUMNS, S::DEPTH> right(start, 1, g.K, task.columns, stretch.length);
    Sums<S> sums;
    multiply(tiles, left, right, stretch.steps, sums);
    y += (task.part * rows + task.row) * g.K + first;
    sums.store(task.rows, task.columns, Finish{biased ? bias + first : nullptr, slope},
               [&](int row) { return y + (wide)row * g.K; });
}

KERNEL void __launch_bounds__(256, RESIDENT)
    conv2d_large(const real *x, const real *w, const real *bias, real *y,
                 ConvGeometry g, wide biased, real slope, wide parts) {
    SHARED Tiles<Large> tiles;
    SHARED Window windows[Large::ROWS];
    conv2d_tile(tiles, windows, x, w, bias, y, g, biased, slope, parts);
}

KERNEL void __launch_bounds__(256)
    conv2d_medium(const real *x, const real *w, const real *bias, real *y,
                  ConvGeometry g, wide biased, real slope, wide parts) {
    SHARED Tiles<Medium> tiles;
    SHARED Window windows[Medium::ROWS];
    conv2d_tile(tiles, windows, x, w, bias, y, g, biased, slope, parts);
}

KERNEL void __launch_bounds__(256)
    conv2d_narrow(const real *x, const real *w, const real *bias, real *y,
                  ConvGeometry g, wide biased, real slope, wide parts) {
    SHARED Tiles<Narrow> tiles;
    SHARED Window windows[Narrow::ROWS];
    conv2d_tile(tiles, windows, x, w, bias, y, g, biased, slope, parts);
}

KERNEL void __launch_bounds__(256, RESIDENT)
    conv2d_tf32(const real *x, const real *w, const real *bias, real *y,
                  ConvGeometry g, wide biased, real slope, wide parts) {
    SHARED Tiles<InTf32> tiles;
    SHARED Window windows[InTf32::ROWS];
    conv2d_tile(tiles, windows, x, w, bias, y, g, biased, slope, parts);
}

KERNEL void __launch_bounds__(256, RESIDENT)
    conv2d_bf16(const real *x, const real *w, const real *bias, real *y,
                  ConvGeometry g, wide biased, real slope, wide parts) {
    SHARED Tiles<InBf16> tiles;
    SHARED Window windows[InBf16::ROWS];
    conv2d_tile(tiles, windows, x, w, bias, y, g, biased, slope, parts);
}

// A phase of the image side: the pixels whose positions in the padded image have the same residue modulo the stride.
// They are reached by the same taps, which are evenly spaced in the kernel. Along one axis:
struct Phase {
    int pixel, pixels;      // the first pixel, and their number; a stride apart
    int tap, tap_step, taps;  // the first tap, the step to the next, and their number
    int window, window_step;  // whose first tap reads the first pixel; how far back it is for each next tap

    __device__ Phase(int residue, int size, int kernel, int stride, int padding, int dilation) {
        pixel = ((residue - padding) % stride + stride) % stride;
        pixels = pixel < size ? (size - pixel + stride - 1) / stride : 0;
        int divisor = stride, rest = dilation;  // becomes their greatest common divisor, by Euclid
        while (rest) {
            int next = divisor % rest;
            divisor = rest;
            rest = next;
        }
        tap_step = stride / divisor;
        window_step = dilation / divisor;
        for (tap = 0; tap < min(tap_step, kernel); tap++)
            if ((wide)tap * dilation % stride == residue) break;
        taps = tap < min(tap_step, kernel) ? (kernel - tap + tap_step - 1) / tap_step : 0;
        // exact, because both have the same residue; may be negative
        window = taps ? (pixel + padding - tap * dilation) / stride : 0;
    }
};

// One group's weights, as the right matrix of a phase: an item is a channel c, the depth is (kh, kw, k) over the taps
// of the phase. `walk` is the left matrix: it walks along the same depth, so its position is this thread's too.
template <int WIDTH, int DEPTH, class Walk>
struct PhaseWeights {
    Places<WIDTH, DEPTH> places;
    const Walk &walk;
    const real *first;      // this thread's first channel, at the first tap
    wide down;              // taps from one to the next below it
    int along;              // taps from one to the next in its row
    int channels, features, items;  // channels per tap; stride between channels; channels left in the tile

    __device__ PhaseWeights(const Walk &walk_, const real *start, wide down_, int along_, int channels_, int features_,
                            int all_items)
        : places(true), walk(walk_), first(start + (wide)places.item * features_), down(down_), along(along_),
          channels(channels_), features(features_), items(places.any ? all_items - places.item : 0) {}

    __device__ void load(real (&values)[Places<WIDTH, DEPTH>::COUNT]) const {
        wide tap = walk.tap.outer * down + walk.tap.middle * along;
        const real *from = first + tap * channels * features + walk.tap.inner;
#pragma unroll
        for (int i = 0; i < places.COUNT; i++) {
            bool inside = walk.depths > 0 && i * places.items < items;
            values[i] = inside ? from[(wide)(i * places.items) * features] : real(0);
        }
    }

    __device__ void next() const {}
};

// x (parts, N, H, W, C): each phase is a separate product, a convolution of the features with stride 1 whose taps step
// backwards. Rows are the phase's pixels, columns one group's channels, and the depth is (kh, kw, k) over the taps that
// reach the phase. Without such taps the sums are 0. Features are padded with zeros, like images in the forward pass:
// there an infinite or NaN weight makes pixels NaN, while im2col adds nothing.
template <class S>
__device__ void transpose_tile(Tiles<S> &tiles, Window (&windows)[S::ROWS], wide (&pixels)[S::ROWS],
                               const real *y, const real *w, const real *bias, real *x, const ConvGeometry &g,
                               wide biased, real slope, wide parts) {
    int channels = g.C / g.G, features = g.K / g.G;
    // every phase counts the rows of the largest one, so that a block's number determines its task
    wide rows = (wide)g.N * ((g.H + g.SH - 1) / g.SH) * ((g.W + g.SW - 1) / g.SW);
    Task<S> task(rows, channels, (wide)g.SH * g.SW * g.G);
    int group = task.product % g.G, phase = task.product / g.G;
    Phase vertical(phase / g.SW, g.H, g.KH, g.SH, g.PT, g.DH), across(phase % g.SW, g.W, g.KW, g.SW, g.PL, g.DW);
    rows = (wide)g.N * vertical.pixels * across.pixels;
    if (task.row >= rows) return;  // so does the whole block
    int rows_left = min(rows - task.row, (wide)S::ROWS);
    Stretch<S> stretch((wide)vertical.taps * across.taps * features, parts, task.part);
    ConvGeometry p = g;
    p.H = g.OH, p.W = g.OW, p.C = g.K, p.OH = vertical.pixels, p.OW = across.pixels;
    p.KH = max(vertical.taps, 1), p.KW = max(across.taps, 1);
    p.SH = p.SW = 1, p.PT = -vertical.window, p.PL = -across.window;
    p.DH = -vertical.window_step, p.DW = -across.window_step;
    find_windows(windows, p, task.row);
    for (int row = threadIdx.x; row < S::ROWS; row += THREADS) {
        wide pixel = task.row + row, line = pixel / across.pixels, n = line / vertical.pixels;
        wide h = vertical.pixel + line % vertical.pixels * g.SH, v = across.pixel + pixel % across.pixels * g.SW;
        pixels[row] = ((((wide)task.part * g.N + n) * g.H + h) * g.W + v) * g.C;
    }
    __syncthreads();
    Columns<S::ROWS, S::DEPTH> left(windows, y + group * features, p, stretch.first, stretch.length);
    wide tap = (wide)vertical.tap * g.KW + across.tap, first = (wide)group * channels + task.column;
    const real *start = w + (tap * channels + task.column) * g.K + group * features;
    PhaseWeights<S::COLUMNS, S::DEPTH, decltype(left)> right(left, start, (wide)vertical.tap_step * g.KW, across.tap_step,
                                                             channels, g.K, task.columns);
    Sums<S> sums;
    multiply(tiles, left, right, stretch.steps, sums);
    sums.store(rows_left, task.columns, Finish{biased ? bias + first : nullptr, slope},
               [&](int row) { return x + pixels[row] + first; });
}

KERNEL void __launch_bounds__(256, RESIDENT)
    transpose_large(const real *y, const real *w, const real *bias, real *x,
                    ConvGeometry g, wide biased, real slope, wide parts) {
    SHARED Tiles<Large> tiles;
    SHARED Window windows[Large::ROWS];
    SHARED wide pixels[Large::ROWS];
    transpose_tile(tiles, windows, pixels, y, w, bias, x, g, biased, slope, parts);
}

KERNEL void __launch_bounds__(256)
    transpose_medium(const real *y, const real *w, const real *bias, real *x,
                     ConvGeometry g, wide biased, real slope, wide parts) {
    SHARED Tiles<Medium> tiles;
    SHARED Window windows[Medium::ROWS];
    SHARED wide pixels[Medium::ROWS];
    transpose_tile(tiles, windows, pixels, y, w, bias, x, g, biased, slope, parts);
}

KERNEL void __launch_bounds__(256)
    transpose_narrow(const real *y, const real *w, const real *bias, real *x,
                     ConvGeometry g, wide biased, real slope, wide parts) {
    SHARED Tiles<Narrow> tiles;
    SHARED Window windows[Narrow::ROWS];
    SHARED wide pixels[Narrow::ROWS];
    transpose_tile(tiles, windows, pixels, y, w, bias, x, g, biased, slope, parts);
}

KERNEL void __launch_bounds__(256, RESIDENT)
    transpose_tf32(const real *y, const real *w, const real *bias, real *x,
                     ConvGeometry g, wide biased, real slope, wide parts) {
    SHARED Tiles<InTf32> tiles;
    SHARED Window windows[InTf32::ROWS];
    SHARED wide pixels[InTf32::ROWS];
    transpose_tile(tiles, windows, pixels, y, w, bias, x, g, biased, slope, parts);
}

KERNEL void __launch_bounds__(256, RESIDENT)
    transpose_bf16(const real *y, const real *w, const real *bias, real *x,
                     ConvGeometry g, wide biased, real slope, wide parts) {
    SHARED Tiles<InBf16> tiles;
    SHARED Window windows[InBf16::ROWS];
    SHARED wide pixels[InBf16::ROWS];
    transpose_tile(tiles, windows, pixels, y, w, bias, x, g, biased, slope, parts);
}

// im2col's columns for one group, as the left matrix of the weight gradient: an item is a weight's (kh, kw, c), the
// depth is the windows (n, oh, ow). A thread reads one channel of one tap in each of its windows.
template <int WIDTH, int DEPTH>
struct Taps {
    Places<WIDTH, DEPTH> places;
    Digits window;  // (n, oh, ow)
    int depths;  // left in the part
    const real *first;  // this thread's channel in the first pixel
    int top, left, SH, SW, H, W, C;  // top, left: position of this thread's tap in the first window
    static_assert(WIDTH * DEPTH >= THREADS, "each thread has numbers to load");

    __device__ Taps(const real *x, const ConvGeometry &g, int group, wide first_item, wide first_depth, int length)
        : places(false), window(first_depth + places.depth, g.OH, g.OW), depths(length - places.depth),
          SH(g.SH), SW(g.SW), H(g.H), W(g.W), C(g.C) {
        int channels = g.C / g.G;
        wide item = first_item + places.item;
        Digits tap(item, g.KW, channels);
        top = min(tap.outer, g.KH - 1) * g.DH - g.PT;  // a tile may have more rows than the matrix
        left = tap.outer < g.KH ? tap.middle * g.DW - g.PL : NOWHERE;
        first = x + (wide)group * channels + tap.inner;
    }

    __device__ void load(real (&values)[Places<WIDTH, DEPTH>::COUNT]) {
#pragma unroll
        for (int i = 0; i < places.COUNT; i++) {
            int h = window.middle * SH + top, w = window.inner * SW + left;
            bool inside = i * places.depths < depths && (unsigned)h < (unsigned)H && (unsigned)w < (unsigned)W;
            values[i] = inside ? first[(((wide)window.outer * H + h) * W + w) * C] : real(0);
            window.add(places.depths);
        }
    }

    __device__ void next() { depths -= DEPTH; }
};

// w (parts, KH, KW, C / G, K): rows are (kh, kw, c), columns one group's features, the depth is the windows.
template <class S>
__device__ void weight_tile(Tiles<S> &tiles, const real *x, const real *y, real *w, const ConvGeometry &g, wide parts) {
    wide rows = (wide)g.KH * g.KW * (g.C / g.G), features = g.K / g.G;
    Task<S> task(rows, features, g.G);
    Stretch<S> stretch((wide)g.N * g.OH * g.OW, parts, task.part);
    wide first = task.product * features + task.column;  // feature, of all K
    Taps<S::ROWS, S::DEPTH> left(x, g, task.product, task.row, stretch.first, stretch.length);
    const real *start = y + stretch.first * g.K + first;
    Strided<S::COLUMNS, S::DEPTH> right(start, 1, g.K, task.columns, stretch.length);
    w += (task.part * rows + task.row) * g.K + first;
    Sums<S> sums;
    multiply(tiles, left, right, stretch.steps, sums);
    sums.store(task.rows, task.columns, Finish{nullptr, 1},
               [&](int row) { return w + (wide)row * g.K; });
}

KERNEL void __launch_bounds__(256, RESIDENT)
    weight_large(const real *x, const real *y, real *w, ConvGeometry g, wide parts) {
    SHARED Tiles<Large> tiles;
    weight_tile(tiles, x, y, w, g, parts);
}

KERNEL void __launch_bounds__(256)
    weight_medium(const real *x, const real *y, real *w, ConvGeometry g, wide parts) {
    SHARED Tiles<Medium> tiles;
    weight_tile(tiles, x, y, w, g, parts);
}

KERNEL void __launch_bounds__(256)
    weight_narrow(const real *x, const real *y, real *w, ConvGeometry g, wide parts) {
    SHARED Tiles<Narrow> tiles;
    weight_tile(tiles, x, y, w, g, parts);
}

KERNEL void __launch_bounds__(256, RESIDENT)
    weight_tf32(const real *x, const real *y, real *w, ConvGeometry g, wide parts) {
    SHARED Tiles<InTf32> tiles;
    weight_tile(tiles, x, y, w, g, parts);
}

KERNEL void __launch_bounds__(256, RESIDENT)
    weight_bf16(const real *x, const real *y, real *w, ConvGeometry g, wide parts) {
    SHARED Tiles<InBf16> tiles;
    weight_tile(tiles, x, y, w, g, parts);
}
