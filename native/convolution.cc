// Convolutions with odd kernels, stride 1 and zeros around the image, channels last, float32: the
// result, the gradient of the image, and the gradient of the kernel.
//
// Output channels are done sixteen at a time: a tile of pixels (or of input channels, for the
// gradient of the kernel) times sixteen output channels stays in registers.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "parallel.h"
#include "vectors.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace jaxseg {
namespace {

using Image = ffi::Buffer<ffi::F32>;

// Parts that the gradient of a kernel is added up in at most, and pixels of one at least: each holds
// a kernel of its own, and to add them up must cost little.
constexpr int64_t kParts = 8;
constexpr int64_t kPartPixels = 4096;
// Pixels of a row that are read again for every position of the kernel, so that they stay cached.
constexpr int64_t kRun = 128;

struct Shape {
  int64_t n, depth, height, width, channels, features, taps_z, taps_y, taps_x;
  int64_t rows() const { return n * depth * height; }
  int64_t taps() const { return taps_z * taps_y * taps_x; }
  int64_t pixels() const { return rows() * width; }
};

int64_t whole_sixteens(int64_t count) { return (count + 15) / 16 * 16; }

struct Row {
  int64_t n, z, y;
};

JAXSEG_INLINE Row row_of(const Shape& s, int64_t row) {
  return {row / s.height / s.depth, row / s.height % s.depth, row % s.height};
}

// The image row that a position of the kernel meets; null outside the image.
JAXSEG_INLINE const float* met(const Shape& s, const float* image, Row at, int64_t a, int64_t b) {
  int64_t z = at.z + a - s.taps_z / 2, y = at.y + b - s.taps_y / 2;
  if (z < 0 || z >= s.depth || y < 0 || y >= s.height) return nullptr;
  return image + ((at.n * s.depth + z) * s.height + y) * s.width * s.channels;
}

// ------------------------------------------------------------------------- gradient of the kernel

// One position of the kernel along a run of pixels: BLOCK input and sixteen output channels.
template <class V, int BLOCK>
JAXSEG_INLINE void add_products(const float* image, int64_t channels, const float* change,
                                int64_t features, int64_t pixels, float* total) {
  typename V::Value sum[BLOCK][V::SIXTEEN];
  for (int c = 0; c < BLOCK; ++c)
    for (int v = 0; v < V::SIXTEEN; ++v)
      sum[c][v] = *(typename V::Memory*)(total + 16 * c + V::LANES * v);
  for (int64_t p = 0; p < pixels; ++p) {
    typename V::Value d[V::SIXTEEN];
    for (int v = 0; v < V::SIXTEEN; ++v)
      d[v] = *(const typename V::Memory*)(change + p * features + V::LANES * v);
    _Pragma("GCC unroll 16")
    for (int c = 0; c < BLOCK; ++c)
      for (int v = 0; v < V::SIXTEEN; ++v) sum[c][v] += image[p * channels + c] * d[v];
  }
  for (int c = 0; c < BLOCK; ++c)
    for (int v = 0; v < V::SIXTEEN; ++v)
      *(typename V::Memory*)(total + 16 * c + V::LANES * v) = sum[c][v];
}

// total: [position][features / 16][channels][16]; features are a multiple of sixteen.
template <class V, int BLOCK>
JAXSEG_INLINE void kernel_rows(const Shape& s, const float* image, const float* change, Range rows,
                               Range sixteens, float* total) {
  for (int64_t row = rows.from; row < rows.to; ++row) {
    const Row at = row_of(s, row);
    for (int64_t start = 0; start < s.width; start += kRun) {
      const int64_t stop = std::min(start + kRun, s.width);
      for (int64_t a = 0; a < s.taps_z; ++a)
        for (int64_t b = 0; b < s.taps_y; ++b) {
          const float* source = met(s, image, at, a, b);
          if (!source) continue;
          for (int64_t k = 16 * sixteens.from; k < 16 * sixteens.to; k += 16)
            for (int64_t w = 0; w < s.taps_x; ++w) {
              const int64_t shift = w - s.taps_x / 2;
              const int64_t from = std::max(start, -shift), to = std::min(stop, s.width - shift);
              if (to <= from) continue;
              const int64_t tap = (a * s.taps_y + b) * s.taps_x + w;
              float* sum = total + (tap * (s.features / 16) + k / 16) * s.channels * 16;
              const float* d = change + (row * s.width + from) * s.features + k;
              const float* x = source + (from + shift) * s.channels;
              int64_t c = 0;
              for (; c + BLOCK <= s.channels; c += BLOCK)
                add_products<V, BLOCK>(x + c, s.channels, d, s.features, to - from, sum + 16 * c);
              for (; c + 4 <= s.channels; c += 4)
                add_products<V, 4>(x + c, s.channels, d, s.features, to - from, sum + 16 * c);
              for (; c < s.channels; ++c)
                add_products<V, 1>(x + c, s.channels, d, s.features, to - from, sum + 16 * c);
            }
        }
    }
  }
}

// ------------------------------------------------------------------------------------- the result

// PIXELS pixels and sixteen output channels; rows: the input of each (z, y) position of the kernel,
// from its leftmost pixel on, null outside the image.
template <class V, int PIXELS>
JAXSEG_INLINE void tile(const std::vector<const float*>& rows, int64_t taps_x, int64_t channels,
                        const float* kernel, const float* bias, float* result, int64_t features) {
  typename V::Value sum[PIXELS][V::SIXTEEN];
  for (int p = 0; p < PIXELS; ++p)
    for (int v = 0; v < V::SIXTEEN; ++v)
      sum[p][v] = *(const typename V::Memory*)(bias + V::LANES * v);
  for (const float* x : rows) {
    if (!x) {
      kernel += taps_x * channels * 16;
      continue;
    }
    for (int64_t w = 0; w < taps_x; ++w, x += channels)
      for (int64_t c = 0; c < channels; ++c, kernel += 16) {
        typename V::Value k[V::SIXTEEN];
        for (int v = 0; v < V::SIXTEEN; ++v)
          k[v] = *(const typename V::Memory*)(kernel + V::LANES * v);
        _Pragma("GCC unroll 24")
        for (int p = 0; p < PIXELS; ++p)
          for (int v = 0; v < V::SIXTEEN; ++v) sum[p][v] += x[p * channels + c] * k[v];
      }
  }
  for (int p = 0; p < PIXELS; ++p)
    for (int v = 0; v < V::SIXTEEN; ++v)
      *(typename V::Memory*)(result + p * features + V::LANES * v) = sum[p][v];
}

// kernel: [features / 16][position][channels][16]; features are a multiple of sixteen.
template <class V, int PIXELS>
JAXSEG_INLINE void result_rows(const Shape& s, const float* image, const float* kernel,
                               const float* bias, float* result, Range range) {
  const int64_t side = s.taps_x / 2, wide = PIXELS + s.taps_x - 1, lines = s.taps_z * s.taps_y;
  std::vector<const float*> rows(lines), sources(lines);
  std::vector<float> edge(lines * wide * s.channels), few(PIXELS * 16);
  const bool fits = s.width >= PIXELS;
  for (int64_t row = range.from; row < range.to; ++row) {
    const Row at = row_of(s, row);
    for (int64_t a = 0; a < s.taps_z; ++a)
      for (int64_t b = 0; b < s.taps_y; ++b) sources[a * s.taps_y + b] = met(s, image, at, a, b);
    for (int64_t next = 0; next < s.width;) {
      // The last tile overlaps the one before it, unless the whole row is shorter than a tile.
      const int64_t x = fits ? std::min(next, s.width - PIXELS) : next;
      const bool inside = fits && x >= side && x - side + wide <= s.width;
      for (int64_t i = 0; i < lines; ++i) {
        if (!sources[i] || inside) {
          rows[i] = sources[i] ? sources[i] + (x - side) * s.channels : nullptr;
          continue;
        }
        float* copy = edge.data() + i * wide * s.channels;
        const int64_t from = std::max<int64_t>(0, x - side);
        const int64_t to = std::min(s.width, x - side + wide);
        std::fill(copy, copy + wide * s.channels, 0.f);
        std::memcpy(copy + (from - x + side) * s.channels, sources[i] + from * s.channels,
                    (to - from) * s.channels * sizeof(float));
        rows[i] = copy;
      }
      for (int64_t k = 0; k < s.features; k += 16) {
        const float* part = kernel + k * s.taps() * s.channels;
        float* out = result + (row * s.width + x) * s.features + k;
        if (fits) {
          tile<V, PIXELS>(rows, s.taps_x, s.channels, part, bias + k, out, s.features);
          continue;
        }
        tile<V, PIXELS>(rows, s.taps_x, s.channels, part, bias + k, few.data(), 16);
        for (int64_t p = 0; p < std::min<int64_t>(PIXELS, s.width - x); ++p)
          std::memcpy(out + p * s.features, few.data() + 16 * p, 16 * sizeof(float));
      }
      next = x + PIXELS;
    }
  }
}

// The same source for each kind of processor: bytes of a register, and what fits the registers.
#define JAXSEG_KIND(NAME, TARGET, BYTES, PIXELS, BLOCK)                                           \
  TARGET void result_##NAME(const Shape& s, const float* x, const float* k, const float* b,       \
                            float* y, Range rows) {                                               \
    result_rows<Vectors<BYTES>, PIXELS>(s, x, k, b, y, rows);                                     \
  }                                                                                               \
  TARGET void kernel_##NAME(const Shape& s, const float* x, const float* d, Range rows,           \
                            Range sixteens, float* total) {                                       \
    kernel_rows<Vectors<BYTES>, BLOCK>(s, x, d, rows, sixteens, total);                           \
  }
#if defined(__x86_64__)
JAXSEG_KIND(avx512, JAXSEG_AVX512, 64, 16, 16)
JAXSEG_KIND(avx2, JAXSEG_AVX2, 32, 6, 6)
#endif
JAXSEG_KIND(base, , 16, 2, 2)

void some_result(const Shape& s, const float* x, const float* k, const float* b, float* y, Range r) {
#if defined(__x86_64__)
  if (level() == Level::avx512) return result_avx512(s, x, k, b, y, r);
  if (level() == Level::avx2) return result_avx2(s, x, k, b, y, r);
#endif
  result_base(s, x, k, b, y, r);
}

void some_kernel(const Shape& s, const float* x, const float* d, Range rows, Range sixteens,
                 float* total) {
#if defined(__x86_64__)
  if (level() == Level::avx512) return kernel_avx512(s, x, d, rows, sixteens, total);
  if (level() == Level::avx2) return kernel_avx2(s, x, d, rows, sixteens, total);
#endif
  kernel_base(s, x, d, rows, sixteens, total);
}

// weight(position, input, output) of a kernel; bias may be null.
template <class Weight>
void convolve(Shape s, const float* image, const Weight& weight, const float* bias, float* result,
              int64_t threads) {
  const int64_t features = s.features, padded = whole_sixteens(features);
  std::vector<float> kernel(padded * s.taps() * s.channels), shift(padded), wide;
  if (bias) std::copy(bias, bias + features, shift.begin());
  for (int64_t k = 0; k < features; ++k)
    for (int64_t t = 0; t < s.taps(); ++t)
      for (int64_t c = 0; c < s.channels; ++c)
        kernel[((k / 16 * s.taps() + t) * s.channels + c) * 16 + k % 16] = weight(t, c, k);
  s.features = padded;
  float* out = result;
  if (padded != features) {
    wide.resize(s.pixels() * padded);
    out = wide.data();
  }
  const int64_t parts = std::min(s.rows(), 4 * std::max<int64_t>(1, threads));
  for_parts(threads, parts, [&](int64_t part) {
    some_result(s, image, kernel.data(), shift.data(), out, part_of(s.rows(), part, parts));
  });
  if (padded != features)
    for (int64_t i = 0; i < s.pixels(); ++i)
      std::memcpy(result + i * features, out + i * padded, features * sizeof(float));
}

// --------------------------------------------------------------------------------------- handlers

ffi::Error refuse(const char* what) {
  return ffi::Error(ffi::ErrorCode::kInvalidArgument, what);
}

using Sizes = ffi::AnyBuffer::Dimensions;

// Whether an image, a kernel and a result belong together, and their sizes.
bool fits(Sizes image, Sizes kernel, Sizes result, Shape* s) {
  const size_t rank = image.size();
  if ((rank != 4 && rank != 5) || kernel.size() != rank || result.size() != rank) return false;
  for (size_t axis = 0; axis + 1 < rank; ++axis)
    if (image[axis] != result[axis] || image[axis] < 1) return false;
  for (size_t axis = 0; axis + 2 < rank; ++axis)
    if (kernel[axis] < 1 || kernel[axis] % 2 == 0) return false;
  const bool deep = rank == 5;
  *s = {image[0],         deep ? image[1] : 1,  image[rank - 3],
        image[rank - 2],  image[rank - 1],      result[rank - 1],
        deep ? kernel[0] : 1, kernel[rank - 4], kernel[rank - 3]};
  return s->channels >= 1 && s->features >= 1 && kernel[rank - 2] == s->channels &&
         kernel[rank - 1] == s->features;
}

bool is_vector(Sizes sizes, int64_t length) { return sizes.size() == 1 && sizes[0] == length; }

ffi::Error Forward(Image image, Image kernel, Image bias, ffi::Result<Image> result,
                   int64_t threads) {
  Shape s;
  if (!fits(image.dimensions(), kernel.dimensions(), result->dimensions(), &s) ||
      !is_vector(bias.dimensions(), s.features))
    return refuse("image, kernel, bias and result do not belong together");
  const float* k = kernel.typed_data();
  auto weight = [&](int64_t t, int64_t c, int64_t f) { return k[(t * s.channels + c) * s.features + f]; };
  convolve(s, image.typed_data(), weight, bias.typed_data(), result->typed_data(), threads);
  return ffi::Error::Success();
}

ffi::Error OfImage(Image change, Image kernel, ffi::Result<Image> gradient, int64_t threads) {
  Shape s;
  if (!fits(gradient->dimensions(), kernel.dimensions(), change.dimensions(), &s))
    return refuse("change, kernel and gradient do not belong together");
  const float* k = kernel.typed_data();
  const int64_t last = s.taps() - 1;
  // The gradient is a convolution with the kernel turned round, from features to channels.
  auto weight = [&](int64_t t, int64_t f, int64_t c) {
    return k[((last - t) * s.channels + c) * s.features + f];
  };
  Shape turned = s;
  std::swap(turned.channels, turned.features);
  convolve(turned, change.typed_data(), weight, nullptr, gradient->typed_data(), threads);
  return ffi::Error::Success();
}

ffi::Error OfKernel(Image image, Image change, ffi::Result<Image> gradient, int64_t threads) {
  Shape s;
  if (!fits(image.dimensions(), gradient->dimensions(), change.dimensions(), &s))
    return refuse("image, change and gradient do not belong together");
  const int64_t features = s.features;
  s.features = whole_sixteens(features);
  const float* d = change.typed_data();
  std::vector<float> wide;
  if (s.features != features) {
    wide.assign(s.pixels() * s.features, 0.f);
    for (int64_t i = 0; i < s.pixels(); ++i)
      std::memcpy(&wide[i * s.features], d + i * features, features * sizeof(float));
    d = wide.data();
  }
  const int64_t size = s.taps() * s.channels * s.features, sixteens = s.features / 16;
  const int64_t parts = std::min({kParts, s.rows(), 1 + s.pixels() / kPartPixels});
  // Few parts are cut by features, too, so that there is work for as many threads.
  const int64_t cuts = std::min(sixteens, (kParts + parts - 1) / parts);
  std::vector<std::vector<float>> totals(parts, std::vector<float>(size));
  for_parts(threads, parts * cuts, [&](int64_t work) {
    const int64_t part = work / cuts;
    some_kernel(s, image.typed_data(), d, part_of(s.rows(), part, parts),
                part_of(sixteens, work % cuts, cuts), totals[part].data());
  });
  float* out = gradient->typed_data();
  for (int64_t t = 0; t < s.taps(); ++t)
    for (int64_t c = 0; c < s.channels; ++c)
      for (int64_t k = 0; k < features; ++k) {
        const int64_t place = ((t * sixteens + k / 16) * s.channels + c) * 16 + k % 16;
        double sum = 0;
        for (const auto& total : totals) sum += total[place];
        out[(t * s.channels + c) * features + k] = static_cast<float>(sum);
      }
  return ffi::Error::Success();
}

}  // namespace
}  // namespace jaxseg

XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxseg_conv, jaxseg::Forward,
                              ffi::Ffi::Bind()
                                  .Arg<jaxseg::Image>()
                                  .Arg<jaxseg::Image>()
                                  .Arg<jaxseg::Image>()
                                  .Ret<jaxseg::Image>()
                                  .Attr<int64_t>("threads"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxseg_conv_of_image, jaxseg::OfImage,
                              ffi::Ffi::Bind()
                                  .Arg<jaxseg::Image>()
                                  .Arg<jaxseg::Image>()
                                  .Ret<jaxseg::Image>()
                                  .Attr<int64_t>("threads"));
XLA_FFI_DEFINE_HANDLER_SYMBOL(jaxseg_conv_of_kernel, jaxseg::OfKernel,
                              ffi::Ffi::Bind()
                                  .Arg<jaxseg::Image>()
                                  .Arg<jaxseg::Image>()
                                  .Ret<jaxseg::Image>()
                                  .Attr<int64_t>("threads"));
