// Transposed convolutions whose kernel equals their stride, channels last, float32: every pixel becomes
// a block of pixels. The result, the gradient of the image, and the gradient of the kernel.
//
// The pixels that one pixel becomes along a row lie side by side in memory, so that a row of the result
// is a convolution with one tap whose features are those of all of them.

#include <cstdint>
#include <vector>

#include "handlers.h"
#include "rows.h"

namespace ffi = xla::ffi;

namespace jaxseg {
namespace {

// Of the image, its channels, those of the result, and how many pixels one becomes.
struct Shape {
  int64_t n, depth, height, width, channels, features, along_z, along_y, along_x;
  int64_t rows() const { return n * depth * height; }
  int64_t lines() const { return along_z * along_y; }
  // Features of all pixels along a row that one pixel becomes.
  int64_t wide() const { return along_x * features; }
  // Place in a kernel (*k, C, K) of what a line, a channel and one of the wide features share.
  int64_t weight(int64_t line, int64_t c, int64_t k) const {
    return ((line * along_x + k / features) * channels + c) * features + k % features;
  }
};

bool fits(Sizes image, Sizes kernel, Sizes result, Shape* s) {
  const size_t rank = image.size();
  if ((rank != 4 && rank != 5) || kernel.size() != rank || result.size() != rank) return false;
  for (size_t axis = 0; axis < rank; ++axis)
    if (image[axis] < 1 || kernel[axis] < 1) return false;
  for (size_t axis = 1; axis + 1 < rank; ++axis)
    if (result[axis] != image[axis] * kernel[axis - 1]) return false;
  const bool deep = rank == 5;
  *s = {image[0],        deep ? image[1] : 1,   image[rank - 3],
        image[rank - 2], image[rank - 1],       result[rank - 1],
        deep ? kernel[0] : 1, kernel[rank - 4], kernel[rank - 3]};
  return image[0] == result[0] && kernel[rank - 2] == s->channels &&
         kernel[rank - 1] == s->features;
}

// The row of the result that a line of a row of the image becomes.
template <class Value>
Value* becomes(const Shape& s, Value* result, int64_t row, int64_t line) {
  const int64_t z = row / s.height * s.along_z + line / s.along_y;
  const int64_t y = row % s.height * s.along_y + line % s.along_y;
  return result + (z * s.height * s.along_y + y) * s.width * s.wide();
}

template <class Value>
std::vector<Value*> all_of(const Shape& s, Value* result) {
  std::vector<Value*> rows(s.rows() * s.lines());
  for (int64_t i = 0; i < s.rows() * s.lines(); ++i)
    rows[i] = becomes(s, result, i / s.lines(), i % s.lines());
  return rows;
}

ffi::Error Activated(Image image, Image kernel, Image bias, ffi::Result<Image> result,
                     Pool pool, int64_t count, int64_t activation) {
  Shape s;
  if (!known(activation)) return refuse();
  if (!fits(image.dimensions(), kernel.dimensions(), result->dimensions(), &s) ||
      !is_vector(bias.dimensions(), s.features))
    return refuse();
  std::vector<const float*> sources(s.rows());
  std::vector<float*> results(s.rows());
  std::vector<float> shift(s.wide());
  for (int64_t k = 0; k < s.wide(); ++k) shift[k] = bias.typed_data()[k % s.features];
  for (int64_t row = 0; row < s.rows(); ++row)
    sources[row] = image.typed_data() + row * s.width * s.channels;
  const Along along{s.rows(), 1, 1, s.width, s.channels, s.wide()};
  for (int64_t line = 0; line < s.lines(); ++line) {
    for (int64_t row = 0; row < s.rows(); ++row)
      results[row] = becomes(s, result->typed_data(), row, line);
    auto weight = [&](int64_t, int64_t c, int64_t k) {
      return kernel.typed_data()[s.weight(line, c, k)];
    };
    convolve(along, sources, packed(along, {pool, count}, weight), shift.data(), results, {pool, count},
             static_cast<Activation>(activation));
  }
  return ffi::Error::Success();
}

ffi::Error Forward(Image image, Image kernel, Image bias, ffi::Result<Image> result,
                   Pool pool, int64_t count) {
  return Activated(image, kernel, bias, result, pool, count, kNone);
}

ffi::Error OfImage(Image change, Image kernel, ffi::Result<Image> gradient, Pool pool, int64_t count) {
  Shape s;
  if (!fits(gradient->dimensions(), kernel.dimensions(), change.dimensions(), &s)) return refuse();
  std::vector<float*> results(s.rows());
  for (int64_t row = 0; row < s.rows(); ++row)
    results[row] = gradient->typed_data() + row * s.width * s.channels;
  const Along along{s.rows(), s.lines(), 1, s.width, s.wide(), s.channels};
  auto weight = [&](int64_t line, int64_t k, int64_t c) {
    return kernel.typed_data()[s.weight(line, c, k)];
  };
  convolve(along, all_of<const float>(s, change.typed_data()), packed(along, {pool, count}, weight),
           nullptr, results, {pool, count});
  return ffi::Error::Success();
}

ffi::Error OfKernel(Image image, Image change, ffi::Result<Image> gradient, Pool pool, int64_t count) {
  Shape s;
  if (!fits(image.dimensions(), gradient->dimensions(), change.dimensions(), &s)) return refuse();
  std::vector<const float*> images(s.rows() * s.lines());
  for (int64_t i = 0; i < s.rows() * s.lines(); ++i)
    images[i] = image.typed_data() + i / s.lines() * s.width * s.channels;
  const Along along{s.rows(), s.lines(), 1, s.width, s.channels, s.wide()};
  std::vector<float> sums(along.weights());
  const std::vector<const float*> changes = all_of<const float>(s, change.typed_data());
  correlate(along, images, changes, sums.data(), {pool, count});
  for (int64_t line = 0; line < s.lines(); ++line)
    for (int64_t c = 0; c < s.channels; ++c)
      for (int64_t k = 0; k < s.wide(); ++k)
        gradient->typed_data()[s.weight(line, c, k)] = sums[(line * s.channels + c) * s.wide() + k];
  return ffi::Error::Success();
}

}  // namespace
}  // namespace jaxseg

JAXSEG_CONVOLUTION(jaxseg_spread)
JAXSEG_CONVOLUTION_ACTIVATED(jaxseg_spread)
