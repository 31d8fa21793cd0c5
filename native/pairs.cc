// Convolutions of three taps, two pixels at a time, with four products in place of six: Winograd's
// F(2, 3) along the rows, and F(3, 2) for the gradient of the kernel. Of the four pixels a b c d that
// two results depend on and the taps u v w
//
//   (a - c) u,  (b + c)(u + v + w) / 2,  (c - b)(u - v + w) / 2,  (b - d) w
//
// are summed over lines and channels; the results are the first three together, and the second less
// the third and the fourth. Of two changes p q
//
//   (a - c) p,  (b + c)(p + q) / 2,  (c - b)(p - q) / 2,  (b - d) q
//
// are summed over all pairs; the gradients of the taps are the first three together, the second less
// the third, and the second and the third together less the fourth. (S. Winograd, Arithmetic Complexity
// of Computations, 1980; A. Lavin and S. Gray, CVPR 2016.)

#include "pairs.h"

#include <algorithm>
#include <memory>

#include "vectors.h"

namespace jaxseg {

#if defined(__x86_64__)
namespace {

constexpr int kPairs = 4, kPixels = 2 * kPairs, kProducts = 4;
// Floats of eight pixels of sixteen channels: [product][pair][channel].
constexpr int64_t kBlock = kProducts * kPairs * 16;
// Blocks of pixels whose gradients are summed before the sums leave the registers, at least.
constexpr int64_t kTogether = 8;

int64_t blocks_of(int64_t width) { return (width + kPixels - 1) / kPixels; }

// Floats at the start of a line of the cache, not set to anything.
class Floats {
 public:
  explicit Floats(int64_t size) : values_(new float[size + 16]) {}
  float* data() const {
    const auto address = reinterpret_cast<uintptr_t>(values_.get());
    return values_.get() + (64 - address % 64) % 64 / sizeof(float);
  }

 private:
  std::unique_ptr<float[]> values_;
};

// What the products multiply of all pixels of a row, in blocks, [channels / 16][pixels / 8]; beyond
// the ends of the row are zeros.
template <class V>
JAXSEG_INLINE void differences_of(const float* row, const Along& s, float* out) {
  using Memory = typename V::Memory;
  for (int64_t c = 0; c < s.channels; c += 16)
    for (int64_t x = 0; x < s.width; x += kPixels, out += kBlock)
      for (int v = 0; v < 16; v += V::LANES) {
        typename V::Value pixel[kPixels + 2];
        _Pragma("GCC unroll 10")
        for (int p = 0; p < kPixels + 2; ++p) {
          const int64_t at = x - 1 + p;
          const bool beyond = at < 0 || at >= s.width;
          pixel[p] = beyond ? typename V::Value{} : *(const Memory*)(row + at * s.channels + c + v);
        }
        _Pragma("GCC unroll 4")
        for (int pair = 0; pair < kPairs; ++pair) {
          const typename V::Value* p = pixel + 2 * pair;
          float* here = out + 16 * pair + v;
          *(Memory*)(here) = p[0] - p[2];
          *(Memory*)(here + 16 * kPairs) = p[1] + p[2];
          *(Memory*)(here + 32 * kPairs) = p[2] - p[1];
          *(Memory*)(here + 48 * kPairs) = p[1] - p[3];
        }
      }
}

// The same of the changes p q: p, p + q, p - q and q, without the halves.
template <class V>
JAXSEG_INLINE void sums_of(const float* row, const Along& s, Range sixteens, float* out) {
  using Memory = typename V::Memory;
  for (int64_t k = sixteens.from; k < sixteens.to; ++k)
    for (int64_t x = 0; x < s.width; x += kPixels, out += kBlock)
      for (int pair = 0; pair < kPairs; ++pair)
        for (int v = 0; v < 16; v += V::LANES) {
          const int64_t at = x + 2 * pair;
          const float* change = row + at * s.features + 16 * k + v;
          typename V::Value p{}, q{};
          if (at < s.width) p = *(const Memory*)change;
          if (at + 1 < s.width) q = *(const Memory*)(change + s.features);
          float* here = out + 16 * pair + v;
          *(Memory*)(here) = p;
          *(Memory*)(here + 16 * kPairs) = p + q;
          *(Memory*)(here + 32 * kPairs) = p - q;
          *(Memory*)(here + 48 * kPairs) = q;
        }
}

// Two pixels out of the sums of the four products.
template <class V>
JAXSEG_INLINE void put(typename V::Value a, typename V::Value b, typename V::Value c,
                       typename V::Value d, typename V::Value shift, int64_t features, float* out) {
  *(typename V::Memory*)out = shift + a + b + c;
  *(typename V::Memory*)(out + features) = shift + b - c - d;
}

// Eight pixels and sixteen features; lines: the first block of each line, `next` floats from that of
// the next sixteen channels; kernel: [line][channel][product][16]. Twenty registers.
template <class V>
JAXSEG_INLINE void tile_at_once(const float* const* lines, int64_t offset, int64_t next,
                                const Along& s, const float* kernel, const float* bias,
                                float* result) {
  typename V::Value sum[kProducts][kPairs] = {};
  for (int64_t line = 0; line < s.lines; ++line) {
    if (!lines[line]) {
      kernel += s.channels * kProducts * 16;
      continue;
    }
    const float* block = lines[line] + offset;
    for (int64_t c = 0; c < s.channels; c += 16, block += next)
      for (int64_t i = 0; i < 16; ++i, kernel += kProducts * 16) {
        _Pragma("GCC unroll 4")
        for (int product = 0; product < kProducts; ++product) {
          const typename V::Value k = *(const typename V::Memory*)(kernel + 16 * product);
          _Pragma("GCC unroll 4")
          for (int pair = 0; pair < kPairs; ++pair)
            sum[product][pair] += block[(product * kPairs + pair) * 16 + i] * k;
        }
      }
  }
  const typename V::Value shift = *(const typename V::Memory*)bias;
  _Pragma("GCC unroll 4")
  for (int pair = 0; pair < kPairs; ++pair)
    put<V>(sum[0][pair], sum[1][pair], sum[2][pair], sum[3][pair], shift, s.features,
           result + 2 * pair * s.features);
}

// The same for registers of eight floats, of which there are sixteen: one product after another;
// kernel: [product][line][channel][16].
template <class V>
JAXSEG_INLINE void tile_by_product(const float* const* lines, int64_t offset, int64_t next,
                                   const Along& s, const float* kernel, const float* bias,
                                   float* result) {
  typename V::Value found[kProducts][kPairs][2];
  for (int product = 0; product < kProducts; ++product) {
    typename V::Value sum[kPairs][2] = {};
    for (int64_t line = 0; line < s.lines; ++line) {
      if (!lines[line]) {
        kernel += s.channels * 16;
        continue;
      }
      const float* block = lines[line] + offset + product * kPairs * 16;
      for (int64_t c = 0; c < s.channels; c += 16, block += next)
        for (int64_t i = 0; i < 16; ++i, kernel += 16) {
          const typename V::Value k = *(const typename V::Memory*)kernel;
          const typename V::Value l = *(const typename V::Memory*)(kernel + 8);
          _Pragma("GCC unroll 4")
          for (int pair = 0; pair < kPairs; ++pair) {
            sum[pair][0] += block[pair * 16 + i] * k;
            sum[pair][1] += block[pair * 16 + i] * l;
          }
        }
    }
    _Pragma("GCC unroll 4")
    for (int pair = 0; pair < kPairs; ++pair)
      for (int v = 0; v < 2; ++v) found[product][pair][v] = sum[pair][v];
  }
  for (int pair = 0; pair < kPairs; ++pair)
    for (int v = 0; v < 2; ++v)
      put<V>(found[0][pair][v], found[1][pair][v], found[2][pair][v], found[3][pair][v],
             *(const typename V::Memory*)(bias + 8 * v), s.features,
             result + 2 * pair * s.features + 8 * v);
}

// total (16, 16) += one product of sixteen channels and sixteen features, over blocks of some rows;
// so many channels at a time.
template <class V, int CHANNELS>
JAXSEG_INLINE void add(const float* const* images, const float* const* changes, int64_t rows,
                       int64_t blocks, float* total) {
  constexpr int kWide = 16 / V::LANES;
  for (int first = 0; first < 16; first += CHANNELS, total += 16 * CHANNELS) {
    typename V::Value sum[CHANNELS][kWide];
    _Pragma("GCC unroll 16")
    for (int c = 0; c < CHANNELS; ++c)
      for (int v = 0; v < kWide; ++v)
        sum[c][v] = *(const typename V::Memory*)(total + 16 * c + V::LANES * v);
    for (int64_t row = 0; row < rows; ++row) {
      const float *image = images[row] + first, *change = changes[row];
      for (int64_t block = 0; block < blocks; ++block, image += kBlock, change += kBlock)
        for (int pair = 0; pair < kPairs; ++pair) {
          typename V::Value d[kWide];
          for (int v = 0; v < kWide; ++v)
            d[v] = *(const typename V::Memory*)(change + 16 * pair + V::LANES * v);
          _Pragma("GCC unroll 16")
          for (int c = 0; c < CHANNELS; ++c)
            for (int v = 0; v < kWide; ++v) sum[c][v] += image[16 * pair + c] * d[v];
        }
    }
    _Pragma("GCC unroll 16")
    for (int c = 0; c < CHANNELS; ++c)
      for (int v = 0; v < kWide; ++v)
        *(typename V::Memory*)(total + 16 * c + V::LANES * v) = sum[c][v];
  }
}

// The same source for both kinds of processor.
#define JAXSEG_PAIRS(NAME, TARGET, BYTES, TILE, CHANNELS)                                          \
  TARGET void differences_##NAME(const float* row, const Along& s, float* out) {                  \
    differences_of<Vectors<BYTES>>(row, s, out);                                                  \
  }                                                                                               \
  TARGET void sums_##NAME(const float* row, const Along& s, Range sixteens, float* out) {         \
    sums_of<Vectors<BYTES>>(row, s, sixteens, out);                                               \
  }                                                                                               \
  TARGET void tile_##NAME(const float* const* lines, int64_t offset, int64_t next,                \
                          const Along& s, const float* kernel, const float* bias, float* result) { \
    TILE<Vectors<BYTES>>(lines, offset, next, s, kernel, bias, result);                           \
  }                                                                                               \
  TARGET void add_##NAME(const float* const* images, const float* const* changes, int64_t rows,   \
                         int64_t blocks, float* total) {                                          \
    add<Vectors<BYTES>, CHANNELS>(images, changes, rows, blocks, total);                          \
  }
JAXSEG_PAIRS(avx512, JAXSEG_AVX512, 64, tile_at_once, 16)
JAXSEG_PAIRS(avx2, JAXSEG_AVX2, 32, tile_by_product, 4)
#define JAXSEG_BY_LEVEL(NAME) (level() == Level::avx512 ? NAME##_avx512 : NAME##_avx2)

// The differences of the rows that rows of the result meet. What one of them meets by a line, the next
// one meets by the line before, so that most are there already; those made longer ago than three lines
// need are made again.
class Met {
 public:
  // So many rows of the result are looked at together.
  Met(const Along& s, const std::vector<const float*>& sources, int64_t together)
      : s_(s), sources_(sources), rows_(together + kAge),
        size_(s.channels / 16 * blocks_of(s.width) * kBlock), made_(rows_ * s.lines),
        age_(rows_ * s.lines), values_(rows_ * s.lines * size_) {}

  // To be called for one row after another.
  void meet(int64_t row, bool first) {
    for (int64_t line = 0; line < s_.lines; ++line) {
      const int64_t now = row * s_.lines + line, before = now - s_.lines + 1;
      const int64_t place = now % made_size(), old = first ? 0 : before % made_size();
      const float* source = sources_[now];
      const bool met = !first && line + 1 < s_.lines && sources_[before] == source;
      if (!source) {
        made_[place] = nullptr;
      } else if (met && age_[old] < kAge) {
        made_[place] = made_[old];
        age_[place] = age_[old] + 1;
      } else {
        float* out = values_.data() + place * size_;
        JAXSEG_BY_LEVEL(differences)(source, s_, out);
        made_[place] = out;
        age_[place] = 0;
      }
    }
  }

  // Of each line; null where there is none.
  const float* const* at(int64_t row) const { return &made_[row % rows_ * s_.lines]; }

 private:
  static constexpr int64_t kAge = 2;
  int64_t made_size() const { return rows_ * s_.lines; }

  const Along& s_;
  const std::vector<const float*>& sources_;
  const int64_t rows_, size_;
  std::vector<const float*> made_;
  std::vector<int64_t> age_;
  Floats values_;
};

// The kernel of convolve(), [features / 16][line][tap][channel][16], as the tiles read it.
Floats products_of(const Along& s, const std::vector<float>& kernel, Threads threads) {
  const int64_t size = s.channels * 16;
  const bool at_once = level() == Level::avx512;
  const int64_t along_channels = at_once ? kProducts * 16 : 16;
  const int64_t along_products = at_once ? 16 : s.lines * size;
  const int64_t along_lines = along_channels * s.channels;
  Floats made(s.features / 16 * s.lines * size * kProducts);
  for_parts(threads, s.features / 16 * s.lines, [&](int64_t part) {
    const float* taps = &kernel[part * 3 * size];
    float* out = made.data() + part / s.lines * s.lines * size * kProducts + part % s.lines * along_lines;
    for (int64_t c = 0; c < s.channels; ++c, taps += 16, out += along_channels)
      for (int64_t k = 0; k < 16; ++k) {
        const float u = taps[k], v = taps[size + k], w = taps[2 * size + k];
        out[k] = u;
        out[along_products + k] = (u + v + w) / 2;
        out[2 * along_products + k] = (u - v + w) / 2;
        out[3 * along_products + k] = w;
      }
  });
  return made;
}

}  // namespace

bool suits_pairs(const Along& s) {
  // Of blocks beyond the end of a row much would be computed in vain.
  return level() != Level::base && s.taps == 3 && s.channels % 16 == 0 && s.features % 16 == 0 &&
         9 * blocks_of(s.width) * kPixels <= 11 * s.width;
}

void convolve_pairs(const Along& s, const std::vector<const float*>& sources,
                    const std::vector<float>& kernel, const float* bias,
                    const std::vector<float*>& results, Threads threads, Activation activation) {
  const Floats products = products_of(s, kernel, threads);
  const int64_t next = blocks_of(s.width) * kBlock;
  const auto tile = JAXSEG_BY_LEVEL(tile);
  for_ranges(threads, s.rows, [&](Range range) {
    Met met(s, sources, 1);
    std::vector<float> few(kPixels * s.features);
    for (int64_t row = range.from; row < range.to; ++row) {
      met.meet(row, row == range.from);
      for (int64_t x = 0; x < s.width; x += kPixels) {
        const int64_t pixels = std::min<int64_t>(kPixels, s.width - x);
        float* here = results[row] + x * s.features;
        float* out = pixels == kPixels ? here : few.data();
        for (int64_t k = 0; k < s.features; k += 16)
          tile(met.at(row), x / kPixels * kBlock, next, s,
               products.data() + k * s.lines * s.channels * kProducts, bias + k, out + k);
        activated(out, pixels * s.features, activation);
        if (out != here) std::copy(out, out + pixels * s.features, here);
      }
    }
  });
}

void correlate_pairs(const Along& s, const std::vector<const float*>& images,
                     const std::vector<const float*>& changes, float* gradient, Threads threads) {
  const int64_t sixteens = s.features / 16, blocks = blocks_of(s.width), size = blocks * kBlock;
  // Sums of a product: [line][product][features / 16][channels][16].
  auto place = [&](int64_t line, int64_t product, int64_t k, int64_t c) {
    return (((line * kProducts + product) * sixteens + k) * s.channels + c) * 16;
  };
  const int64_t together = std::max<int64_t>(1, kTogether / blocks);
  const auto sums = JAXSEG_BY_LEVEL(sums);
  const auto add_products = JAXSEG_BY_LEVEL(add);
  auto add = [&](Range rows, Range some, float* total) {
    Met met(s, images, together);
    const int64_t row_size = (some.to - some.from) * size;
    Floats change(together * row_size);
    std::vector<const float*> x(together), d(together);
    for (int64_t from = rows.from; from < rows.to; from += together) {
      const int64_t to = std::min(from + together, rows.to);
      for (int64_t row = from; row < to; ++row) {
        met.meet(row, row == rows.from);
        sums(changes[row * s.lines], s, some, change.data() + (row - from) * row_size);
      }
      for (int64_t line = 0; line < s.lines; ++line)
        for (int64_t product = 0; product < kProducts; ++product)
          for (int64_t k = some.from; k < some.to; ++k)
            for (int64_t c = 0; c < s.channels; c += 16) {
              int64_t count = 0;
              for (int64_t row = from; row < to; ++row) {
                const float* image = met.at(row)[line];
                if (!image) continue;
                x[count] = image + c / 16 * size + product * kPairs * 16;
                d[count++] = change.data() + (row - from) * row_size + (k - some.from) * size +
                             product * kPairs * 16;
              }
              add_products(x.data(), d.data(), count, blocks, total + place(line, product, k, c));
            }
    }
  };
  const int64_t all = s.lines * kProducts * s.channels * s.features;
  const std::vector<float> found = summed(s, all, threads, add);
  for_parts(threads, s.lines, [&](int64_t line) {
    for (int64_t c = 0; c < s.channels; ++c)
      for (int64_t f = 0; f < s.features; ++f) {
        auto of = [&](int64_t product) { return found[place(line, product, f / 16, c) + f % 16]; };
        const float both = (of(1) + of(2)) / 2;
        float* out = gradient + (line * 3 * s.channels + c) * s.features + f;
        out[0] = of(0) + both;
        out[s.channels * s.features] = (of(1) - of(2)) / 2;
        out[2 * s.channels * s.features] = both - of(3);
      }
  });
}
#else
bool suits_pairs(const Along&) { return false; }

void convolve_pairs(const Along&, const std::vector<const float*>&, const std::vector<float>&,
                    const float*, const std::vector<float*>&, Threads, Activation) {}

void correlate_pairs(const Along&, const std::vector<const float*>&,
                     const std::vector<const float*>&, float*, Threads) {}
#endif

}  // namespace jaxseg
