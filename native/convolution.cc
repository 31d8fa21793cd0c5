// Convolutions with odd kernels, stride 1 and zeros around the image, channels last, float32: the
// result, the gradient of the image, and the gradient of the kernel.

#include <cstdint>
#include <utility>
#include <vector>

#include "handlers.h"
#include "rows.h"

namespace ffi = xla::ffi;

namespace jaxseg {
namespace {

struct Shape {
  int64_t n, depth, height, width, channels, features, taps_z, taps_y, taps_x;
  int64_t rows() const { return n * depth * height; }
  Along along() const { return {rows(), taps_z * taps_y, taps_x, width, channels, features}; }
};

std::vector<const float*> sources(const Shape& s, const float* image) {
  return neighbours(image, s.n, s.depth, s.height, s.width * s.channels, s.taps_z, s.taps_y);
}

void convolved(const Shape& s, const float* image, const std::vector<float>& kernel,
               const float* bias, float* result, Threads threads, Activation activation = kNone) {
  std::vector<float*> results(s.rows());
  for (int64_t row = 0; row < s.rows(); ++row) results[row] = result + row * s.width * s.features;
  convolve(s.along(), sources(s, image), kernel, bias, results, threads, activation);
}

// --------------------------------------------------------------------------------------- handlers

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

ffi::Error Activated(Image image, Image kernel, Image bias, ffi::Result<Image> result,
                     Pool pool, int64_t count, int64_t activation) {
  Shape s;
  if (!known(activation)) return refuse();
  if (!fits(image.dimensions(), kernel.dimensions(), result->dimensions(), &s) ||
      !is_vector(bias.dimensions(), s.features))
    return refuse();
  const float* k = kernel.typed_data();
  auto weight = [&](int64_t t, int64_t c, int64_t f) { return k[(t * s.channels + c) * s.features + f]; };
  convolved(s, image.typed_data(), packed(s.along(), {pool, count}, weight), bias.typed_data(),
            result->typed_data(), {pool, count}, static_cast<Activation>(activation));
  return ffi::Error::Success();
}

ffi::Error Forward(Image image, Image kernel, Image bias, ffi::Result<Image> result,
                   Pool pool, int64_t count) {
  return Activated(image, kernel, bias, result, pool, count, kNone);
}

ffi::Error OfImage(Image change, Image kernel, ffi::Result<Image> gradient, Pool pool, int64_t count) {
  Shape s;
  if (!fits(gradient->dimensions(), kernel.dimensions(), change.dimensions(), &s))
    return refuse();
  const float* k = kernel.typed_data();
  const int64_t last = s.along().positions() - 1;
  // The gradient is a convolution with the kernel turned round, from features to channels.
  auto weight = [&](int64_t t, int64_t f, int64_t c) {
    return k[((last - t) * s.channels + c) * s.features + f];
  };
  Shape turned = s;
  std::swap(turned.channels, turned.features);
  convolved(turned, change.typed_data(), packed(turned.along(), {pool, count}, weight), nullptr,
            gradient->typed_data(), {pool, count});
  return ffi::Error::Success();
}

ffi::Error OfKernel(Image image, Image change, ffi::Result<Image> gradient, Pool pool, int64_t count) {
  Shape s;
  if (!fits(image.dimensions(), gradient->dimensions(), change.dimensions(), &s))
    return refuse();
  const int64_t lines = s.along().lines;
  std::vector<const float*> changes(s.rows() * lines);
  for (int64_t i = 0; i < s.rows() * lines; ++i)
    changes[i] = change.typed_data() + i / lines * s.width * s.features;
  correlate(s.along(), sources(s, image.typed_data()), changes, gradient->typed_data(), {pool, count});
  return ffi::Error::Success();
}

}  // namespace
}  // namespace jaxseg

JAXSEG_CONVOLUTION(jaxseg_conv)
JAXSEG_CONVOLUTION_ACTIVATED(jaxseg_conv)
