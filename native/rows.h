// Convolutions along the rows of an image: each row of the result is a sum over some rows of the input,
// the lines of a kernel, each of them convolved along itself. Who calls chooses the rows, so that the
// same kernels compute convolutions, transposed convolutions and the gradients of both.
#pragma once

#include <cstdint>
#include <vector>

#include "parallel.h"

namespace jaxseg {

// Rows of the result, lines of the kernel, taps of a line, pixels of a row, and channels.
struct Along {
  int64_t rows, lines, taps, width, channels, features;
  int64_t positions() const { return lines * taps; }
  int64_t weights() const { return positions() * channels * features; }
};

inline int64_t whole_sixteens(int64_t count) { return (count + 15) / 16 * 16; }

// A kernel as convolve() reads it, [features / 16][position][channels][16], with zeros for the
// features that a multiple of sixteen has more; weight(position, channel, feature).
template <class Weight>
std::vector<float> packed(const Along& s, int64_t threads, const Weight& weight) {
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
// channels), convolved with zeros beyond its ends; a source outside the image is null, and so is a
// bias of zeros.
void convolve(const Along& s, const std::vector<const float*>& sources,
              const std::vector<float>& kernel, const float* bias,
              const std::vector<float*>& results, int64_t threads);

// gradient (position, channels, features) = the sum over rows of the products of the image row
// images[row * lines + line], moved along itself by the tap, and changes[row * lines + line]; an image
// row outside the image is null.
void correlate(const Along& s, const std::vector<const float*>& images,
               const std::vector<const float*>& changes, float* gradient, int64_t threads);

}  // namespace jaxseg
