#include "deploy/release/bad_packages.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/json/json.h"
#include "base/units.h"

namespace slipway::deploy {
namespace {

constexpr uint64_t kNoteBytesMax = 64 * base::kKiB;
constexpr char kNoteSuffix[] = ".json";

// A source's name as part of a file name.
std::string Plain(absl::string_view text) {
  std::string plain(text.substr(0, 64));
  for (char& c : plain) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '_') c = '_';
  }
  return plain.empty() ? "unknown" : plain;
}

std::string NoteOf(const Root& root, const BadPackage& bad) {
  base::Json json = base::Json::MakeObject();
  json.Set("component", bad.component.ToString());
  json.Set("file", bad.file);
  json.Set("source", bad.source);
  json.Set("expected_sha256", bad.expected);
  json.Set("reason", bad.reason);
  json.Set("at", base::FormatRfc3339(root.world.clock.Wall()));
  return json.Dump(2) + "\n";
}

absl::Status MoveAndNote(const Root& root, const std::string& path, const BadPackage& bad) {
  SLIPWAY_RETURN_IF_ERROR(base::MakeDirs(*root.dir, kBadDir, root.modes.dir));
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir, root.dir->OpenDir(kBadDir));
  const std::string time =
      absl::FormatTime("%Y%m%dT%H%M%E3SZ", root.world.clock.Wall(), absl::UTCTimeZone());
  const std::string name = absl::StrCat(time, "-", Plain(bad.source), "-", bad.file);
  SLIPWAY_RETURN_IF_ERROR(root.dir->Rename(path, *dir, name, base::RenameMode::kReplace));
  base::OpenOptions options;
  options.write = true;
  options.create = true;
  options.truncate = true;
  options.mode = root.modes.file;
  SLIPWAY_ASSIGN_OR_RETURN(const auto note, dir->Open(name + kNoteSuffix, options));
  return note->WriteAt(0, base::AsBytes(NoteOf(root, bad)));
}

std::string ComponentOf(base::Dir& dir, const std::string& name) {
  const auto text = base::ReadFile(dir, name + kNoteSuffix, kNoteBytesMax);
  const auto json = text.ok() ? base::ParseJson(*text) : text.status();
  const base::Json* component = json.ok() ? json->Find("component") : nullptr;
  return component == nullptr || component->AsString() == nullptr ? "" : *component->AsString();
}

absl::Status Prune(const Root& root) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto entries, ListSorted(*root.dir, kBadDir));
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir, root.dir->OpenDir(kBadDir));
  std::map<std::string, size_t> kept;
  uint64_t bytes = 0;
  for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {  // newest first
    if (entry->kind != base::FileKind::kFile || absl::EndsWith(entry->name, kNoteSuffix)) continue;
    SLIPWAY_ASSIGN_OR_RETURN(const base::Meta meta, dir->Stat(entry->name));
    const bool first = bytes == 0;  // the newest stays whatever its size
    bytes += meta.size_bytes;
    if (++kept[ComponentOf(*dir, entry->name)] <= kBadKeptMax && (first || bytes <= kBadBytesMax)) {
      continue;
    }
    bytes -= meta.size_bytes;
    SLIPWAY_RETURN_IF_ERROR(RemoveFile(*dir, entry->name));
    SLIPWAY_RETURN_IF_ERROR(RemoveFile(*dir, entry->name + kNoteSuffix));
  }
  return absl::OkStatus();
}

}  // namespace

void KeepBad(const Root& root, const std::string& path, const BadPackage& bad) {
  if (MoveAndNote(root, path, bad).ok()) Prune(root).IgnoreError();
}

}  // namespace slipway::deploy
