// Many additions of affine points of G1 that do not depend on each other, at the price of 5
// products, one square and a share of one inversion each: less than any single addition costs.
#pragma once

#include <cstddef>
#include <memory>

#include "bls12_381/g1.h"

namespace slipway::bls12_381 {

// An affine point in 96 bytes, as tables and batches hold it. Infinity is (0, 0), which is on no
// curve of ours; no point of G1's curve has y = 0, for none has order two.
struct G1Entry {
  Fp x, y;

  static constexpr G1Entry Identity() { return {Fp::Zero(), Fp::Zero()}; }
  static G1Entry FromAffine(const G1Affine& a) {
    return a.infinity ? Identity() : G1Entry{a.x, a.y};
  }
  G1Affine ToAffine() const { return {x, y, IsIdentity()}; }
  bool IsIdentity() const { return y.IsZero(); }

  friend G1Entry operator-(const G1Entry& a) { return {a.x, -a.y}; }
  friend bool operator==(const G1Entry& a, const G1Entry& b) { return a.x == b.x && a.y == b.y; }
  friend bool operator!=(const G1Entry& a, const G1Entry& b) { return !(a == b); }
};

// Thread-compatible; keep one a thread and use it again, it holds 200 kB. Each pair is classified
// (K69): infinite, equal and opposite points are right.
//
// Operands are read by Add, sums are written by Flush or by any Add before it. So a sum may be
// written over operands that an earlier or the same Add has read, and an operand must not be the
// sum of an Add since the last Flush.
class BatchAdder {
 public:
  // So many additions share an inversion.
  static constexpr size_t kPairs = 512;

  BatchAdder();
  ~BatchAdder();
  BatchAdder(const BatchAdder&) = delete;
  BatchAdder& operator=(const BatchAdder&) = delete;

  // *out = a + b.
  void Add(const G1Entry& a, const G1Entry& b, G1Entry* out) { Add(a, false, b, false, out); }
  // *out = (negate_a ? -a : a) + (negate_b ? -b : b).
  void Add(const G1Entry& a, bool negate_a, const G1Entry& b, bool negate_b, G1Entry* out);
  // *out = 2a.
  void Double(const G1Entry& a, G1Entry* out) { Add(a, a, out); }
  // All sums are written when it returns.
  void Flush();

 private:
  struct Queue;
  std::unique_ptr<Queue> queue_;
};

}  // namespace slipway::bls12_381
