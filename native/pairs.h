// Convolutions of three taps in two thirds of the products, where they suit; see rows.h for the rest.
#pragma once

#include <cstdint>
#include <vector>

#include "rows.h"

namespace jaxseg {

bool suits_pairs(const Along& s);

// As convolve(); no bias is null.
void convolve_pairs(const Along& s, const std::vector<const float*>& sources,
                    const std::vector<float>& kernel, const float* bias,
                    const std::vector<float*>& results, Threads threads, Activation activation);

// As correlate(); all lines of a row have the same change.
void correlate_pairs(const Along& s, const std::vector<const float*>& images,
                     const std::vector<const float*>& changes, float* gradient, Threads threads);

}  // namespace jaxseg
