#include "bls12_381/batch_affine.h"

#include <algorithm>
#include <array>

#include "absl/types/span.h"
#include "base/mutant.h"
#include "bls12_381/batch_affine_ifma.h"

namespace slipway::bls12_381 {
namespace {

using absl::MakeSpan;

// Below so many elements a batch product is not worth its set-up.
constexpr size_t kSerial = 8;

// Montgomery's trick on one to kSerial elements, none of them zero.
void InvertFew(absl::Span<Fp> values) {
  std::array<Fp, kSerial> before;
  Fp product = Fp::One();
  for (size_t i = 0; i < values.size(); ++i) {
    before[i] = product;
    product *= values[i];
  }
  Fp inverse = product.Inverse();
  for (size_t i = values.size(); i-- > 0;) {
    const Fp rest = inverse * values[i];
    values[i] = inverse * before[i];
    inverse = rest;
  }
}

// The trick as a tree, so that all products of a level are independent: element i of a level times
// element i of its upper half is element i of the next level. None of `values` is zero; `next` has
// room for all levels above, `products` for half a level.
void InvertTree(absl::Span<Fp> values, Fp* next, absl::Span<Fp> products) {
  if (values.size() <= kSerial) return InvertFew(values);
  const size_t half = values.size() / 2;
  const absl::Span<Fp> low = values.first(half);
  const absl::Span<Fp> high = values.subspan(half, half);
  const absl::Span<Fp> above = MakeSpan(next, values.size() - half);
  MulBatch(above.first(half), low, high);
  if (above.size() > half) above[half] = values.back();
  InvertTree(above, next + above.size(), products);
  const absl::Span<Fp> low_inverses = products.first(half);
  MulBatch(low_inverses, above.first(half), high);
  MulBatch(high, above.first(half), low);
  std::copy(low_inverses.begin(), low_inverses.end(), low.begin());
  if (above.size() > half) values.back() = above[half];
}

}  // namespace

// Pairs that need the formula, side by side: the slope is numerator / denominator.
struct BatchAdder::Queue {
  size_t count = 0;
  std::array<Fp, kPairs> denominator, numerator, x, y, x_sum;
  std::array<Fp, kPairs> slope_squared;
  std::array<Fp, kPairs + 64> tree;  // each level is half of the last one, rounded up
  std::array<G1Entry*, kPairs> out;
#if defined(__x86_64__)
  internal::AffineScratch lanes;

  void FlushLanes();
#endif
};

#if defined(__x86_64__)
// All in the vector back end; the last lanes are filled up with harmless pairs.
void BatchAdder::Queue::FlushLanes() {
  constexpr size_t kLanes = 8;
  static_assert(kPairs % kLanes == 0);
  static_assert(kPairs / kLanes <= internal::AffineScratch::kBlocksMax);
  const size_t blocks = (count + kLanes - 1) / kLanes;
  G1Entry nowhere;
  for (size_t i = count; i < blocks * kLanes; ++i) {
    denominator[i] = Fp::One();
    numerator[i] = x[i] = y[i] = x_sum[i] = Fp::Zero();
    out[i] = &nowhere;
  }
  internal::AffineSumsIfma(
      {denominator.data(), numerator.data(), x.data(), y.data(), x_sum.data(), out.data()}, blocks,
      lanes);
  count = 0;
}
#endif

BatchAdder::BatchAdder() : queue_(std::make_unique<Queue>()) {}
BatchAdder::~BatchAdder() = default;

void BatchAdder::Add(const G1Entry& a, bool negate_a, const G1Entry& b, bool negate_b,
                     G1Entry* out) {
  if (a.IsIdentity()) {
    *out = negate_b ? -b : b;
    return;
  }
  if (b.IsIdentity() && !SLIPWAY_MUTANT("bls-adder-infinity")) {
    *out = negate_a ? -a : a;
    return;
  }
  Queue& queue = *queue_;
  const size_t at = queue.count;
  queue.x[at] = a.x;
  queue.y[at] = negate_a ? -a.y : a.y;
  queue.x_sum[at] = a.x + b.x;
  queue.denominator[at] = b.x - a.x;
  queue.numerator[at] = (negate_b ? -b.y : b.y) - queue.y[at];
  if (queue.denominator[at].IsZero() && !SLIPWAY_MUTANT("bls-adder-same-x")) {
    if (!queue.numerator[at].IsZero()) {  // opposite points
      *out = G1Entry::Identity();
      return;
    }
    const Fp x_squared = a.x.Square();
    queue.numerator[at] = x_squared.Double() + x_squared;
    queue.denominator[at] = queue.y[at].Double();
  }
  queue.out[at] = out;
  if (++queue.count == kPairs) Flush();
}

void BatchAdder::Flush() {
  Queue& queue = *queue_;
  const size_t count = queue.count;
  if (count == 0) return;
#if defined(__x86_64__)
  if (internal::g_use_ifma) return queue.FlushLanes();
#endif
  const auto part = [count](std::array<Fp, kPairs>& values) {
    return MakeSpan(values).first(count);
  };
  const absl::Span<Fp> slope = part(queue.denominator);
  InvertTree(slope, queue.tree.data(), MakeSpan(queue.slope_squared));
  MulBatch(slope, slope, part(queue.numerator));
  SquareBatch(part(queue.slope_squared), slope);
  // Where numerators were there is room now for the distance from x to the new x.
  for (size_t i = 0; i < count; ++i) {
    const Fp x = queue.slope_squared[i] - queue.x_sum[i];
    queue.out[i]->x = x;
    queue.numerator[i] = queue.x[i] - x;
  }
  MulBatch(slope, slope, part(queue.numerator));
  for (size_t i = 0; i < count; ++i) queue.out[i]->y = slope[i] - queue.y[i];
  queue.count = 0;
}

}  // namespace slipway::bls12_381
