#include "eraft/transport/link/incarnations.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/bytes.h"
#include "base/digest/crc32c.h"

namespace slipway::eraft {
namespace {

constexpr absl::string_view kMagic = "eraft peers ";
constexpr absl::string_view kFirstLine = "eraft peers 1\n";
constexpr absl::string_view kLastLine = "crc ";
constexpr size_t kLastLineBytes = 4 + 8 + 1;
constexpr uint64_t kFileBytesMax = 64 << 10;  // of kPeersMax lines with the longest numbers

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat(
      "read PEERS: ", what,
      "; remove the file when all members have the data they should have: they are learnt again"));
}

std::string CrcLine(absl::string_view text) {
  return absl::StrFormat("%s%08x\n", kLastLine, base::Crc32c(base::AsBytes(text)));
}

}  // namespace

std::string EncodePeers(const std::map<raft::NodeId, uint64_t>& known) {
  std::string text(kFirstLine);
  for (const auto& [id, incarnation] : known) {
    absl::StrAppend(&text, absl::StrFormat("%d %016x\n", id, incarnation));
  }
  absl::StrAppend(&text, CrcLine(text));
  return text;
}

absl::StatusOr<std::map<raft::NodeId, uint64_t>> DecodePeers(absl::string_view text) {
  if (absl::StartsWith(text, kMagic) && !absl::StartsWith(text, kFirstLine)) {
    return absl::FailedPreconditionError(
        "read PEERS: the file is of another version; start the program that wrote it");
  }
  if (!absl::StartsWith(text, kFirstLine) || text.size() < kFirstLine.size() + kLastLineBytes) {
    return Damaged("it is no such file");
  }
  const absl::string_view body = text.substr(0, text.size() - kLastLineBytes);
  if (text.substr(body.size()) != CrcLine(body)) return Damaged("its checksum does not fit");
  std::map<raft::NodeId, uint64_t> known;
  for (const absl::string_view line :
       absl::StrSplit(body.substr(kFirstLine.size()), '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    uint64_t id = 0;
    uint64_t incarnation = 0;
    if (words.size() != 2 || !absl::SimpleAtoi(words[0], &id) ||
        !absl::SimpleHexAtoi(words[1], &incarnation)) {
      return Damaged("a line is malformed");
    }
    known[id] = incarnation;
  }
  if (EncodePeers(known) != text) return Damaged("it is not as it was written");
  return known;
}

base::Owned<PeersFile> PeersFile::Open(base::Dir& dir) {
  const absl::StatusOr<std::string> text = base::ReadFile(dir, kName, kFileBytesMax);
  if (absl::IsNotFound(text.status())) return std::unique_ptr<PeersFile>(new PeersFile(dir, {}));
  SLIPWAY_RETURN_IF_ERROR(text.status());
  SLIPWAY_ASSIGN_OR_RETURN(Map known, DecodePeers(*text));
  return std::unique_ptr<PeersFile>(new PeersFile(dir, std::move(known)));
}

std::optional<uint64_t> PeersFile::Get(raft::NodeId id) const {
  const base::MutexLock lock(mutex_);
  const auto found = known_.find(id);
  if (found == known_.end()) return std::nullopt;
  return found->second;
}

PeersFile::Map PeersFile::Known() const {
  const base::MutexLock lock(mutex_);
  return known_;
}

absl::Status PeersFile::Remember(raft::NodeId id, uint64_t incarnation) {
  const base::MutexLock write_lock(write_mutex_);
  Map known = Known();
  const auto [found, is_new] = known.try_emplace(id, incarnation);
  if (!is_new) {
    if (found->second == incarnation) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat("remember node ", id, ": it is known with other data"));
  }
  return Write(std::move(known));
}

absl::Status PeersFile::Replace(raft::NodeId id, uint64_t incarnation) {
  const base::MutexLock write_lock(write_mutex_);
  Map known = Known();
  known[id] = incarnation;
  return Write(std::move(known));
}

absl::Status PeersFile::Forget(raft::NodeId id) {
  const base::MutexLock write_lock(write_mutex_);
  Map known = Known();
  if (known.erase(id) == 0) return absl::OkStatus();
  return Write(std::move(known));
}

absl::Status PeersFile::Write(Map known) {
  if (known.size() > kPeersMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("remember a node: ", kPeersMax, " nodes are remembered already"));
  }
  SLIPWAY_RETURN_IF_ERROR(base::WriteFileDurably(dir_, kName, EncodePeers(known), 0600));
  const base::MutexLock lock(mutex_);
  known_ = std::move(known);
  return absl::OkStatus();
}

}  // namespace slipway::eraft
