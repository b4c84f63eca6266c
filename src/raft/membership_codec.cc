// The bytes of a membership entry: a version, then the four lists, each a count (u32) and node ids
// (u64), little-endian. They stand in logs and snapshots, so a change needs a new version.
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "base/status.h"
#include "raft/membership.h"
#include "raft/raft.h"

namespace slipway::raft {
namespace {

constexpr uint8_t kVersion = 1;

void PutList(const std::vector<NodeId>& nodes, base::Bytes& out) {
  const size_t at = out.size();
  out.resize(at + sizeof(uint32_t) + nodes.size() * sizeof(uint64_t));
  base::StoreLittle(&out[at], static_cast<uint32_t>(nodes.size()));
  uint8_t* to = out.data() + at + sizeof(uint32_t);
  for (const NodeId node : nodes) {
    base::StoreLittle(to, node);
    to += sizeof(uint64_t);
  }
}

bool TakeList(base::BytesView& bytes, std::vector<NodeId>& nodes) {
  if (bytes.size() < sizeof(uint32_t)) return false;
  const size_t count = base::LoadLittle<uint32_t>(bytes.data());
  bytes.remove_prefix(sizeof(uint32_t));
  if (bytes.size() / sizeof(uint64_t) < count) return false;
  nodes.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    nodes.push_back(base::LoadLittle<uint64_t>(bytes.data() + i * sizeof(uint64_t)));
  }
  bytes.remove_prefix(count * sizeof(uint64_t));
  return true;
}

}  // namespace

base::Bytes EncodeMembership(const Membership& membership) {
  base::Bytes out = {kVersion};
  PutList(membership.voters, out);
  PutList(membership.outgoing, out);
  PutList(membership.learners, out);
  PutList(membership.learners_next, out);
  return out;
}

absl::StatusOr<Membership> DecodeMembership(base::BytesView bytes) {
  const auto bad = [](const char* why) {
    return absl::DataLossError(absl::StrCat("decode membership: ", why));
  };
  if (bytes.empty()) return bad("no bytes");
  if (bytes[0] != kVersion) return bad("unknown version; this program is older than the log");
  bytes.remove_prefix(1);
  Membership membership;
  for (std::vector<NodeId>* nodes : {&membership.voters, &membership.outgoing, &membership.learners,
                                     &membership.learners_next}) {
    if (!TakeList(bytes, *nodes)) return bad("a list ends early");
  }
  if (!bytes.empty()) return bad("bytes follow the lists");
  if (const absl::Status status = CheckMembership(membership, "decode membership"); !status.ok()) {
    return absl::DataLossError(status.message());
  }
  return membership;
}

}  // namespace slipway::raft
