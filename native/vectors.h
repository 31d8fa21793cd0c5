// Sixteen floats at a time, in as many registers as the processor needs for them.
#pragma once

#include <cstdint>
#include <cstdlib>

#define JAXSEG_INLINE static inline __attribute__((always_inline))

namespace jaxseg {

// LANES floats of one register; SIXTEEN registers hold sixteen floats.
template <int BYTES>
struct Vectors {
  typedef float Value __attribute__((vector_size(BYTES)));
  typedef float Memory __attribute__((vector_size(BYTES), aligned(4), may_alias));
  enum { LANES = BYTES / 4, SIXTEEN = 64 / BYTES };
};

enum class Level { base, avx2, avx512 };

// What the processor has; JAXSEG_NATIVE_LEVEL=base or avx2 takes less, for tests.
inline Level level() {
#if defined(__x86_64__)
  static const Level found = [] {
    const char* wanted = getenv("JAXSEG_NATIVE_LEVEL");
    const char first = wanted ? wanted[0] : ' ';
    __builtin_cpu_init();
    if (first == 'b') return Level::base;
    bool wide = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                __builtin_cpu_supports("avx512cd");
    if (wide && first != 'a') return Level::avx512;
    bool narrow = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return narrow ? Level::avx2 : Level::base;
  }();
  return found;
#else
  return Level::base;
#endif
}

}  // namespace jaxseg

#if defined(__x86_64__)
#define JAXSEG_AVX512 __attribute__((target("arch=x86-64-v4,prefer-vector-width=512")))
#define JAXSEG_AVX2 __attribute__((target("arch=x86-64-v3")))
#endif

// Calls what was compiled for this processor: NAME_avx512, NAME_avx2 or NAME_base.
#if defined(__x86_64__)
#define JAXSEG_CHOSEN(NAME, ...)                                      \
  (level() == Level::avx512   ? NAME##_avx512(__VA_ARGS__)            \
   : level() == Level::avx2   ? NAME##_avx2(__VA_ARGS__)              \
                              : NAME##_base(__VA_ARGS__))
#else
#define JAXSEG_CHOSEN(NAME, ...) NAME##_base(__VA_ARGS__)
#endif
