// Where a walk along a depth of three factors is, such as (kh, kw, c).
#pragma once
#include "common.h"

// A number in mixed digits, counted up step by step: a division only where a digit overflows.
struct Digits {
    int outer, middle, inner, middles, inners;

    __device__ Digits(wide number, int middles_, int inners_) : middles(middles_), inners(inners_) {
        inner = number % inners;
        wide rest = number / inners;
        middle = rest % middles;
        outer = rest / middles;
    }

    __device__ void add(int step) {
        inner += step;
        if (inner < inners) return;
        middle += inner / inners;
        inner %= inners;
        if (middle < middles) return;
        outer += middle / middles;
        middle %= middles;
    }
};
