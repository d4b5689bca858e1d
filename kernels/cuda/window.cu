// Patches of images as rows of a matrix, and back.
#include "common.h"

// columns (N * OH * OW, KH * KW * C), ordered (kh, kw, c). A thread owns one element and reads one pixel, or
// writes zero for padding. Neighbouring threads have neighbouring channels, so reads and writes coalesce.
KERNEL void __launch_bounds__(256) im2col(const real *x, real *columns, ConvGeometry g) {
    EACH(i, (wide)g.N * g.OH * g.OW * g.KH * g.KW * g.C) {
        int c = i % g.C;
        wide rest = i / g.C;
        int kw = rest % g.KW;
        rest /= g.KW;
        int kh = rest % g.KH;
        rest /= g.KH;
        int ow = rest % g.OW;
        rest /= g.OW;
        int oh = rest % g.OH;
        wide n = rest / g.OH;
        int h = oh * g.SH + kh * g.DH - g.PT, w = ow * g.SW + kw * g.DW - g.PL;
        bool inside = h >= 0 && h < g.H && w >= 0 && w < g.W;
        columns[i] = inside ? x[((n * g.H + h) * g.W + w) * g.C + c] : real(0);
    }
}

// The adjoint of im2col, as a gather: a thread owns one channel of a pixel and sums the taps that read it in a fixed
// order. No two threads write to the same address, so no atomics are needed and the result is reproducible.
KERNEL void __launch_bounds__(256) col2im(const real *columns, real *x, ConvGeometry g) {
    EACH(i, (wide)g.N * g.H * g.W * g.C) {
        int c = i % g.C;
        wide rest = i / g.C;
        int w = rest % g.W;
        rest /= g.W;
        int h = rest % g.H;
        wide n = rest / g.H;
        real sum = 0;
        for (int kh = 0; kh < g.KH; kh++) {
            int down = h + g.PT - kh * g.DH, oh = down / g.SH;
            if (down < 0 || down % g.SH || oh >= g.OH) continue;
            for (int kw = 0; kw < g.KW; kw++) {
                int along = w + g.PL - kw * g.DW, ow = along / g.SW;
                if (along < 0 || along % g.SW || ow >= g.OW) continue;
                sum += columns[((((n * g.OH + oh) * g.OW + ow) * g.KH + kh) * g.KW + kw) * g.C + c];
            }
        }
        x[i] = sum;
    }
}
