#include "eraft/wal/node_files.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace slipway::eraft::wal {
namespace {

using base::LoadLittle;
using base::StoreLittle;

constexpr size_t kIdentityFixedBytes = 48;
constexpr size_t kEngineBytesMax = 64;
constexpr size_t kHardFixedBytes = 16;
constexpr size_t kHardGroupBytes = 32;

}  // namespace

base::Bytes EncodeIdentity(const Identity& identity) {
  const std::string engine = identity.engine.substr(0, kEngineBytesMax);
  base::Bytes bytes(kIdentityFixedBytes + engine.size());
  uint8_t* const at = bytes.data();
  StoreLittle(at, kDataFormat);
  StoreLittle(at + 4, static_cast<uint32_t>(engine.size()));
  std::copy(identity.cluster.begin(), identity.cluster.end(), at + 8);
  StoreLittle(at + 24, identity.node);
  StoreLittle(at + 32, identity.incarnation);
  StoreLittle(at + 40, static_cast<uint64_t>(absl::ToUnixSeconds(identity.created)));
  std::copy(engine.begin(), engine.end(), at + kIdentityFixedBytes);
  return bytes;
}

absl::StatusOr<Identity> DecodeIdentity(base::BytesView bytes) {
  if (bytes.size() < kIdentityFixedBytes) return absl::DataLossError("identity: it is cut");
  const uint8_t* const at = bytes.data();
  const auto format = LoadLittle<uint32_t>(at);
  if (format != kDataFormat) {
    return absl::FailedPreconditionError(absl::StrCat("identity: the data has format ", format,
                                                      ", this program reads ", kDataFormat,
                                                      "; use the version that wrote it"));
  }
  if (LoadLittle<uint32_t>(at + 4) != bytes.size() - kIdentityFixedBytes) {
    return absl::DataLossError("identity: its length is wrong");
  }
  Identity identity;
  std::copy_n(at + 8, identity.cluster.size(), identity.cluster.begin());
  identity.node = LoadLittle<uint64_t>(at + 24);
  identity.incarnation = LoadLittle<uint64_t>(at + 32);
  identity.created = absl::FromUnixSeconds(static_cast<int64_t>(LoadLittle<uint64_t>(at + 40)));
  identity.engine = std::string(base::AsText(bytes.subspan(kIdentityFixedBytes)));
  return identity;
}

raft::HardState NewerOf(const raft::HardState& log, const raft::HardState& copy) {
  if (copy.term > log.term || (copy.term == log.term && log.vote == raft::kNoNode)) {
    return {copy.term, copy.vote, std::max(log.commit, copy.commit)};
  }
  return log;
}

base::Bytes EncodeHard(const HardCopies& hard) {
  base::Bytes bytes(kHardFixedBytes + kHardGroupBytes * hard.groups.size());
  uint8_t* at = bytes.data();
  StoreLittle(at, hard.durable_sequence);
  StoreLittle(at + 8, static_cast<uint64_t>(hard.groups.size()));
  at += kHardFixedBytes;
  for (const auto& [group, state] : hard.groups) {
    StoreLittle(at, group);
    StoreLittle(at + 8, state.term);
    StoreLittle(at + 16, state.vote);
    StoreLittle(at + 24, state.commit);
    at += kHardGroupBytes;
  }
  return bytes;
}

absl::StatusOr<HardCopies> DecodeHard(base::BytesView bytes) {
  if (bytes.size() < kHardFixedBytes) return absl::DataLossError("hard state: it is cut");
  HardCopies hard;
  hard.durable_sequence = LoadLittle<uint64_t>(bytes.data());
  const auto count = LoadLittle<uint64_t>(bytes.data() + 8);
  bytes.remove_prefix(kHardFixedBytes);
  if (bytes.size() % kHardGroupBytes != 0 || bytes.size() / kHardGroupBytes != count) {
    return absl::DataLossError("hard state: its length is wrong");
  }
  for (; !bytes.empty(); bytes.remove_prefix(kHardGroupBytes)) {
    const uint8_t* const at = bytes.data();
    raft::HardState& state = hard.groups[LoadLittle<uint32_t>(at)];
    state.term = LoadLittle<uint64_t>(at + 8);
    state.vote = LoadLittle<uint64_t>(at + 16);
    state.commit = LoadLittle<uint64_t>(at + 24);
  }
  return hard;
}

}  // namespace slipway::eraft::wal
