// What a load consists of: which operation on which key comes next. Thread-compatible.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace slipway::eraft::bench {

struct Request {
  bool write = true;  // else a read
  std::string key, value;
};

class Workload {
 public:
  virtual ~Workload() = default;
  // The `number`th request (from 0) of `client` (from 0).
  virtual Request Next(uint64_t client, uint64_t number) = 0;
};

// Numbers that follow from a seed: fast, fit for loads and nothing else.
class Numbers {
 public:
  explicit Numbers(uint64_t seed) : state_(seed) {}
  uint64_t Next();
  // In [0, bound); bound > 0.
  uint64_t Below(uint64_t bound) { return Next() % bound; }

 private:
  uint64_t state_;
};

struct NamedKeysOptions {
  uint64_t keys = 20'000;        // names, over which requests are spread evenly
  uint64_t value_bytes = 256;    // random, so that nothing can compress them
  int reads_percent = 0;         // 0: puts alone; 100: gets alone
  bool in_order = false;         // key after key, to fill a store; else by chance
  uint64_t first = 0, step = 1;  // in_order: of several loads at once, each its own keys
  uint64_t seed = 1;
};

// Puts and gets over a fixed set of names, "key-00000017".
class NamedKeys final : public Workload {
 public:
  explicit NamedKeys(const NamedKeysOptions& options);
  Request Next(uint64_t client, uint64_t number) override;

 private:
  const NamedKeysOptions options_;
  Numbers numbers_;
  uint64_t next_;
  std::string pool_;  // values are pieces of it
};

// The puts of the reference's `bench`: a letter by chance, so that they hit all shards, then
// "-key-<client>-<number>-<random>".
class ReferenceKeys final : public Workload {
 public:
  explicit ReferenceKeys(uint64_t seed) : numbers_(seed) {}
  Request Next(uint64_t client, uint64_t number) override;

 private:
  Numbers numbers_;
};

}  // namespace slipway::eraft::bench
