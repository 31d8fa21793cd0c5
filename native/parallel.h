// Work cut into parts whose number does not depend on the threads, so that results do not either.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "xla/ffi/api/ffi.h"

namespace jaxseg {

using Pool = xla::ffi::ThreadPool;

// Threads that a kernel may use, its own among them. The others are of XLA's pool, which computes all
// that XLA does at the same time: to start threads takes longer than most kernels, and threads beside
// the pool would keep its own from the cores.
struct Threads {
  Pool pool;
  int64_t count;
};

// Those who are at one piece of work.
class Company {
 public:
  // A thread that comes late does nothing, since what the work needs may be gone.
  template <class Work>
  void join(const Work& work) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!open_) return;
      ++busy_;
    }
    work();
    std::lock_guard<std::mutex> lock(mutex_);
    if (--busy_ == 0) left_.notify_one();
  }

  // Lets nobody in any more and waits for those who are; to sleep first would take longer than they do.
  void close() {
    std::unique_lock<std::mutex> lock(mutex_);
    open_ = false;
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(50);
    while (busy_ > 0 && std::chrono::steady_clock::now() < end) {
      lock.unlock();
      std::this_thread::yield();
      lock.lock();
    }
    left_.wait(lock, [&] { return busy_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable left_;
  int64_t busy_ = 0;
  bool open_ = true;
};

// Calls work(part) for every part, each once.
template <class Work>
void for_parts(Threads threads, int64_t parts, const Work& work) {
  std::atomic<int64_t> next{0};
  auto run = [&] {
    for (int64_t part; (part = next.fetch_add(1)) < parts;) work(part);
  };
  const int64_t others = (threads.count < parts ? threads.count : parts) - 1;
  if (others < 1) return run();
  auto company = std::make_shared<Company>();
  for (int64_t i = 0; i < others; ++i)
    threads.pool.Schedule([company, &run] { company->join(run); });
  run();
  company->close();
}

struct Range {
  int64_t from, to;
};

inline Range part_of(int64_t total, int64_t part, int64_t parts) {
  return {total * part / parts, total * (part + 1) / parts};
}

// Calls work(range) for ranges that make up the total, a few for each thread, so that all end together;
// only for what does not depend on the ranges.
template <class Work>
void for_ranges(Threads threads, int64_t total, const Work& work) {
  const int64_t wanted = 4 * (threads.count > 1 ? threads.count : 1);
  const int64_t parts = total < wanted ? total : wanted;
  for_parts(threads, parts, [&](int64_t part) { work(part_of(total, part, parts)); });
}

}  // namespace jaxseg
