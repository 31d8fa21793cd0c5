// Convolutions of each channel on its own, with odd kernels, stride 1 and zeros around the image, channels
// last, float32: the result, the gradient of the image, and the gradient of the kernel.

#include <algorithm>
#include <cstdint>
#include <vector>

#include "handlers.h"
#include "rows.h"
#include "vectors.h"

namespace ffi = xla::ffi;

namespace jaxseg {
namespace {

// Parts of the rows that the gradient of a kernel is added up in at most.
constexpr int64_t kParts = 8;
// Pixels that stay in registers, for as many channels as one register holds.
constexpr int kPixels = 8;

// What Vectors<> is, for the channels that are left.
struct One {
  typedef float Value;
  typedef float Memory;
  enum { LANES = 1 };
};

// Some pixels of the result from their window on; kernel: (position, channels).
template <class V, int PIXELS>
JAXSEG_INLINE void tile(const Along& s, const float* const* rows, const float* kernel,
                        const float* bias, float* result, int64_t c) {
  typename V::Value sum[PIXELS];
  for (int p = 0; p < PIXELS; ++p) sum[p] = *(const typename V::Memory*)(bias + c);
  const float* weights = kernel + c;
  for (int64_t line = 0; line < s.lines; ++line) {
    const float* x = rows[line];
    if (!x) {
      weights += s.taps * s.channels;
      continue;
    }
    for (int64_t w = 0; w < s.taps; ++w, weights += s.channels) {
      const typename V::Value k = *(const typename V::Memory*)weights;
      for (int p = 0; p < PIXELS; ++p)
        sum[p] += *(const typename V::Memory*)(x + (w + p) * s.channels + c) * k;
    }
  }
  for (int p = 0; p < PIXELS; ++p) *(typename V::Memory*)(result + p * s.channels + c) = sum[p];
}

template <class V, int PIXELS>
JAXSEG_INLINE void channels_of(const Along& s, const float* const* rows, const float* kernel,
                               const float* bias, float* result) {
  int64_t c = 0;
  for (; c + V::LANES <= s.channels; c += V::LANES)
    tile<V, PIXELS>(s, rows, kernel, bias, result, c);
  for (; c < s.channels; ++c) tile<One, PIXELS>(s, rows, kernel, bias, result, c);
}

template <class V>
JAXSEG_INLINE void result_rows(const Along& s, const float* const* sources, const float* kernel,
                               const float* bias, float* result, Range range) {
  std::vector<const float*> rows(s.lines);
  std::vector<float> edge(s.lines * (kPixels + s.taps - 1) * s.channels);
  for (int64_t row = range.from; row < range.to; ++row) {
    const float* const* source = sources + row * s.lines;
    float* out = result + row * s.width * s.channels;
    int64_t x = 0;
    for (; x + kPixels <= s.width; x += kPixels) {
      window(s, source, x, kPixels, s.channels, edge.data(), rows.data());
      channels_of<V, kPixels>(s, rows.data(), kernel, bias, out + x * s.channels);
    }
    for (; x < s.width; ++x) {
      window(s, source, x, 1, s.channels, edge.data(), rows.data());
      channels_of<V, 1>(s, rows.data(), kernel, bias, out + x * s.channels);
    }
  }
}

// The sum over pixels of the products of two rows.
template <class V>
JAXSEG_INLINE void add_products(const float* a, const float* b, int64_t channels, int64_t pixels,
                                float* total) {
  typename V::Value sum[4] = {};
  int64_t p = 0;
  for (; p + 4 <= pixels; p += 4)
    for (int i = 0; i < 4; ++i)
      sum[i] += *(const typename V::Memory*)(a + (p + i) * channels) *
                *(const typename V::Memory*)(b + (p + i) * channels);
  for (; p < pixels; ++p)
    sum[0] += *(const typename V::Memory*)(a + p * channels) *
              *(const typename V::Memory*)(b + p * channels);
  *(typename V::Memory*)total += (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

// total: (position, channels)
template <class V>
JAXSEG_INLINE void kernel_rows(const Along& s, const float* const* sources, const float* change,
                               Range range, float* total) {
  for (int64_t row = range.from; row < range.to; ++row)
    for (int64_t c = 0, more; c < s.channels; c += more) {
      more = c + V::LANES <= s.channels ? V::LANES : 1;
      for (int64_t line = 0; line < s.lines; ++line) {
        const float* source = sources[row * s.lines + line];
        if (!source) continue;
        for (int64_t w = 0; w < s.taps; ++w) {
          const int64_t shift = w - s.taps / 2;
          const int64_t from = std::max<int64_t>(0, -shift), to = std::min(s.width, s.width - shift);
          if (to <= from) continue;
          const float* x = source + (from + shift) * s.channels + c;
          const float* d = change + (row * s.width + from) * s.channels + c;
          float* sum = total + (line * s.taps + w) * s.channels + c;
          if (more > 1)
            add_products<V>(x, d, s.channels, to - from, sum);
          else
            add_products<One>(x, d, s.channels, to - from, sum);
        }
      }
    }
}

#define JAXSEG_KIND(NAME, TARGET, BYTES)                                                          \
  TARGET void result_##NAME(const Along& s, const float* const* x, const float* k,                \
                            const float* b, float* y, Range rows) {                               \
    result_rows<Vectors<BYTES>>(s, x, k, b, y, rows);                                             \
  }                                                                                               \
  TARGET void kernel_##NAME(const Along& s, const float* const* x, const float* d, Range rows,    \
                            float* total) {                                                       \
    kernel_rows<Vectors<BYTES>>(s, x, d, rows, total);                                            \
  }
#if defined(__x86_64__)
JAXSEG_KIND(avx512, JAXSEG_AVX512, 64)
JAXSEG_KIND(avx2, JAXSEG_AVX2, 32)
#endif
JAXSEG_KIND(base, , 16)

struct Shape {
  int64_t n, depth, height, width, channels, taps_z, taps_y, taps_x;
  Along along() const {
    return {n * depth * height, taps_z * taps_y, taps_x, width, channels, channels};
  }
  int64_t weights() const { return taps_z * taps_y * taps_x * channels; }
  std::vector<const float*> sources(const float* image) const {
    return neighbours(image, n, depth, height, width * channels, taps_z, taps_y);
  }
};

// Whether an image (N, *S, C) and a kernel (*k, C) belong together, and their sizes.
bool fits(Sizes image, Sizes kernel, Sizes result, Shape* s) {
  const size_t rank = image.size();
  if ((rank != 4 && rank != 5) || kernel.size() + 1 != rank || result.size() != rank) return false;
  for (size_t axis = 0; axis < rank; ++axis)
    if (image[axis] != result[axis] || image[axis] < 1) return false;
  for (size_t axis = 0; axis + 2 < rank; ++axis)
    if (kernel[axis] < 1 || kernel[axis] % 2 == 0) return false;
  const bool deep = rank == 5;
  *s = {image[0],        deep ? image[1] : 1,  image[rank - 3],  image[rank - 2],
        image[rank - 1], deep ? kernel[0] : 1, kernel[rank - 4], kernel[rank - 3]};
  return kernel[rank - 2] == s->channels;
}

void convolved(const Shape& s, const float* image, const float* kernel, const float* bias,
               float* result, Threads threads) {
  const Along along = s.along();
  const auto sources = s.sources(image);
  for_ranges(threads, along.rows, [&](Range rows) {
    JAXSEG_CHOSEN(result, along, sources.data(), kernel, bias, result, rows);
  });
}

ffi::Error Forward(Image image, Image kernel, Image bias, ffi::Result<Image> result,
                   Pool pool, int64_t count) {
  Shape s;
  if (!fits(image.dimensions(), kernel.dimensions(), result->dimensions(), &s) ||
      !is_vector(bias.dimensions(), s.channels))
    return refuse();
  convolved(s, image.typed_data(), kernel.typed_data(), bias.typed_data(), result->typed_data(),
            {pool, count});
  return ffi::Error::Success();
}

ffi::Error OfImage(Image change, Image kernel, ffi::Result<Image> gradient, Pool pool, int64_t count) {
  Shape s;
  if (!fits(change.dimensions(), kernel.dimensions(), gradient->dimensions(), &s)) return refuse();
  // The gradient is a convolution with the kernel turned round.
  std::vector<float> turned(s.weights()), none(s.channels);
  const float* k = kernel.typed_data();
  for (int64_t i = 0; i < s.weights(); i += s.channels)
    std::copy(k + i, k + i + s.channels, &turned[s.weights() - s.channels - i]);
  convolved(s, change.typed_data(), turned.data(), none.data(), gradient->typed_data(), {pool, count});
  return ffi::Error::Success();
}

ffi::Error OfKernel(Image image, Image change, ffi::Result<Image> gradient, Pool pool, int64_t count) {
  Shape s;
  if (!fits(image.dimensions(), gradient->dimensions(), change.dimensions(), &s)) return refuse();
  const Along along = s.along();
  const auto sources = s.sources(image.typed_data());
  const float* d = change.typed_data();
  const int64_t parts = std::min(kParts, along.rows);
  std::vector<std::vector<float>> totals(parts, std::vector<float>(s.weights()));
  for_parts({pool, count}, parts, [&](int64_t part) {
    float* total = totals[part].data();
    const Range rows = part_of(along.rows, part, parts);
    JAXSEG_CHOSEN(kernel, along, sources.data(), d, rows, total);
  });
  for (int64_t i = 0; i < s.weights(); ++i) {
    double sum = 0;
    for (const auto& total : totals) sum += total[i];
    gradient->typed_data()[i] = static_cast<float>(sum);
  }
  return ffi::Error::Success();
}

}  // namespace
}  // namespace jaxseg

JAXSEG_CONVOLUTION(jaxseg_depthwise)
