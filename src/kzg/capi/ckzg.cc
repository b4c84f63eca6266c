#include "kzg/capi/ckzg.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "kzg/scheme/cells.h"
#include "kzg/scheme/kzg.h"
#include "kzg/scheme/setup.h"
#include "kzg/scheme/tables.h"
#include "kzg/setup/setup_text.h"

namespace kzg = slipway::kzg;
using kzg::BytesView;

static_assert(sizeof(Blob) == kzg::kBytesPerBlob);
static_assert(sizeof(Cell) == sizeof(kzg::Cell));
static_assert(sizeof(Bytes48) == sizeof(kzg::Bytes48));
static_assert(sizeof(Bytes32) == sizeof(kzg::Bytes32));

namespace {

constexpr uint64_t kPrecomputeMax = 15;

using SetupPtr = std::shared_ptr<const kzg::Setup>;

// The handle is the first of the structure's pointers.
const kzg::Setup* SetupOf(const KZGSettings* s) {
  if (s == nullptr || s->slipway_private[0] == nullptr) return nullptr;
  return static_cast<const SetupPtr*>(s->slipway_private[0])->get();
}

C_KZG_RET CodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return C_KZG_OK;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kResourceExhausted:  // a setup text of more than 16 MiB
      return C_KZG_BADARGS;
    default:
      return C_KZG_ERROR;
  }
}

// No exception leaves the library: C has none.
template <class Body>
C_KZG_RET Guard(Body body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return C_KZG_MALLOC;
  } catch (const std::length_error&) {  // a count beyond all memory
    return C_KZG_MALLOC;
  } catch (...) {
    return C_KZG_ERROR;
  }
}

template <class Struct>
BytesView View(const Struct& value) {
  return {value.bytes, sizeof(value.bytes)};
}
template <class Struct>
std::vector<BytesView> Views(const Struct* values, uint64_t count) {
  std::vector<BytesView> views;
  views.reserve(count);
  for (uint64_t i = 0; i < count; ++i) views.push_back(View(values[i]));
  return views;
}
template <class Struct, class Array>
void Copy(Struct* out, const Array& from) {
  std::copy(from.begin(), from.end(), out->bytes);
}
C_KZG_RET TellVerdict(bool* ok, const absl::StatusOr<bool>& verdict) {
  if (verdict.ok()) *ok = *verdict;
  return CodeOf(verdict.status());
}

// Whether the points are those of one secret number, and each list is the one it is taken for. The
// seed hashes all of them, so that nobody can choose points for it.
bool IsConsistent(const kzg::Setup& setup) {
  if (setup.id() == kzg::kEthereumSetupId) return true;
  const std::vector<kzg::SetupCheck> checks = kzg::VerifySetup(setup, setup.id(), nullptr);
  return std::all_of(checks.begin(), checks.end(), [](const auto& check) { return check.ok; });
}

C_KZG_RET Load(KZGSettings* out, BytesView bytes) {
  absl::StatusOr<kzg::SetupPoints> points = kzg::DecodeSetup(bytes);
  if (!points.ok()) return CodeOf(points.status());
  SetupPtr setup = kzg::Setup::Make(*std::move(points), kzg::SetupIdOf(bytes));
  if (!IsConsistent(*setup)) return C_KZG_BADARGS;
  setup = setup->WithTables(kzg::ProvingTables::Build(*setup, kzg::TablePlan(), nullptr));
  out->slipway_private[0] = std::make_unique<SetupPtr>(std::move(setup)).release();
  return C_KZG_OK;
}

// From where `in` stands to its end, at most one byte more than a setup may have.
bool ReadAll(FILE* in, std::string& text) {
  std::vector<char> buffer(1 << 16);
  while (text.size() <= kzg::kSetupTextBytesMax) {
    const size_t got = std::fread(buffer.data(), 1, buffer.size(), in);
    text.append(buffer.data(), got);
    if (got < buffer.size()) return std::ferror(in) == 0;
  }
  return true;
}

}  // namespace

C_KZG_RET load_trusted_setup(KZGSettings* out, const uint8_t* g1_monomial_bytes,
                             uint64_t num_g1_monomial_bytes, const uint8_t* g1_lagrange_bytes,
                             uint64_t num_g1_lagrange_bytes, const uint8_t* g2_monomial_bytes,
                             uint64_t num_g2_monomial_bytes, uint64_t precompute) {
  if (out == nullptr) return C_KZG_BADARGS;
  std::memset(out, 0, sizeof(*out));
  constexpr uint64_t kG1Bytes = kzg::kSetupG1Points * kzg::kBytesPerG1;
  constexpr uint64_t kG2Bytes = kzg::kSetupG2Points * kzg::kBytesPerG2;
  if (g1_monomial_bytes == nullptr || g1_lagrange_bytes == nullptr ||
      g2_monomial_bytes == nullptr || num_g1_monomial_bytes != kG1Bytes ||
      num_g1_lagrange_bytes != kG1Bytes || num_g2_monomial_bytes != kG2Bytes ||
      precompute > kPrecomputeMax) {
    return C_KZG_BADARGS;
  }
  return Guard([&] {
    slipway::base::Bytes bytes;
    bytes.reserve(kzg::kSetupBytes);
    bytes.insert(bytes.end(), g1_lagrange_bytes, g1_lagrange_bytes + kG1Bytes);
    bytes.insert(bytes.end(), g2_monomial_bytes, g2_monomial_bytes + kG2Bytes);
    bytes.insert(bytes.end(), g1_monomial_bytes, g1_monomial_bytes + kG1Bytes);
    return Load(out, bytes);
  });
}

C_KZG_RET load_trusted_setup_file(KZGSettings* out, FILE* in, uint64_t precompute) {
  if (out == nullptr) return C_KZG_BADARGS;
  std::memset(out, 0, sizeof(*out));
  if (in == nullptr || precompute > kPrecomputeMax) return C_KZG_BADARGS;
  return Guard([&] {
    std::string text;
    if (!ReadAll(in, text)) return C_KZG_BADARGS;
    const absl::StatusOr<slipway::base::Bytes> bytes = kzg::ParseSetup(text, "FILE");
    return bytes.ok() ? Load(out, *bytes) : CodeOf(bytes.status());
  });
}

void free_trusted_setup(KZGSettings* s) {
  if (s == nullptr) return;
  const std::unique_ptr<SetupPtr> owned(static_cast<SetupPtr*>(s->slipway_private[0]));
  std::memset(s, 0, sizeof(*s));
}

C_KZG_RET blob_to_kzg_commitment(KZGCommitment* out, const Blob* blob, const KZGSettings* s) {
  const kzg::Setup* const setup = SetupOf(s);
  if (out == nullptr || blob == nullptr || setup == nullptr) return C_KZG_BADARGS;
  return Guard([&] {
    const absl::StatusOr<kzg::Commitment> commitment = kzg::BlobToCommitment(View(*blob), *setup);
    if (commitment.ok()) Copy(out, *commitment);
    return CodeOf(commitment.status());
  });
}

C_KZG_RET compute_kzg_proof(KZGProof* proof_out, Bytes32* y_out, const Blob* blob,
                            const Bytes32* z_bytes, const KZGSettings* s) {
  const kzg::Setup* const setup = SetupOf(s);
  if (proof_out == nullptr || y_out == nullptr || blob == nullptr || z_bytes == nullptr ||
      setup == nullptr) {
    return C_KZG_BADARGS;
  }
  return Guard([&] {
    const absl::StatusOr<kzg::ProofAndY> result =
        kzg::ComputeProof(View(*blob), View(*z_bytes), *setup);
    if (result.ok()) {
      Copy(proof_out, result->proof);
      Copy(y_out, result->y);
    }
    return CodeOf(result.status());
  });
}

C_KZG_RET compute_blob_kzg_proof(KZGProof* out, const Blob* blob, const Bytes48* commitment_bytes,
                                 const KZGSettings* s) {
  const kzg::Setup* const setup = SetupOf(s);
  if (out == nullptr || blob == nullptr || commitment_bytes == nullptr || setup == nullptr) {
    return C_KZG_BADARGS;
  }
  return Guard([&] {
    const absl::StatusOr<kzg::Proof> proof =
        kzg::ComputeBlobProof(View(*blob), View(*commitment_bytes), *setup);
    if (proof.ok()) Copy(out, *proof);
    return CodeOf(proof.status());
  });
}

C_KZG_RET verify_kzg_proof(bool* ok, const Bytes48* commitment_bytes, const Bytes32* z_bytes,
                           const Bytes32* y_bytes, const Bytes48* proof_bytes,
                           const KZGSettings* s) {
  const kzg::Setup* const setup = SetupOf(s);
  if (ok == nullptr || commitment_bytes == nullptr || z_bytes == nullptr || y_bytes == nullptr ||
      proof_bytes == nullptr || setup == nullptr) {
    return C_KZG_BADARGS;
  }
  return Guard([&] {
    return TellVerdict(ok, kzg::VerifyProof(View(*commitment_bytes), View(*z_bytes), View(*y_bytes),
                                            View(*proof_bytes), *setup));
  });
}

C_KZG_RET verify_blob_kzg_proof(bool* ok, const Blob* blob, const Bytes48* commitment_bytes,
                                const Bytes48* proof_bytes, const KZGSettings* s) {
  const kzg::Setup* const setup = SetupOf(s);
  if (ok == nullptr || blob == nullptr || commitment_bytes == nullptr || proof_bytes == nullptr ||
      setup == nullptr) {
    return C_KZG_BADARGS;
  }
  return Guard([&] {
    return TellVerdict(
        ok, kzg::VerifyBlobProof(View(*blob), View(*commitment_bytes), View(*proof_bytes), *setup));
  });
}

C_KZG_RET verify_blob_kzg_proof_batch(bool* ok, const Blob* blobs, const Bytes48* commitments_bytes,
                                      const Bytes48* proofs_bytes, uint64_t n,
                                      const KZGSettings* s) {
  const kzg::Setup* const setup = SetupOf(s);
  if (ok == nullptr || setup == nullptr) return C_KZG_BADARGS;
  if (n != 0 && (blobs == nullptr || commitments_bytes == nullptr || proofs_bytes == nullptr)) {
    return C_KZG_BADARGS;
  }
  return Guard([&] {
    return TellVerdict(ok, kzg::VerifyBlobProofBatch(Views(blobs, n), Views(commitments_bytes, n),
                                                     Views(proofs_bytes, n), *setup));
  });
}

C_KZG_RET compute_cells_and_kzg_proofs(Cell* cells, KZGProof* proofs, const Blob* blob,
                                       const KZGSettings* s) {
  const kzg::Setup* const setup = SetupOf(s);
  if ((cells == nullptr && proofs == nullptr) || blob == nullptr || setup == nullptr) {
    return C_KZG_BADARGS;
  }
  return Guard([&] {
    std::vector<kzg::Cell> cells_out(kzg::kCellsPerExtBlob);
    std::vector<kzg::Proof> proofs_out(kzg::kCellsPerExtBlob);
    const absl::Status status =
        proofs == nullptr ? kzg::ComputeCells(View(*blob), absl::MakeSpan(cells_out), *setup)
                          : kzg::ComputeCellsAndProofs(View(*blob), absl::MakeSpan(cells_out),
                                                       absl::MakeSpan(proofs_out), *setup);
    for (size_t i = 0; status.ok() && i < kzg::kCellsPerExtBlob; ++i) {
      if (cells != nullptr) Copy(&cells[i], cells_out[i]);
      if (proofs != nullptr) Copy(&proofs[i], proofs_out[i]);
    }
    return CodeOf(status);
  });
}

C_KZG_RET recover_cells_and_kzg_proofs(Cell* recovered_cells, KZGProof* recovered_proofs,
                                       const uint64_t* cell_indices, const Cell* cells,
                                       uint64_t num_cells, const KZGSettings* s) {
  const kzg::Setup* const setup = SetupOf(s);
  if (recovered_cells == nullptr || setup == nullptr || num_cells > kzg::kCellsPerExtBlob ||
      (num_cells != 0 && (cell_indices == nullptr || cells == nullptr))) {
    return C_KZG_BADARGS;
  }
  return Guard([&] {
    std::vector<kzg::Cell> cells_out(kzg::kCellsPerExtBlob);
    std::vector<kzg::Proof> proofs_out(recovered_proofs == nullptr ? 0 : kzg::kCellsPerExtBlob);
    const absl::Status status =
        kzg::RecoverCells({cell_indices, num_cells}, Views(cells, num_cells), {},
                          absl::MakeSpan(cells_out), absl::MakeSpan(proofs_out), *setup);
    for (size_t i = 0; status.ok() && i < kzg::kCellsPerExtBlob; ++i) {
      Copy(&recovered_cells[i], cells_out[i]);
      if (recovered_proofs != nullptr) Copy(&recovered_proofs[i], proofs_out[i]);
    }
    return CodeOf(status);
  });
}

C_KZG_RET verify_cell_kzg_proof_batch(bool* ok, const Bytes48* commitments_bytes,
                                      const uint64_t* cell_indices, const Cell* cells,
                                      const Bytes48* proofs_bytes, uint64_t num_cells,
                                      const KZGSettings* s) {
  const kzg::Setup* const setup = SetupOf(s);
  if (ok == nullptr || setup == nullptr) return C_KZG_BADARGS;
  if (num_cells != 0 && (commitments_bytes == nullptr || cell_indices == nullptr ||
                         cells == nullptr || proofs_bytes == nullptr)) {
    return C_KZG_BADARGS;
  }
  return Guard([&] {
    return TellVerdict(ok, kzg::VerifyCellBatch({Views(commitments_bytes, num_cells),
                                                 {cell_indices, num_cells},
                                                 Views(cells, num_cells),
                                                 Views(proofs_bytes, num_cells)},
                                                *setup));
  });
}
