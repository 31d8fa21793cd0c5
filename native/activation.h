// The activations of the networks, as loops that the compiler makes vectors of.
#pragma once

#include <cstdint>
#include <cstring>

#include "vectors.h"

// The same loop for each kind of processor; the dynamic linker chooses.
#if defined(__x86_64__) && defined(__linux__) && !defined(JAXSEG_ONE_KIND)
#define JAXSEG_KINDS __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define JAXSEG_KINDS
#endif

namespace jaxseg {

// exp for x <= 0, within 2 units in the last place (the reduction and polynomial of Cephes).
JAXSEG_INLINE float exp_of_negative(float x) {
  x = x < -87.0f ? -87.0f : x;
  float shifted = x * 1.44269504f + 12582912.0f;
  int32_t power;
  std::memcpy(&power, &shifted, 4);
  const float k = shifted - 12582912.0f;
  float r = x - k * 0.693359375f;
  r = r + k * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  int32_t bits;
  std::memcpy(&bits, &p, 4);
  bits += static_cast<int32_t>(static_cast<uint32_t>(power) << 23);
  std::memcpy(&p, &bits, 4);
  return p;
}

enum Activation { kElu = 0, kRelu = 1, kNone = 2 };

inline bool known(int64_t activation) { return activation >= kElu && activation <= kNone; }

template <int A>
JAXSEG_INLINE float activate(float z) {
  // Not finite values stay what they are, as they do elsewhere.
  if (A == kElu) return z <= 0 ? exp_of_negative(z) - 1.0f : z;
  if (A == kRelu) return z <= 0 ? 0.0f : z;
  return z;
}

}  // namespace jaxseg
