// The activated sum of two images, as at the end of a residual block, and its gradient.
//
// XLA computes such a sum again wherever it is read, and in a row of blocks all those before it, too.

#include <algorithm>
#include <cstdint>

#include "activation.h"
#include "handlers.h"
#include "parallel.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace jaxseg {
namespace {

// Floats of one part of the work.
constexpr int64_t kPart = 1 << 14;

// The slope, from what the activation gave.
template <int A>
JAXSEG_INLINE float slope_at(float y) {
  if (A == kElu) return y <= 0 ? y + 1.0f : 1.0f;
  if (A == kRelu) return y > 0 ? 1.0f : 0.0f;
  return 1.0f;
}

#define JAXSEG_ADDED(NAME, A)                                                                     \
  JAXSEG_KINDS void add_##NAME(const float* a, const float* b, float* y, int64_t size) {          \
    for (int64_t i = 0; i < size; ++i) y[i] = activate<A>(a[i] + b[i]);                           \
  }                                                                                               \
  JAXSEG_KINDS void back_##NAME(const float* y, const float* change, float* out, int64_t size) {  \
    for (int64_t i = 0; i < size; ++i) out[i] = change[i] * slope_at<A>(y[i]);                    \
  }
JAXSEG_ADDED(elu, kElu)
JAXSEG_ADDED(relu, kRelu)
JAXSEG_ADDED(none, kNone)

using Loop = void (*)(const float*, const float*, float*, int64_t);

ffi::Error of_two(Image first, Image second, ffi::Result<Image> result, Threads threads,
                  int64_t activation, Loop elu, Loop relu, Loop none) {
  if (!same(first.dimensions(), second.dimensions()) ||
      !same(first.dimensions(), result->dimensions()) || !known(activation))
    return refuse("images, activation and result");
  const Loop loop = activation == kElu ? elu : activation == kRelu ? relu : none;
  const int64_t size = first.element_count();
  const float *a = first.typed_data(), *b = second.typed_data();
  float* y = result->typed_data();
  for_parts(threads, (size + kPart - 1) / kPart, [&](int64_t part) {
    const int64_t at = part * kPart;
    loop(a + at, b + at, y + at, std::min(kPart, size - at));
  });
  return ffi::Error::Success();
}

ffi::Error Add(Image first, Image second, ffi::Result<Image> sum, Pool pool, int64_t count,
               int64_t activation) {
  return of_two(first, second, sum, {pool, count}, activation, add_elu, add_relu, add_none);
}

ffi::Error AddBack(Image sum, Image change, ffi::Result<Image> result, Pool pool, int64_t count,
                   int64_t activation) {
  return of_two(sum, change, result, {pool, count}, activation, back_elu, back_relu, back_none);
}

}  // namespace
}  // namespace jaxseg

using jaxseg::Image;
#define JAXSEG_OF_TWO_IMAGES(NAME, FUNCTION)                    \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(NAME, FUNCTION,                 \
                                ffi::Ffi::Bind()                \
                                    .Arg<Image>()               \
                                    .Arg<Image>()               \
                                    .Ret<Image>()               \
                                    .Ctx<jaxseg::Pool>()        \
                                    .Attr<int64_t>("threads")   \
                                    .Attr<int64_t>("activation"))
JAXSEG_OF_TWO_IMAGES(jaxseg_add, jaxseg::Add);
JAXSEG_OF_TWO_IMAGES(jaxseg_add_back, jaxseg::AddBack);
