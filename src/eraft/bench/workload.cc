#include "eraft/bench/workload.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace slipway::eraft::bench {
namespace {

constexpr uint64_t kPoolBytesMin = 1 << 20;
constexpr uint64_t kReferenceRandomBelow = 1'000'000;

}  // namespace

uint64_t Numbers::Next() {  // splitmix64
  uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

NamedKeys::NamedKeys(const NamedKeysOptions& options)
    : options_(options), numbers_(options.seed), next_(options.first) {
  pool_.resize(std::max(kPoolBytesMin, 2 * options_.value_bytes));
  for (char& byte : pool_) byte = static_cast<char>(numbers_.Next() >> 56);
}

Request NamedKeys::Next(uint64_t /*client*/, uint64_t /*number*/) {
  Request request;
  uint64_t key = next_;
  if (options_.in_order) {
    next_ += options_.step;
  } else {
    key = numbers_.Next();
  }
  request.key = absl::StrFormat("key-%08d", key % options_.keys);
  request.write = numbers_.Below(100) >= static_cast<uint64_t>(options_.reads_percent);
  if (request.write) {
    const uint64_t begin = numbers_.Below(pool_.size() - options_.value_bytes + 1);
    request.value = pool_.substr(begin, options_.value_bytes);
  }
  return request;
}

Request ReferenceKeys::Next(uint64_t client, uint64_t number) {
  const std::string letter(1, static_cast<char>('a' + numbers_.Below(26)));
  const uint64_t random = numbers_.Below(kReferenceRandomBelow);
  return {.write = true,
          .key = absl::StrCat(letter, "-key-", client, "-", number, "-", random),
          .value = absl::StrCat("value-", client, "-", number, "-", random)};
}

}  // namespace slipway::eraft::bench
