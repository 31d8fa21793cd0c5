// Sixteen output channels at a time, or twice as many: a tile of pixels (or of input channels, for the
// gradient of the kernel) times these stays in registers.

#include "rows.h"

#include <algorithm>
#include <cstring>

#include "pairs.h"
#include "vectors.h"

namespace jaxseg {
namespace {

// Pixels of a tile for short rows, as deep levels of networks have.
constexpr int64_t kShort = 4;
// Pixels of a row that are read again for every tap of the kernel, so that they stay cached.
constexpr int64_t kRun = 128;

// ------------------------------------------------------------------------- gradient of the kernel

template <class V>
JAXSEG_INLINE typename V::Memory* sums_at(float* total, int64_t sixteen, int c, int v) {
  return (typename V::Memory*)(total + v / V::SIXTEEN * sixteen + 16 * c + V::LANES * (v % V::SIXTEEN));
}

// One position of the kernel along a run of pixels: BLOCK input and WIDE times sixteen output channels;
// `sixteen`: from the sums of sixteen output channels to those of the next.
template <class V, int BLOCK, int WIDE>
JAXSEG_INLINE void add_products(const float* image, int64_t channels, const float* change,
                                int64_t features, int64_t pixels, float* total, int64_t sixteen) {
  typename V::Value sum[BLOCK][WIDE * V::SIXTEEN];
  for (int c = 0; c < BLOCK; ++c)
    for (int v = 0; v < WIDE * V::SIXTEEN; ++v)
      sum[c][v] = *sums_at<V>(total, sixteen, c, v);
  for (int64_t p = 0; p < pixels; ++p) {
    typename V::Value d[WIDE * V::SIXTEEN];
    for (int v = 0; v < WIDE * V::SIXTEEN; ++v)
      d[v] = *(const typename V::Memory*)(change + p * features + V::LANES * v);
    _Pragma("GCC unroll 16")
    for (int c = 0; c < BLOCK; ++c)
      for (int v = 0; v < WIDE * V::SIXTEEN; ++v) sum[c][v] += image[p * channels + c] * d[v];
  }
  for (int c = 0; c < BLOCK; ++c)
    for (int v = 0; v < WIDE * V::SIXTEEN; ++v)
      *sums_at<V>(total, sixteen, c, v) = sum[c][v];
}

// The same for all input channels.
template <class V, int BLOCK, int WIDE>
JAXSEG_INLINE void add_channels(const float* image, int64_t channels, const float* change,
                                int64_t features, int64_t pixels, float* total) {
  const int64_t sixteen = channels * 16;
  int64_t c = 0;
  for (; c + BLOCK <= channels; c += BLOCK)
    add_products<V, BLOCK, WIDE>(image + c, channels, change, features, pixels, total + 16 * c, sixteen);
  for (; c + 4 <= channels; c += 4)
    add_products<V, 4, WIDE>(image + c, channels, change, features, pixels, total + 16 * c, sixteen);
  for (; c < channels; ++c)
    add_products<V, 1, WIDE>(image + c, channels, change, features, pixels, total + 16 * c, sixteen);
}

// total: [position][features / 16][channels][16]; features are a multiple of sixteen.
template <class V, int BLOCK, int WIDE, int BLOCK_WIDE>
JAXSEG_INLINE void kernel_rows(const Along& s, const float* const* images,
                               const float* const* changes, Range rows, Range sixteens,
                               float* total) {
  for (int64_t row = rows.from; row < rows.to; ++row)
    for (int64_t start = 0; start < s.width; start += kRun) {
      const int64_t stop = std::min(start + kRun, s.width);
      for (int64_t line = 0; line < s.lines; ++line) {
        const float* image = images[row * s.lines + line];
        const float* change = changes[row * s.lines + line];
        if (!image) continue;
        for (int64_t k = sixteens.from, more; k < sixteens.to; k += more) {
          more = k + WIDE <= sixteens.to ? WIDE : 1;
          for (int64_t w = 0; w < s.taps; ++w) {
            const int64_t shift = w - s.taps / 2;
            const int64_t from = std::max(start, -shift), to = std::min(stop, s.width - shift);
            if (to <= from) continue;
            const int64_t position = line * s.taps + w;
            float* sum = total + (position * (s.features / 16) + k) * s.channels * 16;
            const float* d = change + from * s.features + 16 * k;
            const float* x = image + (from + shift) * s.channels;
            if (WIDE > 1 && more == WIDE)
              add_channels<V, BLOCK_WIDE, WIDE>(x, s.channels, d, s.features, to - from, sum);
            else
              add_channels<V, BLOCK, 1>(x, s.channels, d, s.features, to - from, sum);
          }
        }
      }
    }
}

// ------------------------------------------------------------------------------------- the result

// PIXELS pixels and WIDE times sixteen output channels; rows: the input of each line of the kernel,
// from its leftmost pixel on, null outside the image. A STRIDE between pixels that is known when this
// is compiled makes every place a constant, for which no register is needed.
template <class V, int PIXELS, int WIDE, int64_t STRIDE>
JAXSEG_INLINE void tile(const float* const* rows, const Along& s, const float* kernel,
                        const float* bias, float* result, int64_t features) {
  const int64_t channels = s.channels, stride = STRIDE ? STRIDE : channels;
  const int64_t sixteen = s.lines * s.taps * channels * 16;
  typename V::Value sum[PIXELS][WIDE * V::SIXTEEN];
  for (int p = 0; p < PIXELS; ++p)
    for (int v = 0; v < WIDE * V::SIXTEEN; ++v)
      sum[p][v] = *(const typename V::Memory*)(bias + V::LANES * v);
  for (int64_t line = 0; line < s.lines; ++line) {
    const float* x = rows[line];
    if (!x) {
      kernel += s.taps * channels * 16;
      continue;
    }
    for (int64_t w = 0; w < s.taps; ++w, x += stride)
      for (int64_t c = 0; c < channels; ++c, kernel += 16) {
        typename V::Value k[WIDE * V::SIXTEEN];
        for (int v = 0; v < WIDE * V::SIXTEEN; ++v)
          k[v] = *(const typename V::Memory*)(kernel + v / V::SIXTEEN * sixteen +
                                              V::LANES * (v % V::SIXTEEN));
        _Pragma("GCC unroll 24")
        for (int p = 0; p < PIXELS; ++p)
          for (int v = 0; v < WIDE * V::SIXTEEN; ++v) sum[p][v] += x[p * stride + c] * k[v];
      }
  }
  for (int p = 0; p < PIXELS; ++p)
    for (int v = 0; v < WIDE * V::SIXTEEN; ++v)
      *(typename V::Memory*)(result + p * features + V::LANES * v) = sum[p][v];
}

#define JAXSEG_IN_PLACE(NAME, A)                                                \
  JAXSEG_KINDS void in_place_##NAME(float* values, int64_t size) {              \
    for (int64_t i = 0; i < size; ++i) values[i] = activate<A>(values[i]);      \
  }
JAXSEG_IN_PLACE(elu, kElu)
JAXSEG_IN_PLACE(relu, kRelu)

// Features are a multiple of sixteen.
template <class V, int PIXELS, int WIDE, int64_t STRIDE>
JAXSEG_INLINE void result_rows(const Along& s, const float* const* sources, const float* kernel,
                               const float* bias, float* const* results, Range range,
                               Activation activation) {
  const int64_t stride = STRIDE ? STRIDE : s.channels;
  std::vector<const float*> rows(s.lines);
  std::vector<float> edge(s.lines * (PIXELS + s.taps - 1) * stride), few(PIXELS * s.features);
  const bool fits = s.width >= PIXELS;
  for (int64_t row = range.from; row < range.to; ++row)
    for (int64_t next = 0; next < s.width; next += PIXELS) {
      // The last tile overlaps the one before it, unless the whole row is shorter than a tile.
      const int64_t x = fits ? std::min(next, s.width - PIXELS) : next;
      window(s, sources + row * s.lines, x, PIXELS, stride, edge.data(), rows.data());
      float* here = results[row] + x * s.features;
      float* out = fits ? here : few.data();
      int64_t k = 0;
      for (; k + 16 * WIDE <= s.features; k += 16 * WIDE)
        tile<V, PIXELS, WIDE, STRIDE>(rows.data(), s, kernel + k * s.positions() * s.channels,
                                        bias + k, out + k, s.features);
      for (; k < s.features; k += 16)
        tile<V, PIXELS, 1, STRIDE>(rows.data(), s, kernel + k * s.positions() * s.channels,
                                     bias + k, out + k, s.features);
      activated(out, PIXELS * s.features, activation);
      if (!fits)
        std::memcpy(here, out, std::min<int64_t>(PIXELS, s.width - x) * s.features * sizeof(float));
    }
}

// The tile that suits the features.
template <class V, int PIXELS, int WIDE, int PIXELS_WIDE, int64_t STRIDE>
JAXSEG_INLINE void result_of(const Along& s, const float* const* x, const float* k, const float* b,
                             float* const* y, Range rows, Activation a) {
  if (s.width < PIXELS_WIDE && PIXELS_WIDE > kShort)
    result_rows<V, kShort, WIDE, 0>(s, x, k, b, y, rows, a);
  else if (WIDE > 1 && s.features >= 16 * WIDE)
    result_rows<V, PIXELS_WIDE, WIDE, STRIDE>(s, x, k, b, y, rows, a);
  else
    result_rows<V, PIXELS, 1, STRIDE>(s, x, k, b, y, rows, a);
}

// The least stride among those that are compiled; 0 for the channels themselves. To copy pixels that
// have other channels costs little beside what is done with them, unless they are few. There are
// strides beside powers of two since these crowd pixels into few places of the cache.
int64_t stride_of(int64_t channels) {
  if (channels < 16) return 0;
  for (int64_t stride : {16, 32, 64, 112, 128, 224, 256, 432})
    if (stride >= channels) return stride;
  return 0;
}

// The same source for each kind of processor: bytes of a register, and what fits the registers.
#define JAXSEG_KIND(NAME, TARGET, BYTES, PIXELS, WIDE, PIXELS_WIDE, BLOCK, BLOCK_WIDE)            \
  TARGET void result_##NAME(const Along& s, const float* const* x, const float* k,                \
                            const float* b, float* const* y, Range rows, Activation a) {          \
    using V = Vectors<BYTES>;                                                                     \
    switch (stride_of(s.channels)) {                                                              \
      case 16: return result_of<V, PIXELS, WIDE, PIXELS_WIDE, 16>(s, x, k, b, y, rows, a);        \
      case 32: return result_of<V, PIXELS, WIDE, PIXELS_WIDE, 32>(s, x, k, b, y, rows, a);        \
      case 64: return result_of<V, PIXELS, WIDE, PIXELS_WIDE, 64>(s, x, k, b, y, rows, a);        \
      case 112: return result_of<V, PIXELS, WIDE, PIXELS_WIDE, 112>(s, x, k, b, y, rows, a);      \
      case 128: return result_of<V, PIXELS, WIDE, PIXELS_WIDE, 128>(s, x, k, b, y, rows, a);      \
      case 224: return result_of<V, PIXELS, WIDE, PIXELS_WIDE, 224>(s, x, k, b, y, rows, a);      \
      case 256: return result_of<V, PIXELS, WIDE, PIXELS_WIDE, 256>(s, x, k, b, y, rows, a);      \
      case 432: return result_of<V, PIXELS, WIDE, PIXELS_WIDE, 432>(s, x, k, b, y, rows, a);      \
      default: return result_of<V, PIXELS_WIDE, WIDE, PIXELS_WIDE, 0>(s, x, k, b, y, rows, a);    \
    }                                                                                             \
  }                                                                                               \
  TARGET void kernel_##NAME(const Along& s, const float* const* x, const float* const* d,         \
                            Range rows, Range sixteens, float* total) {                           \
    kernel_rows<Vectors<BYTES>, BLOCK, WIDE, BLOCK_WIDE>(s, x, d, rows, sixteens, total);         \
  }
#if defined(__x86_64__)
JAXSEG_KIND(avx512, JAXSEG_AVX512, 64, 16, 2, 8, 16, 8)
JAXSEG_KIND(avx2, JAXSEG_AVX2, 32, 6, 1, 6, 6, 6)
#endif
JAXSEG_KIND(base, , 16, 2, 1, 2, 2, 2)

}  // namespace

void activated(float* values, int64_t size, Activation activation) {
  if (activation == kElu) in_place_elu(values, size);
  if (activation == kRelu) in_place_relu(values, size);
}

void convolve(const Along& s, const std::vector<const float*>& sources,
              const std::vector<float>& kernel, const float* bias,
              const std::vector<float*>& results, Threads threads, Activation activation) {
  Along whole = s;
  whole.features = whole_sixteens(s.features);
  std::vector<float> shift(whole.features);
  if (bias) std::copy(bias, bias + s.features, shift.begin());
  if (suits_pairs(s))
    return convolve_pairs(s, sources, kernel, shift.data(), results, threads, activation);
  const bool same = whole.features == s.features;
  for_ranges(threads, s.rows, [&](Range range) {
    if (same) {
      JAXSEG_CHOSEN(result, whole, sources.data(), kernel.data(), shift.data(), results.data(), range,
                    activation);
      return;
    }
    // One row at a time is computed with more features than it has, and copied without them.
    std::vector<float> wide(whole.features * s.width);
    float* const row_of[] = {wide.data()};
    for (int64_t row = range.from; row < range.to; ++row) {
      const float* const* source = &sources[row * s.lines];
      JAXSEG_CHOSEN(result, whole, source, kernel.data(), shift.data(), row_of, Range{0, 1},
                    activation);
      for (int64_t x = 0; x < s.width; ++x)
        std::memcpy(results[row] + x * s.features, &wide[x * whole.features],
                    s.features * sizeof(float));
    }
  });
}

void correlate(const Along& s, const std::vector<const float*>& images,
               const std::vector<const float*>& changes, float* gradient, Threads threads) {
  if (suits_pairs(s)) return correlate_pairs(s, images, changes, gradient, threads);
  Along whole = s;
  whole.features = whole_sixteens(s.features);
  const int64_t sixteens = whole.features / 16;
  auto add = [&](Range rows, Range some, float* total) {
    if (whole.features == s.features) {
      JAXSEG_CHOSEN(kernel, whole, images.data(), changes.data(), rows, some, total);
      return;
    }
    // Rows with fewer features than sixteens have are widened by zeros, one at a time.
    std::vector<float> wide(s.lines * s.width * whole.features);
    std::vector<const float*> widened(s.lines);
    for (int64_t row = rows.from; row < rows.to; ++row) {
      for (int64_t line = 0; line < s.lines; ++line) {
        const float* change = changes[row * s.lines + line];
        widened[line] = &wide[line * s.width * whole.features];
        if (line && change == changes[row * s.lines + line - 1]) {
          widened[line] = widened[line - 1];
          continue;
        }
        for (int64_t x = 0; x < s.width; ++x)
          std::memcpy(&wide[(line * s.width + x) * whole.features], change + x * s.features,
                      s.features * sizeof(float));
      }
      const float* const* image = &images[row * s.lines];
      JAXSEG_CHOSEN(kernel, whole, image, widened.data(), Range{0, 1}, some, total);
    }
  };
  const std::vector<float> sums = summed(s, whole.weights(), threads, add);
  for_parts(threads, s.positions(), [&](int64_t position) {
    for (int64_t sixteen = 0; sixteen < sixteens; ++sixteen)
      for (int64_t c = 0; c < s.channels; ++c)
        std::memcpy(gradient + (position * s.channels + c) * s.features + 16 * sixteen,
                    &sums[((position * sixteens + sixteen) * s.channels + c) * 16],
                    std::min<int64_t>(16, s.features - 16 * sixteen) * sizeof(float));
  });
}

}  // namespace jaxseg
