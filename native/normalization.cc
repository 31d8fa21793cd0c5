// Normalisation and activation of an image, channels last, float32, in four passes: sums of values
// and squares; activation(x * factor + shift); and the two passes of the gradient.
//
// An image is (G, R, C): G groups of samples with statistics of their own, R voxels, C channels.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "activation.h"
#include "handlers.h"
#include "parallel.h"
#include "vectors.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace jaxseg {
namespace {

constexpr const char* kParts = "image, coefficients, activation and result";

// Floats that one chunk has, at least: its sums stay float32 within it, and double beyond.
constexpr int64_t kLines = 64;

template <int A>
JAXSEG_INLINE float slope(float z) {
  if (A == kElu) return z <= 0 ? exp_of_negative(z) : 1.0f;
  if (A == kRelu) return z > 0 ? 1.0f : 0.0f;
  return 1.0f;
}

// Coefficients are repeated to lines of `wide` floats, so that few channels fill registers, too.
JAXSEG_KINDS void add_sums(const float* x, int64_t size, int64_t wide, float* a, float* b) {
  for (int64_t i = 0; i < size; i += wide) {
    const int64_t line = std::min(wide, size - i);
    for (int64_t j = 0; j < line; ++j) {
      const float v = x[i + j];
      a[j] += v;
      b[j] += v * v;
    }
  }
}

#define JAXSEG_ACTIVATED(NAME, A)                                                                \
  JAXSEG_KINDS void apply_##NAME(const float* x, float* y, int64_t size, int64_t wide,           \
                                 const float* f, const float* s) {                               \
    for (int64_t i = 0; i < size; i += wide) {                                                   \
      const int64_t line = std::min(wide, size - i);                                             \
      for (int64_t j = 0; j < line; ++j) y[i + j] = activate<A>(x[i + j] * f[j] + s[j]);         \
    }                                                                                            \
  }                                                                                              \
  JAXSEG_KINDS void sums_##NAME(const float* x, const float* d, int64_t size, int64_t wide,      \
                                const float* f, const float* s, float* a, float* b) {            \
    for (int64_t i = 0; i < size; i += wide) {                                                   \
      const int64_t line = std::min(wide, size - i);                                             \
      for (int64_t j = 0; j < line; ++j) {                                                       \
        const float v = x[i + j], h = d[i + j] * slope<A>(v * f[j] + s[j]);                      \
        a[j] += h;                                                                               \
        b[j] += h * v;                                                                           \
      }                                                                                          \
    }                                                                                            \
  }                                                                                              \
  JAXSEG_KINDS void back_##NAME(const float* x, const float* d, float* o, int64_t size,          \
                                int64_t wide, const float* f, const float* s, const float* a,    \
                                const float* b) {                                                \
    for (int64_t i = 0; i < size; i += wide) {                                                   \
      const int64_t line = std::min(wide, size - i);                                             \
      for (int64_t j = 0; j < line; ++j) {                                                       \
        const float v = x[i + j];                                                                \
        o[i + j] = f[j] * d[i + j] * slope<A>(v * f[j] + s[j]) + a[j] * v + b[j];                \
      }                                                                                          \
    }                                                                                            \
  }
JAXSEG_ACTIVATED(elu, kElu)
JAXSEG_ACTIVATED(relu, kRelu)
JAXSEG_ACTIVATED(none, kNone)

struct Shape {
  int64_t groups, size, channels, wide, chunk, chunks;
  int64_t parts() const { return groups * chunks; }
  int64_t start(int64_t part) const { return part % chunks * chunk; }
  int64_t length(int64_t part) const { return std::min(chunk, size - start(part)); }
  int64_t group(int64_t part) const { return part / chunks; }
  int64_t place(int64_t part) const { return group(part) * size + start(part); }
};

// Sizes of an image whose coefficients are (groups, channels).
bool fits(Sizes image, Sizes coefficients, Shape* s) {
  if (image.size() < 2 || coefficients.size() != 2) return false;
  int64_t total = 1;
  for (int64_t n : image) total *= n;
  s->groups = coefficients[0];
  s->channels = image[image.size() - 1];
  if (total < 1 || s->groups < 1 || coefficients[1] != s->channels) return false;
  if (s->groups != 1 && s->groups != image[0]) return false;
  s->size = total / s->groups;
  s->wide = s->channels * std::max<int64_t>(1, 256 / s->channels);
  s->chunk = kLines * s->wide;
  s->chunks = (s->size + s->chunk - 1) / s->chunk;
  return true;
}

// add(part, a, b) adds a chunk to two lines of sums; the chunks are added up in their order.
template <class Add>
void reduce(const Shape& s, Threads threads, float* first, float* second, const Add& add) {
  const int64_t both = 2 * s.channels;
  std::vector<double> sums(s.parts() * both);
  for_parts(threads, s.parts(), [&](int64_t part) {
    std::vector<float> a(s.wide), b(s.wide);
    add(part, a.data(), b.data());
    double* out = &sums[part * both];
    for (int64_t j = 0; j < s.wide; ++j) {
      out[j % s.channels] += a[j];
      out[s.channels + j % s.channels] += b[j];
    }
  });
  for (int64_t g = 0; g < s.groups; ++g)
    for (int64_t c = 0; c < s.channels; ++c) {
      double a = 0, b = 0;
      for (int64_t chunk = 0; chunk < s.chunks; ++chunk) {
        a += sums[(g * s.chunks + chunk) * both + c];
        b += sums[(g * s.chunks + chunk) * both + s.channels + c];
      }
      first[g * s.channels + c] = static_cast<float>(a);
      second[g * s.channels + c] = static_cast<float>(b);
    }
}

// Coefficients (G, C) as a line of `wide` floats per group.
std::vector<float> lines(Image coefficients, const Shape& s) {
  const float* v = coefficients.typed_data();
  std::vector<float> out(s.groups * s.wide);
  for (int64_t g = 0; g < s.groups; ++g)
    for (int64_t j = 0; j < s.wide; ++j) out[g * s.wide + j] = v[g * s.channels + j % s.channels];
  return out;
}

ffi::Error Moments(Image image, ffi::Result<Image> sum, ffi::Result<Image> squares,
                   Pool pool, int64_t count) {
  Shape s;
  if (!fits(image.dimensions(), sum->dimensions(), &s) ||
      !same(sum->dimensions(), squares->dimensions()))
    return refuse(kParts);
  const float* x = image.typed_data();
  auto add = [&](int64_t part, float* a, float* b) {
    add_sums(x + s.place(part), s.length(part), s.wide, a, b);
  };
  reduce(s, {pool, count}, sum->typed_data(), squares->typed_data(), add);
  return ffi::Error::Success();
}

ffi::Error Apply(Image image, Image factor, Image shift, ffi::Result<Image> result, Pool pool,
                 int64_t count, int64_t activation) {
  Shape s;
  if (!fits(image.dimensions(), factor.dimensions(), &s) || !known(activation) ||
      !same(factor.dimensions(), shift.dimensions()) ||
      !same(image.dimensions(), result->dimensions()))
    return refuse(kParts);
  const auto f = lines(factor, s), t = lines(shift, s);
  auto apply = activation == kElu ? apply_elu : activation == kRelu ? apply_relu : apply_none;
  const float* x = image.typed_data();
  float* y = result->typed_data();
  for_parts({pool, count}, s.parts(), [&](int64_t part) {
    const int64_t at = s.place(part), g = s.group(part) * s.wide;
    apply(x + at, y + at, s.length(part), s.wide, &f[g], &t[g]);
  });
  return ffi::Error::Success();
}

ffi::Error BackSums(Image image, Image change, Image factor, Image shift, ffi::Result<Image> first,
                    ffi::Result<Image> second, Pool pool, int64_t count, int64_t activation) {
  Shape s;
  if (!fits(image.dimensions(), factor.dimensions(), &s) || !known(activation) ||
      !same(image.dimensions(), change.dimensions()) ||
      !same(factor.dimensions(), shift.dimensions()) ||
      !same(factor.dimensions(), first->dimensions()) ||
      !same(factor.dimensions(), second->dimensions()))
    return refuse(kParts);
  const auto f = lines(factor, s), t = lines(shift, s);
  auto sums = activation == kElu ? sums_elu : activation == kRelu ? sums_relu : sums_none;
  const float *x = image.typed_data(), *d = change.typed_data();
  auto add = [&](int64_t part, float* a, float* b) {
    const int64_t at = s.place(part), g = s.group(part) * s.wide;
    sums(x + at, d + at, s.length(part), s.wide, &f[g], &t[g], a, b);
  };
  reduce(s, {pool, count}, first->typed_data(), second->typed_data(), add);
  return ffi::Error::Success();
}

ffi::Error BackApply(Image image, Image change, Image factor, Image shift, Image slope, Image offset,
                     ffi::Result<Image> result, Pool pool, int64_t count, int64_t activation) {
  Shape s;
  if (!fits(image.dimensions(), factor.dimensions(), &s) || !known(activation) ||
      !same(image.dimensions(), change.dimensions()) ||
      !same(image.dimensions(), result->dimensions()) ||
      !same(factor.dimensions(), shift.dimensions()) ||
      !same(factor.dimensions(), slope.dimensions()) ||
      !same(factor.dimensions(), offset.dimensions()))
    return refuse(kParts);
  const auto f = lines(factor, s), t = lines(shift, s), a = lines(slope, s), b = lines(offset, s);
  auto back = activation == kElu ? back_elu : activation == kRelu ? back_relu : back_none;
  const float *x = image.typed_data(), *d = change.typed_data();
  float* o = result->typed_data();
  for_parts({pool, count}, s.parts(), [&](int64_t part) {
    const int64_t at = s.place(part), g = s.group(part) * s.wide;
    back(x + at, d + at, o + at, s.length(part), s.wide, &f[g], &t[g], &a[g], &b[g]);
  });
  return ffi::Error::Success();
}

}  // namespace
}  // namespace jaxseg

using jaxseg::Image;
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxseg_moments, jaxseg::Moments,
                              ffi::Ffi::Bind()
                                  .Arg<Image>()
                                  .Ret<Image>()
                                  .Ret<Image>()
                                  .Ctx<jaxseg::Pool>()
                                  .Attr<int64_t>("threads"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxseg_norm, jaxseg::Apply,
                              ffi::Ffi::Bind()
                                  .Arg<Image>()
                                  .Arg<Image>()
                                  .Arg<Image>()
                                  .Ret<Image>()
                                  .Ctx<jaxseg::Pool>()
                                  .Attr<int64_t>("threads")
                                  .Attr<int64_t>("activation"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxseg_norm_sums, jaxseg::BackSums,
                              ffi::Ffi::Bind()
                                  .Arg<Image>()
                                  .Arg<Image>()
                                  .Arg<Image>()
                                  .Arg<Image>()
                                  .Ret<Image>()
                                  .Ret<Image>()
                                  .Ctx<jaxseg::Pool>()
                                  .Attr<int64_t>("threads")
                                  .Attr<int64_t>("activation"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxseg_norm_back, jaxseg::BackApply,
                              ffi::Ffi::Bind()
                                  .Arg<Image>()
                                  .Arg<Image>()
                                  .Arg<Image>()
                                  .Arg<Image>()
                                  .Arg<Image>()
                                  .Arg<Image>()
                                  .Ret<Image>()
                                  .Ctx<jaxseg::Pool>()
                                  .Attr<int64_t>("threads")
                                  .Attr<int64_t>("activation"));
