// Work cut into parts whose number does not depend on the threads, so that results do not either.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace jaxseg {

// Calls work(part) for every part, each once, on up to so many threads, this one among them.
template <class Work>
void for_parts(int64_t threads, int64_t parts, const Work& work) {
  std::atomic<int64_t> next{0};
  auto run = [&] {
    for (int64_t part; (part = next.fetch_add(1)) < parts;) work(part);
  };
  if (threads > parts) threads = parts;
  std::vector<std::thread> others;
  for (int64_t i = 1; i < threads; ++i) {
    // A process that may start no more threads computes with those that it has.
    try {
      others.emplace_back(run);
    } catch (...) {
      break;
    }
  }
  run();
  for (auto& other : others) other.join();
}

struct Range {
  int64_t from, to;
};

inline Range part_of(int64_t total, int64_t part, int64_t parts) {
  return {total * part / parts, total * (part + 1) / parts};
}

}  // namespace jaxseg
