// The three handlers that each kind of convolution has: (image, kernel, bias) to the result, (change,
// kernel) to the gradient of the image, (image, change) to the gradient of the kernel.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "parallel.h"
#include "xla/ffi/api/ffi.h"

namespace jaxseg {

using Image = xla::ffi::Buffer<xla::ffi::F32>;
using Sizes = xla::ffi::AnyBuffer::Dimensions;

inline xla::ffi::Error refuse(const char* parts = "image, kernel, bias and result") {
  return xla::ffi::Error(xla::ffi::ErrorCode::kInvalidArgument,
                         std::string(parts) + " do not belong together");
}

inline bool same(Sizes a, Sizes b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin());
}

inline bool is_vector(Sizes sizes, int64_t length) {
  return sizes.size() == 1 && sizes[0] == length;
}

}  // namespace jaxseg

#define JAXSEG_OF_TWO(NAME, FUNCTION)                             \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(NAME, FUNCTION,                   \
                                xla::ffi::Ffi::Bind()             \
                                    .Arg<jaxseg::Image>()         \
                                    .Arg<jaxseg::Image>()         \
                                    .Ret<jaxseg::Image>()         \
                                    .Ctx<jaxseg::Pool>()          \
                                    .Attr<int64_t>("threads"))
#define JAXSEG_CONVOLUTION(NAME)                                  \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(NAME, jaxseg::Forward,            \
                                xla::ffi::Ffi::Bind()             \
                                    .Arg<jaxseg::Image>()         \
                                    .Arg<jaxseg::Image>()         \
                                    .Arg<jaxseg::Image>()         \
                                    .Ret<jaxseg::Image>()         \
                                    .Ctx<jaxseg::Pool>()          \
                                    .Attr<int64_t>("threads"));   \
  JAXSEG_OF_TWO(NAME##_of_image, jaxseg::OfImage);                \
  JAXSEG_OF_TWO(NAME##_of_kernel, jaxseg::OfKernel);
// A fourth one that computes the activation, too, for networks that do not learn.
#define JAXSEG_CONVOLUTION_ACTIVATED(NAME)                              \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(NAME##_activated, jaxseg::Activated,    \
                                xla::ffi::Ffi::Bind()                   \
                                    .Arg<jaxseg::Image>()               \
                                    .Arg<jaxseg::Image>()               \
                                    .Arg<jaxseg::Image>()               \
                                    .Ret<jaxseg::Image>()               \
                                    .Ctx<jaxseg::Pool>()                \
                                    .Attr<int64_t>("threads")           \
                                    .Attr<int64_t>("activation"));
