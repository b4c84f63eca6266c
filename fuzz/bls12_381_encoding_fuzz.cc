// Compressed points: whatever the bytes, an answer; what decodes is on the curve and encodes to the
// same bytes; the subgroup check agrees with multiplication by r. The first byte says what the rest
// is: raw bytes of G1 or G2, or changes to the encoding of a point of the group.
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "base/check.h"
#include "bls12_381/encoding.h"

namespace {

using namespace slipway::bls12_381;  // NOLINT: a program of its own

PointError Decode(const std::vector<uint8_t>& bytes, bool checked, G1Affine* point) {
  return checked ? DecompressG1(bytes, point) : DecompressG1Unchecked(bytes, point);
}
PointError Decode(const std::vector<uint8_t>& bytes, bool checked, G2Affine* point) {
  return checked ? DecompressG2(bytes, point) : DecompressG2Unchecked(bytes, point);
}

template <class F>
void CheckDecoding(const std::vector<uint8_t>& bytes) {
  AffinePoint<F> point;
  AffinePoint<F> checked;
  const PointError error = Decode(bytes, false, &point);
  const PointError full = Decode(bytes, true, &checked);
  if (error != PointError::kOk) {
    SLIPWAY_CHECK(full == error);
    return;
  }
  SLIPWAY_CHECK(point.IsOnCurve());
  std::vector<uint8_t> again(bytes.size());
  Compress(point, absl::MakeSpan(again));
  SLIPWAY_CHECK(again == bytes);
  const bool in_subgroup =
      JacobianPoint<F>::FromAffine(point).MultiplyAnywhere(kFrModulus).IsIdentity();
  SLIPWAY_CHECK(full == (in_subgroup ? PointError::kOk : PointError::kNotInSubgroup));
}

template <class F>
std::vector<uint8_t> EncodedMultiple(uint8_t factor, size_t size) {
  const std::array<uint64_t, 1> k = {factor};
  std::vector<uint8_t> bytes(size);
  Compress(JacobianPoint<F>::Generator().MultiplyAnywhere(k).ToAffine(), absl::MakeSpan(bytes));
  return bytes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const uint8_t kind = data[0] % 4;
  if (kind < 2) {
    std::vector<uint8_t> bytes(data + 1, data + size);
    if (bytes.size() > 8) bytes.resize(kind == 0 ? kG1Bytes : kG2Bytes);
    kind == 0 ? CheckDecoding<Fp>(bytes) : CheckDecoding<Fp2>(bytes);
    return 0;
  }
  std::vector<uint8_t> bytes =
      kind == 2 ? EncodedMultiple<Fp>(data[1], kG1Bytes) : EncodedMultiple<Fp2>(data[1], kG2Bytes);
  for (size_t i = 2; i + 1 < size && i < 10; i += 2) bytes[data[i] % bytes.size()] ^= data[i + 1];
  kind == 2 ? CheckDecoding<Fp>(bytes) : CheckDecoding<Fp2>(bytes);
  return 0;
}
