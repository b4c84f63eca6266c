#include "eraft/node/cluster.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/bytes.h"
#include "base/digest/sha256.h"
#include "base/status.h"

namespace slipway::eraft {

std::string MemberKey(raft::NodeId id) { return absl::StrCat(kMemberPrefix, id); }

raft::NodeId MemberOfKey(absl::string_view key) {
  raft::NodeId id = raft::kNoNode;
  if (!absl::ConsumePrefix(&key, kMemberPrefix) || !absl::SimpleAtoi(key, &id))
    return raft::kNoNode;
  return id;
}

std::string EncodeMembers(const Addresses& members) {
  std::string text;
  for (const auto& [id, address] : members) absl::StrAppend(&text, id, " ", address, "\n");
  return text;
}

absl::StatusOr<Addresses> DecodeMembers(absl::string_view text) {
  Addresses members;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    raft::NodeId id = raft::kNoNode;
    if (!absl::SimpleAtoi(parts.first, &id) || id == raft::kNoNode || parts.second.empty()) {
      return absl::DataLossError(
          "the file MEMBERS has a line that is no member; mend it by hand, "
          "or remove it: then --cluster counts");
    }
    members[id] = std::string(parts.second);
  }
  return members;
}

absl::Status WriteMembers(base::Dir& dir, const Addresses& members) {
  return base::Annotate(base::WriteFileDurably(dir, kMembersName, EncodeMembers(members), 0600),
                        "write MEMBERS");
}

wal::ClusterId ClusterIdOf(absl::string_view token) {
  wal::ClusterId id{};
  const auto hex = base::FromHex(absl::AsciiStrToLower(token));
  if (hex.ok() && hex->size() == id.size()) {
    std::copy(hex->begin(), hex->end(), id.begin());
    return id;
  }
  const base::Sha256Digest digest = base::Sha256Of(base::AsBytes(token));
  std::copy_n(digest.begin(), id.size(), id.begin());
  return id;
}

}  // namespace slipway::eraft
