#include "eraft/wal/requests.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/digest/crc32c.h"
#include "eraft/wal/limits.h"

namespace slipway::eraft::wal {
namespace {

bool Fits(const raft::Membership& m) {
  return std::max({m.voters.size(), m.outgoing.size(), m.learners.size(),
                   m.learners_next.size()}) <= kMembersMax;
}

}  // namespace

absl::Status CheckEntries(raft::GroupId group, const std::vector<raft::Entry>& entries,
                          uint64_t record_bytes_max) {
  for (size_t i = 0; i < entries.size(); ++i) {
    const raft::Entry& entry = entries[i];
    const auto what = [&] {
      return absl::StrCat("append entry ", entry.index, " of group ", group);
    };
    if (entry.index == 0 || entry.index != entries.front().index + i) {
      return absl::InvalidArgumentError(absl::StrCat(what(), ": indexes must rise by one"));
    }
    if (EntriesRecordBytes(absl::MakeSpan(&entry, 1)) > record_bytes_max) {
      return absl::InvalidArgumentError(absl::StrCat(what(), ": ", entry.payload.size(),
                                                     " bytes, a record holds ", record_bytes_max));
    }
    if (base::Crc32c(entry.payload.view()) != entry.payload_crc) {
      return absl::DataLossError(absl::StrCat(what(),
                                              ": its payload is not what its CRC was "
                                              "computed from; nothing was written"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckRest(const Batch& rest, uint64_t record_bytes_max) {
  const bool fits = (!rest.membership || Fits(rest.membership->membership)) &&
                    (!rest.snapshot_intent || Fits(rest.snapshot_intent->mark.membership)) &&
                    (!rest.truncate_prefix || Fits(rest.truncate_prefix->membership));
  if (!fits) {
    return absl::InvalidArgumentError(absl::StrCat(
        "append to the log: a list of a membership has more than ", kMembersMax, " nodes"));
  }
  if (rest.snapshot_intent && rest.snapshot_intent->detail.size() > kSnapshotDetailBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        "append to the log: the detail of a snapshot intent has ",
        rest.snapshot_intent->detail.size(), " bytes, at most ", kSnapshotDetailBytesMax));
  }
  if (EncodedBytes(rest) > record_bytes_max) {
    return absl::InvalidArgumentError(absl::StrCat("append to the log: memberships and details of ",
                                                   EncodedBytes(rest), " bytes, at most ",
                                                   record_bytes_max));
  }
  return absl::OkStatus();
}

std::vector<Batch> Split(Batch batch, uint64_t record_bytes_max) {
  std::vector<Batch> parts;
  if (batch.entries.empty() || EntriesRecordBytes(batch.entries) <= record_bytes_max) {
    parts.push_back(std::move(batch));
    return parts;
  }
  std::vector<raft::Entry> entries = std::move(batch.entries);
  Batch behind;  // what comes after the entries
  behind.membership = std::exchange(batch.membership, {});
  behind.snapshot_intent = std::exchange(batch.snapshot_intent, {});
  behind.snapshot_done = std::exchange(batch.snapshot_done, {});
  behind.truncate_prefix = std::exchange(batch.truncate_prefix, {});
  behind.remove_group = std::exchange(batch.remove_group, false);
  batch.entries.clear();
  if (!batch.empty()) parts.push_back(std::move(batch));
  Batch part;
  uint64_t bytes = 0;
  for (raft::Entry& entry : entries) {
    // Bound for one more entry, as if each had a term of its own.
    const uint64_t more = EntriesRecordBytes(absl::MakeSpan(&entry, 1));
    if (bytes > 0 && bytes + more > record_bytes_max) {
      parts.push_back(std::exchange(part, Batch()));
      bytes = 0;
    }
    bytes += more;
    part.entries.push_back(std::move(entry));
  }
  parts.push_back(std::move(part));
  if (!behind.empty()) parts.push_back(std::move(behind));
  return parts;
}

}  // namespace slipway::eraft::wal
