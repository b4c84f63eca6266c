#include "kzg/scheme/challenge.h"

#include <array>

#include "absl/strings/string_view.h"
#include "base/digest/sha256.h"
#include "base/mutant.h"

namespace slipway::kzg {
namespace {

constexpr absl::string_view kBlobDomain = "FSBLOBVERIFY_V1_";
constexpr absl::string_view kOpeningBatchDomain = "RCKZGBATCH___V1_";
constexpr absl::string_view kCellBatchDomain = "RCKZGCBATCH__V1_";

// SHA-256 over the pieces, in the order in which they are put, as a scalar.
class Transcript {
 public:
  explicit Transcript(absl::string_view domain) { hash_.Update(base::AsBytes(domain)); }

  void Put(BytesView bytes) { hash_.Update(bytes); }
  void Put(const Fr& scalar) {
    Bytes32 bytes;
    scalar.ToBytes(absl::MakeSpan(bytes));
    Put(BytesView(bytes));
  }
  void PutNumber(uint64_t value) {
    std::array<uint8_t, 8> bytes;
    for (int i = 0; i < 8; ++i) bytes[i] = static_cast<uint8_t>(value >> (56 - 8 * i));
    Put(BytesView(bytes));
  }
  Fr Finish() {
    const base::Sha256Digest digest = hash_.Finish();
    return Fr::FromBytesReduced(digest);
  }

 private:
  base::Sha256 hash_;
};

}  // namespace

Fr BlobChallenge(BytesView blob, BytesView commitment) {
  Transcript transcript(kBlobDomain);
  transcript.PutNumber(0);  // the degree has 16 bytes
  transcript.PutNumber(kFieldElementsPerBlob);
  transcript.Put(blob);
  transcript.Put(commitment);
  return transcript.Finish();
}

Fr OpeningBatchChallenge(const OpeningBatch& batch) {
  Transcript transcript(kOpeningBatchDomain);
  transcript.PutNumber(kFieldElementsPerBlob);
  transcript.PutNumber(batch.commitments.size());
  for (size_t i = 0; i < batch.commitments.size(); ++i) {
    transcript.Put(batch.commitments[i]);
    transcript.Put(batch.z[i]);
    transcript.Put(batch.y[i]);
    if (!SLIPWAY_MUTANT("kzg-batch-challenge")) transcript.Put(batch.proofs[i]);
  }
  return transcript.Finish();
}

Fr CellBatchChallenge(const CellBatch& batch) {
  Transcript transcript(kCellBatchDomain);
  transcript.PutNumber(kFieldElementsPerBlob);
  transcript.PutNumber(kFieldElementsPerCell);
  transcript.PutNumber(batch.commitments.size());
  transcript.PutNumber(batch.cells.size());
  for (const BytesView commitment : batch.commitments) transcript.Put(commitment);
  for (size_t i = 0; i < batch.cells.size(); ++i) {
    transcript.PutNumber(batch.commitment_indices[i]);
    transcript.PutNumber(batch.cell_indices[i]);
    transcript.Put(batch.cells[i]);
    transcript.Put(batch.proofs[i]);
  }
  return transcript.Finish();
}

}  // namespace slipway::kzg
