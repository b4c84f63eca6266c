#include "deploy/release/history.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/mutant.h"
#include "base/units.h"
#include "deploy/release/json_fields.h"
#include "deploy/release/layout.h"

namespace slipway::deploy {
namespace {

using base::Json;

// A line is far shorter: a release of a thousand components.
constexpr uint64_t kTailBytes = 1 << 20;

void SetText(Json& json, absl::string_view key, const std::string& text) {
  if (!text.empty()) json.Set(key, text);
}

// A stack of what was active, and what rollbacks took from it.
template <class T>
class Activations {
 public:
  void Activate(const T& to) {
    if (!stack_.empty() && stack_.back() == to) return;
    stack_.push_back(to);
    undone_.clear();
  }
  // `found`: what it went back to, as it stands in the stack; `now`: what it is called since.
  void Back(const T& found, const T& now) {
    if (std::find(stack_.begin(), stack_.end(), found) == stack_.end()) return Activate(now);
    while (stack_.back() != found) {
      undone_.push_back(stack_.back());
      stack_.pop_back();
    }
    stack_.back() = now;
  }
  void Forward(const T& found, const T& now) {
    while (!undone_.empty() && undone_.back() != found) undone_.pop_back();
    if (!undone_.empty()) undone_.pop_back();
    stack_.push_back(now);
  }
  std::optional<T> Target(const T& current, bool forward,
                          const std::function<bool(const T&)>& usable) const {
    const std::vector<T>& from = forward ? undone_ : stack_;
    const auto found = std::find_if(from.rbegin(), from.rend(), [&](const T& candidate) {
      return candidate != current && usable(candidate);
    });
    return found == from.rend() ? std::nullopt : std::optional<T>(*found);
  }

 private:
  std::vector<T> stack_, undone_;
};

// Where the whole lines end that are not of the same transaction as `entry`.
absl::StatusOr<uint64_t> EndOfOthers(base::File& file, const Json& entry) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, file.Stat());
  const uint64_t start = meta.size_bytes - std::min(meta.size_bytes, kTailBytes);
  std::string tail(meta.size_bytes - start, '\0');
  SLIPWAY_ASSIGN_OR_RETURN(
      const size_t got,
      file.ReadAt(start, absl::MakeSpan(reinterpret_cast<uint8_t*>(tail.data()), tail.size())));
  tail.resize(got);
  const size_t newline = tail.rfind('\n');
  if (newline == std::string::npos) {
    if (start == 0) return 0;
    return absl::DataLossError(absl::StrCat("append to ", kHistoryFile, ": its last ", kTailBytes,
                                            " bytes hold no line; move the file away"));
  }
  const size_t before = newline == 0 ? std::string::npos : tail.rfind('\n', newline - 1);
  const size_t last = before + 1;  // npos + 1 is 0
  const auto json = base::ParseJson(absl::string_view(tail).substr(last, newline - last));
  const Json* tx = json.ok() ? json->Find("tx") : nullptr;
  const Json* own = entry.Find("tx");
  const bool same = tx != nullptr && own != nullptr && *tx == *own;
  return start + (same ? last : newline + 1);
}

Json ChangeToJson(const HistoryEntry::Change& change) {
  Json json = Json::MakeObject();
  json.Set("type", change.type);
  SetText(json, "from", change.from);
  SetText(json, "to", change.to);
  SetText(json, "installed", change.installed);
  SetText(json, "source", change.source);
  return json;
}

}  // namespace

Json HistoryToJson(const HistoryEntry& entry) {
  Json changes = Json::MakeArray();
  for (const HistoryEntry::Change& change : entry.changes) changes.Append(ChangeToJson(change));
  Json json = Json::MakeObject();
  json.Set("at", base::FormatRfc3339(entry.at));
  json.Set("tx", entry.tx);
  json.Set("operation", entry.operation);
  json.Set("user", entry.user);
  json.Set("host", entry.host);
  SetText(json, "release", entry.release);
  SetText(json, "reason", entry.reason);
  json.Set("changes", std::move(changes));
  if (entry.generation) json.Set("generation", *entry.generation);
  if (entry.restored_generation) json.Set("restored_generation", *entry.restored_generation);
  if (entry.forward) json.Set("forward", true);
  json.Set("ms",
           static_cast<uint64_t>(std::max<int64_t>(0, absl::ToInt64Milliseconds(entry.duration))));
  return json;
}

absl::StatusOr<HistoryEntry> HistoryFromJson(const Json& json) {
  Fields fields(json, "history");
  HistoryEntry entry;
  entry.at = fields.Time("at");
  entry.tx = fields.Text("tx");
  entry.operation = fields.Text("operation");
  entry.user = fields.OptionalText("user");
  entry.host = fields.OptionalText("host");
  entry.release = fields.OptionalText("release");
  entry.reason = fields.OptionalText("reason");
  for (Fields& item : fields.Objects("changes")) {
    entry.changes.push_back({item.Text("type"), item.OptionalText("from"), item.OptionalText("to"),
                             item.OptionalText("installed"), item.OptionalText("source")});
    fields.Take(item);
  }
  entry.generation = fields.OptionalUnsigned("generation");
  entry.restored_generation = fields.OptionalUnsigned("restored_generation");
  entry.forward = fields.OptionalBool("forward");
  entry.duration =
      absl::Milliseconds(static_cast<int64_t>(fields.OptionalUnsigned("ms").value_or(0)));
  SLIPWAY_RETURN_IF_ERROR(fields.status());
  return entry;
}

absl::StatusOr<std::vector<HistoryEntry>> ReadHistory(base::Dir& root) {
  std::vector<HistoryEntry> entries;
  const auto text = base::ReadFile(root, kHistoryFile, kHistoryBytesMax);
  if (absl::IsNotFound(text.status())) return entries;
  SLIPWAY_RETURN_IF_ERROR(text.status());
  for (const absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipEmpty())) {
    const auto json = base::ParseJson(line);
    if (!json.ok()) continue;
    auto entry = HistoryFromJson(*json);
    if (entry.ok()) entries.push_back(*std::move(entry));
  }
  return entries;
}

absl::Status AppendHistory(base::Dir& root, const Json& entry, uint32_t mode) {
  base::OpenOptions options;
  options.write = true;
  options.create = true;
  options.mode = mode;
  SLIPWAY_ASSIGN_OR_RETURN(const auto file, root.Open(kHistoryFile, options));
  SLIPWAY_ASSIGN_OR_RETURN(const uint64_t end, EndOfOthers(*file, entry));
  SLIPWAY_RETURN_IF_ERROR(file->Truncate(end));
  SLIPWAY_RETURN_IF_ERROR(file->WriteAt(end, base::AsBytes(entry.Dump() + "\n")));
  if (!SLIPWAY_MUTANT("no-fsync")) SLIPWAY_RETURN_IF_ERROR(file->Sync());
  // The first line may be in a file whose name nobody has made durable yet.
  return end > 0 ? absl::OkStatus() : SyncDirAt(root, kToolDir);
}

std::optional<std::string> RollbackVersion(const std::vector<HistoryEntry>& history,
                                           absl::string_view type, absl::string_view current,
                                           bool forward,
                                           const std::function<bool(const std::string&)>& usable) {
  Activations<std::string> activations;
  for (const HistoryEntry& entry : history) {
    for (const HistoryEntry::Change& change : entry.changes) {
      if (change.type != type || change.to.empty() || change.to == change.from) continue;
      if (!change.from.empty() && entry.operation != kOpRollback) activations.Activate(change.from);
      if (entry.operation != kOpRollback) {
        activations.Activate(change.to);
      } else if (entry.forward) {
        activations.Forward(change.to, change.to);
      } else {
        activations.Back(change.to, change.to);
      }
    }
  }
  return activations.Target(std::string(current), forward, usable);
}

std::optional<uint64_t> RollbackGenerationNumber(const std::vector<HistoryEntry>& history,
                                                 uint64_t current, bool forward,
                                                 const std::function<bool(uint64_t)>& usable) {
  Activations<uint64_t> activations;
  for (const HistoryEntry& entry : history) {
    if (!entry.generation) continue;
    if (!entry.restored_generation) {
      activations.Activate(*entry.generation);
    } else if (entry.forward) {
      activations.Forward(*entry.restored_generation, *entry.generation);
    } else {
      activations.Back(*entry.restored_generation, *entry.generation);
    }
  }
  return activations.Target(current, forward, usable);
}

}  // namespace slipway::deploy
