#include "deploy/pack/hash_zeros.h"

#include <algorithm>
#include <array>

#include "base/status.h"
#include "deploy/pack/folders.h"

namespace slipway::deploy {
namespace {
constexpr std::array<uint8_t, 64 << 10> kZeros{};
}  // namespace

absl::Status HashZeros(base::Blake3& hash, uint64_t bytes, const base::CancelToken& cancel,
                       absl::string_view what) {
  for (uint64_t step = 0; bytes > 0; bytes -= step) {
    SLIPWAY_RETURN_IF_ERROR(CheckCancelled(cancel, what));
    step = std::min<uint64_t>(bytes, kZeros.size());
    hash.Update(base::BytesView(kZeros.data(), step));
  }
  return absl::OkStatus();
}

}  // namespace slipway::deploy
