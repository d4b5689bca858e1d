// The position of a walk along a depth with three factors, such as (kh, kw, c).
#pragma once
#include "common.h"

// A mixed-radix number that is counted up step by step, with a division only when a digit overflows.
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
