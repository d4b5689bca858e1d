// Pooling: windows slide over each channel separately. Neighbouring threads have neighbouring channels, so all accesses
// coalesce. A pixel's position in its image is h * W + w, a window's is oh * OW + ow. Positions that are stored as
// indices fit an int: pool.py checks that.
#include "common.h"

// The coordinates of an element in an array (N, rows, columns, C).
struct Element {
    wide image;
    int row, column, channel;
};

__device__ __forceinline__ Element element_of(wide number, int rows, int columns, int channels) {
    unsigned long long rest = number;  // unsigned: division takes fewer steps and registers
    Element element;
    element.channel = rest % (unsigned)channels;
    rest /= (unsigned)channels;
    element.column = rest % (unsigned)columns;
    rest /= (unsigned)columns;
    element.row = rest % (unsigned)rows;
    element.image = rest / (unsigned)rows;
    return element;
}

// Visit the positions of the pixels that a window reads, in the order of its taps: up to KH * KW, padding skipped.
template <class Visit>
__device__ __forceinline__ void pixels_of(const Element &window, const ConvGeometry &g, Visit visit) {
    int top = window.row * g.SH - g.PT, left = window.column * g.SW - g.PL;
    for (int kh = 0; kh < g.KH; kh++) {
        int h = top + kh * g.DH;
        if (h < 0 || h >= g.H) continue;
        for (int kw = 0; kw < g.KW; kw++) {
            int w = left + kw * g.DW;
            if (w < 0 || w >= g.W) continue;
            visit((wide)h * g.W + w);
        }
    }
}

// Along one axis, the range of windows that span a position (counted from the start of the padding). A window reads the
// position if it begins a multiple of the dilation before it.
struct Windows {
    int first, last;
};

__device__ __forceinline__ Windows windows_over(int place, int kernel, int stride, int dilation, int windows) {
    int earliest = place - (kernel - 1) * dilation;
    return {earliest > 0 ? (earliest + stride - 1) / stride : 0, min(place / stride, windows - 1)};
}

// Visit the positions of the windows that read a pixel, in ascending order: along each axis, at most the kernel's
// extent divided by the stride.
template <class Visit>
__device__ __forceinline__ void windows_of(const Element &pixel, const ConvGeometry &g, Visit visit) {
    int h = pixel.row + g.PT, w = pixel.column + g.PL;
    Windows down = windows_over(h, g.KH, g.SH, g.DH, g.OH), along = windows_over(w, g.KW, g.SW, g.DW, g.OW);
    for (int oh = down.first; oh <= down.last; oh++) {
        if ((h - oh * g.SH) % g.DH) continue;
        for (int ow = along.first; ow <= along.last; ow++)
            if ((w - ow * g.SW) % g.DW == 0) visit((wide)oh * g.OW + ow);
    }
}

// The position of each window's first maximum; NaN counts as greater than any number, and -1 marks a window that
// contains only padding. A thread owns one channel of a window.
KERNEL void __launch_bounds__(256) max_pool_indices(const real *x, int *indices, ConvGeometry g) {
    EACH(i, (wide)g.N * g.OH * g.OW * g.C) {
        Element window = element_of(i, g.OH, g.OW, g.C);
        const real *image = x + window.image * g.H * g.W * g.C + window.channel;
        real most = 0;
        int found = -1;
        pixels_of(window, g, [&](wide place) {
            real value = image[place * g.C];
            if (found < 0 || (!(value <= most) && most == most)) {
                most = value;
                found = place;
            }
        });
        indices[i] = found;
    }
}

// The pixels at these positions, 0 for position -1. A thread owns one channel of a window and reads one pixel.
KERNEL void __launch_bounds__(256) pool_gather(const real *x, const int *indices, real *y, ConvGeometry g) {
    EACH(i, (wide)g.N * g.OH * g.OW * g.C) {
        wide image = i / ((wide)g.OH * g.OW * g.C);
        int place = indices[i];
        y[i] = place < 0 ? real(0) : x[(image * g.H * g.W + place) * g.C + i % g.C];
    }
}

// The adjoint of pool_gather for positions inside their windows, as a gather: a thread owns one channel of a pixel and
// sums the windows that chose it. So no two threads write to the same address, and the order of summation is fixed.
KERNEL void __launch_bounds__(256) pool_scatter(const real *y, const int *indices, real *x, ConvGeometry g) {
    EACH(i, (wide)g.N * g.H * g.W * g.C) {
        Element pixel = element_of(i, g.H, g.W, g.C);
        wide first = pixel.image * g.OH * g.OW * g.C + pixel.channel;
        int here = pixel.row * g.W + pixel.column;
        real sum = 0;
        windows_of(pixel, g, [&](wide window) {
            wide at = first + window * g.C;
            if (indices[at] == here) sum += y[at];
        });
        x[i] = sum;
    }
}

// The sum of each window; padding counts as zeros. A thread owns one channel of a window.
KERNEL void __launch_bounds__(256) window_sum(const real *x, real *y, ConvGeometry g) {
    EACH(i, (wide)g.N * g.OH * g.OW * g.C) {
        Element window = element_of(i, g.OH, g.OW, g.C);
        const real *image = x + window.image * g.H * g.W * g.C + window.channel;
        real sum = 0;
        pixels_of(window, g, [&](wide place) { sum += image[place * g.C]; });
        y[i] = sum;
    }
}

// The adjoint of window_sum, as a gather like pool_scatter: a thread owns one channel of a pixel and sums its windows.
KERNEL void __launch_bounds__(256) window_spread(const real *y, real *x, ConvGeometry g) {
    EACH(i, (wide)g.N * g.H * g.W * g.C) {
        Element pixel = element_of(i, g.H, g.W, g.C);
        const real *windows = y + pixel.image * g.OH * g.OW * g.C + pixel.channel;
        real sum = 0;
        windows_of(pixel, g, [&](wide window) { sum += windows[window * g.C]; });
        x[i] = sum;
    }
}
