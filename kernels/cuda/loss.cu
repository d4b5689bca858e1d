// Binary cross-entropy with logits, as in minigan.ops.loss. Targets are an array of the logits' shape or, if `given` is
// 0, one number for all logits.
#include "columns.h"

// A logit, its target, and e = exp(-|logit|), which never overflows.
struct Term {
    real logit, target, e;

    __device__ Term(const real *logits, const real *targets, real target_, wide given, wide i) {
        logit = logits[i];
        target = given ? targets[i] : target_;
        e = exp(-fabs(logit));
    }
};

// partial (runs,): the sum of the losses log(1 + e) + max((1 - target) * logit, -target * logit) in each run. A thread
// owns every THREADSth number of its block's run. NaN counts as greater than any number.
KERNEL void __launch_bounds__(THREADS) cross_entropy_sums(const real *__restrict__ logits,
                                                          const real *__restrict__ targets,
                                                          double *__restrict__ partial, real target, wide given,
                                                          wide size, wide run) {
    SHARED double shared[1][THREADS];
    Part part(size, 1, 1, run);
    double sum[1] = {0};
#pragma unroll 4
    for (wide i = part.row; i < part.end; i += part.step) {
        Term term(logits, targets, target, given, i);
        real a = (1 - term.target) * term.logit, b = term.target * -term.logit;
        sum[0] += real(log1p(term.e)) + (a > b || a != a ? a : b);
    }
    fold(sum, shared, part);
    if (part.leads) partial[part.run] = sum[0];
}

// sigmoid(logits) - targets. A thread owns one number. If a target is 0 or 1, no nearly equal numbers are subtracted.
KERNEL void __launch_bounds__(256) cross_entropy_excess(const real *logits, const real *targets, real *excess,
                                                        real target, wide given, wide size) {
    EACH(i, size) {
        Term term(logits, targets, target, given, i);
        real t = term.target, e = term.e;
        excess[i] = (term.logit > 0 ? 1 - t - t * e : e * (1 - t) - t) / (1 + e);
    }
}
