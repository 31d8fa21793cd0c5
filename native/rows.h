// Convolutions along the rows of an image: each row of the result is a sum over some rows of the input,
// the lines of a kernel, each of them convolved along itself. Who calls chooses the rows, so that the
// same kernels compute convolutions, transposed convolutions and the gradients of both.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "activation.h"
#include "parallel.h"

namespace jaxseg {

// Rows of the result, lines of the kernel, taps of a line, pixels of a row, and channels.
struct Along {
  int64_t rows, lines, taps, width, channels, features;
  int64_t positions() const { return lines * taps; }
  int64_t weights() const { return positions() * channels * features; }
};

inline int64_t whole_sixteens(int64_t count) { return (count + 15) / 16 * 16; }

// For each row of an image (n, depth, height, row_size) and each line of a kernel (taps_z, taps_y)
// around it, the row that they meet; null outside the image.
inline std::vector<const float*> neighbours(const float* image, int64_t n, int64_t depth,
                                            int64_t height, int64_t row_size, int64_t taps_z,
                                            int64_t taps_y) {
  std::vector<const float*> rows;
  rows.reserve(n * depth * height * taps_z * taps_y);
  for (int64_t row = 0; row < n * depth * height; ++row)
    for (int64_t a = 0; a < taps_z; ++a)
      for (int64_t b = 0; b < taps_y; ++b) {
        const int64_t z = row / height % depth + a - taps_z / 2;
        const int64_t y = row % height + b - taps_y / 2;
        const int64_t met = (row / height / depth * depth + z) * height + y;
        const bool inside = z >= 0 && z < depth && y >= 0 && y < height;
        rows.push_back(inside ? image + met * row_size : nullptr);
      }
  return rows;
}

// The input of `pixels` pixels of a row of the result from x on, for each line, from the leftmost pixel
// that the kernel meets, with `stride` floats for each pixel. Where that is more than the channels, and
// at the ends of the row, it is a copy, with zeros, in `edge`, which has room for
// lines * (pixels + taps - 1) * stride.
inline void window(const Along& s, const float* const* source, int64_t x, int64_t pixels,
                   int64_t stride, float* edge, const float** rows) {
  const int64_t side = s.taps / 2, wide = pixels + s.taps - 1;
  const bool inside = x >= side && x - side + wide <= s.width && stride == s.channels;
  for (int64_t i = 0; i < s.lines; ++i) {
    if (!source[i] || inside) {
      rows[i] = source[i] ? source[i] + (x - side) * s.channels : nullptr;
      continue;
    }
    float* copy = edge + i * wide * stride;
    const int64_t from = std::max<int64_t>(0, x - side);
    const int64_t to = std::min(s.width, x - side + wide);
    std::fill(copy, copy + (from - x + side) * stride, 0.f);
    std::fill(copy + (to - x + side) * stride, copy + wide * stride, 0.f);
    for (int64_t p = from; p < to; ++p)
      std::memcpy(copy + (p - x + side) * stride, source[i] + p * s.channels,
                  s.channels * sizeof(float));
    rows[i] = copy;
  }
}

// A kernel as convolve() reads it, [features / 16][position][channels][16], with zeros for the
// features that a multiple of sixteen has more; weight(position, channel, feature).
template <class Weight>
std::vector<float> packed(const Along& s, Threads threads, const Weight& weight) {
  const int64_t features = whole_sixteens(s.features);
  std::vector<float> kernel(s.positions() * s.channels * features);
  for_parts(threads, features / 16, [&](int64_t part) {
    float* place = &kernel[part * s.positions() * s.channels * 16];
    const int64_t most = s.features - 16 * part < 16 ? s.features - 16 * part : 16;
    for (int64_t p = 0; p < s.positions(); ++p)
      for (int64_t c = 0; c < s.channels; ++c, place += 16)
        for (int64_t k = 0; k < most; ++k) place[k] = weight(p, c, 16 * part + k);
  });
  return kernel;
}

// results[row] (width, features) = bias + the sum over lines of sources[row * lines + line] (width,
// channels), convolved with zeros beyond its ends, then the activation; a source outside the image is
// null, and so is a bias of zeros.
void convolve(const Along& s, const std::vector<const float*>& sources,
              const std::vector<float>& kernel, const float* bias,
              const std::vector<float*>& results, Threads threads, Activation activation = kNone);

// The activation of values that have just been computed and are still in the cache.
void activated(float* values, int64_t size, Activation activation);

// gradient (position, channels, features) = the sum over rows of the products of the image row
// images[row * lines + line], moved along itself by the tap, and changes[row * lines + line]; an image
// row outside the image is null.
void correlate(const Along& s, const std::vector<const float*>& images,
               const std::vector<const float*>& changes, float* gradient, Threads threads);

// Parts that the gradient of a kernel is added up in at most, and pixels of one at least: each holds
// a kernel of its own, and to add them up must cost little.
constexpr int64_t kParts = 16;
constexpr int64_t kPartPixels = 2048;

// So many sums over all rows: add(rows, sixteens, sums) adds those of some rows for some times sixteen
// features. Parts do not depend on the threads, and are added up in their order.
template <class Add>
std::vector<float> summed(const Along& s, int64_t size, Threads threads, const Add& add) {
  const int64_t sixteens = whole_sixteens(s.features) / 16;
  const int64_t parts = std::min({kParts, s.rows, 1 + s.rows * s.width / kPartPixels});
  // Few parts are cut by features, too, so that there is work for as many threads.
  const int64_t twos = (sixteens + 1) / 2;
  const int64_t cuts = std::min(twos, (kParts + parts - 1) / parts);
  std::vector<std::vector<float>> totals(parts, std::vector<float>(size));
  for_parts(threads, parts * cuts, [&](int64_t work) {
    const Range some = part_of(twos, work % cuts, cuts);
    add(part_of(s.rows, work / cuts, parts),
        Range{2 * some.from, std::min(2 * some.to, sixteens)}, totals[work / cuts].data());
  });
  constexpr int64_t kPieces = 16;
  for_parts(threads, kPieces, [&](int64_t piece) {
    const Range range = part_of(size, piece, kPieces);
    for (int64_t i = range.from; i < range.to; ++i) {
      double sum = 0;
      for (const auto& total : totals) sum += total[i];
      totals[0][i] = static_cast<float>(sum);
    }
  });
  return std::move(totals[0]);
}

}  // namespace jaxseg
