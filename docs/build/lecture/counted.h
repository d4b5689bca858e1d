// Numbers that count their operations: sums, differences, products, quotients, roots, exponentials and logarithms, but
// not comparisons, sign changes and conversions. This is included between sim/simulator.h and the kernels, and replaces
// `float` and `double` there.
#pragma once

namespace counted {

static long long operations;

template <class T>
struct Number {
    T value;
    Number() = default;
    template <class U, class = std::enable_if_t<std::is_arithmetic_v<U>>>
    constexpr Number(U from) : value(from) {}
    template <class U>
    constexpr Number(Number<U> from) : value(from.value) {}
    constexpr operator T() const { return value; }
    constexpr Number operator-() const { return -value; }
};

template <class T>
struct Plain {
    typedef T type;
};
template <class T>
struct Plain<Number<T>> {
    typedef T type;
};
template <class T>
constexpr bool IS_NUMBER = !std::is_same_v<T, typename Plain<T>::type>;
template <class A, class B>
constexpr bool MIXES = (IS_NUMBER<A> || IS_NUMBER<B>) && std::is_arithmetic_v<typename Plain<A>::type> &&
                       std::is_arithmetic_v<typename Plain<B>::type>;
template <class T>
constexpr typename Plain<T>::type plain(T x) {
    return x;
}

#define COUNTED_OPERATOR(op)                                                       \
    template <class A, class B, class = std::enable_if_t<MIXES<A, B>>>             \
    auto operator op(A a, B b) {                                                   \
        operations++;                                                              \
        auto result = plain(a) op plain(b);                                        \
        return Number<decltype(result)>(result);                                   \
    }                                                                              \
    template <class T, class B, class = std::enable_if_t<MIXES<Number<T>, B>>>     \
    Number<T> &operator op##=(Number<T> &a, B b) {                                 \
        return a = a op b;                                                         \
    }
COUNTED_OPERATOR(+) COUNTED_OPERATOR(-) COUNTED_OPERATOR(*) COUNTED_OPERATOR(/)

#define COUNTED_COMPARISON(op)                                         \
    template <class A, class B, class = std::enable_if_t<MIXES<A, B>>> \
    bool operator op(A a, B b) {                                       \
        return plain(a) op plain(b);                                   \
    }
COUNTED_COMPARISON(<) COUNTED_COMPARISON(>) COUNTED_COMPARISON(<=) COUNTED_COMPARISON(>=)
COUNTED_COMPARISON(==) COUNTED_COMPARISON(!=)

#define COUNTED_FUNCTION(name, function) \
    template <class T>                   \
    Number<T> name(Number<T> x) {        \
        operations++;                    \
        return function(x.value);        \
    }
COUNTED_FUNCTION(exp, std::exp) COUNTED_FUNCTION(log1p, std::log1p)
COUNTED_FUNCTION(sqrt, std::sqrt) COUNTED_FUNCTION(sqrtf, std::sqrt)
template <class T>
Number<T> fabs(Number<T> x) {
    return std::fabs(x.value);
}

}  // namespace counted

template <class T>
struct sim::Kind<counted::Number<T>> : sim::Kind<T> {};

extern "C" long long operations_since() {
    long long found = counted::operations;
    counted::operations = 0;
    return found;
}

#define float counted::Number<float>
#define double counted::Number<double>
