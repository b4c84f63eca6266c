// BLAKE3 (the paper and reference of the BLAKE3 team, 2021-11). Z81-Z83.
// Thread-compatible. Three modes: plain, keyed (32-byte key), derive-key (context string).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "base/bytes.h"

namespace slipway::base {

class Pool;

using Blake3Digest = std::array<uint8_t, 32>;

enum class Blake3Kernel : uint8_t { kPortable, kSse41, kAvx2, kAvx512 };

// The kernels this processor can run, slowest first; the last one is used unless ForceBlake3Kernel
// was called. Forcing is for tests and benchmarks: process-wide, not thread-safe against hashing.
absl::Span<const Blake3Kernel> Blake3Kernels();
void ForceBlake3Kernel(Blake3Kernel kernel);
absl::string_view Blake3KernelName(Blake3Kernel kernel);

class Blake3 {
 public:
  Blake3();  // plain
  static Blake3 Keyed(const std::array<uint8_t, 32>& key);
  static Blake3 DeriveKey(absl::string_view context);  // then Update with the key material
  Blake3(const Blake3&);
  Blake3& operator=(const Blake3&);
  Blake3(Blake3&&) noexcept;
  Blake3& operator=(Blake3&&) noexcept;
  ~Blake3();

  void Update(BytesView data);
  // The same result, the work on large `data` shared with `pool`; the caller helps and waits, so it
  // must not be a job of that pool.
  void UpdateParallel(BytesView data, Pool& pool);
  // Does not change the state: more Update calls may follow.
  Blake3Digest Finish() const;
  // Bytes [seek, seek + out.size()) of the extended output.
  void FinishXof(uint64_t seek_bytes, absl::Span<uint8_t> out) const;

 private:
  struct State;
  explicit Blake3(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

Blake3Digest Blake3Of(BytesView data);
// One large buffer (also a mapped file), by all threads of `pool` and the caller.
Blake3Digest Blake3Of(BytesView data, Pool& pool);

}  // namespace slipway::base
