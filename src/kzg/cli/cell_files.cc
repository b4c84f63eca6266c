#include "kzg/cli/cell_files.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/files.h"
#include "base/json/json.h"
#include "base/status.h"
#include "kzg/scheme/errors.h"
#include "kzg/scheme/hex.h"

namespace slipway::kzg::cli {
namespace {

using base::Json;

constexpr char kListName[] = "cells.json";
constexpr char kProofsName[] = "proofs.bin";
constexpr uint64_t kFileBytesMax = 1 << 20;
constexpr uint64_t kFormat = 1;

std::string CellName(uint64_t index) { return absl::StrFormat("cell-%03d.bin", index); }

base::Bytes ToBytes(const std::string& text) { return {text.begin(), text.end()}; }

struct List {
  base::Bytes commitment;
  std::vector<uint64_t> indices;
  bool has_proofs = false;
};

absl::Status ListError(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("read ", kListName, ": ", what));
}

absl::StatusOr<List> ParseList(const std::string& text) {
  SLIPWAY_ASSIGN_OR_RETURN(const Json json, base::ParseJson(text));
  const Json* format = json.Find("format");
  if (format == nullptr || format->AsUint() != kFormat) {
    return ListError(absl::StrCat("\"format\" must be ", kFormat));
  }
  List list;
  if (const Json* commitment = json.Find("commitment");
      commitment != nullptr && commitment->is_string()) {
    SLIPWAY_ASSIGN_OR_RETURN(list.commitment, DecodeHex(*commitment->AsString(), {"commitment"}));
  }
  const Json* indices = json.Find("indices");
  if (indices == nullptr || !indices->is_array()) return ListError("\"indices\" must be a list");
  for (const Json& item : *indices->AsArray()) {
    const std::optional<uint64_t> index = item.AsUint();
    if (!index.has_value() || *index >= kCellsPerExtBlob) {
      return ListError("\"indices\" must hold numbers from 0 to 127");
    }
    list.indices.push_back(*index);
  }
  const Json* proofs = json.Find("proofs");
  list.has_proofs = proofs != nullptr && proofs->AsBool().value_or(false);
  return list;
}

// Which cells a folder holds, and which of them are listed.
absl::StatusOr<List> ReadList(base::Dir& dir) {
  const absl::StatusOr<std::string> text = base::ReadFile(dir, kListName, kFileBytesMax);
  if (text.ok()) return ParseList(*text);
  if (!absl::IsNotFound(text.status())) return text.status();
  List list;
  for (uint64_t index = 0; index < kCellsPerExtBlob; ++index) list.indices.push_back(index);
  return list;
}

}  // namespace

absl::Status RemoveList(base::Dir& dir, absl::string_view name) {
  const absl::Status removed = dir.Remove(name);
  if (absl::IsNotFound(removed)) return absl::OkStatus();
  SLIPWAY_RETURN_IF_ERROR(removed);
  return dir.Sync();
}

absl::Status PrepareCellFolder(const std::string& path, base::cli::Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir, in.world.files.MakeRoot(path));
  return RemoveList(*dir, kListName);
}

absl::StatusOr<CellFolder> ReadCellFolder(const std::string& path, base::cli::Invocation& in) {
  CellFolder folder;
  folder.path = path;
  const auto [parent, name] = base::SplitPath(path);
  if (name == kListName) folder.path = parent.empty() ? "." : std::string(parent);
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir, in.world.files.OpenRoot(folder.path));
  SLIPWAY_ASSIGN_OR_RETURN(List list, ReadList(*dir));
  folder.commitment = std::move(list.commitment);
  std::string proofs;
  if (list.has_proofs) {
    SLIPWAY_ASSIGN_OR_RETURN(proofs, base::ReadFile(*dir, kProofsName, kFileBytesMax));
    SLIPWAY_RETURN_IF_ERROR(
        CheckLength(base::AsBytes(proofs), list.indices.size() * kBytesPerG1, {kProofsName}));
  }
  for (size_t i = 0; i < list.indices.size(); ++i) {
    absl::StatusOr<std::string> cell =
        base::ReadFile(*dir, CellName(list.indices[i]), kFileBytesMax);
    if (absl::IsNotFound(cell.status())) continue;
    SLIPWAY_RETURN_IF_ERROR(cell.status());
    SLIPWAY_RETURN_IF_ERROR(
        CheckLength(base::AsBytes(*cell), kBytesPerCell, {"cell", list.indices[i]}));
    folder.indices.push_back(list.indices[i]);
    folder.cells.push_back(ToBytes(*cell));
    if (list.has_proofs) {
      folder.proofs.push_back(ToBytes(proofs.substr(i * kBytesPerG1, kBytesPerG1)));
    }
  }
  return folder;
}

absl::Status WriteCellFolder(const std::string& path, base::BytesView commitment,
                             absl::Span<const uint64_t> indices, absl::Span<const Cell> cells,
                             absl::Span<const Proof> proofs, base::cli::Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir, in.world.files.MakeRoot(path));
  Json list = Json::MakeArray();
  for (size_t i = 0; i < indices.size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(
        base::WriteFileDurably(*dir, CellName(indices[i]), base::AsText(cells[i])));
    list.Append(Json(indices[i]));
  }
  if (!proofs.empty()) {
    base::Bytes all;
    for (const Proof& proof : proofs) all.insert(all.end(), proof.begin(), proof.end());
    SLIPWAY_RETURN_IF_ERROR(base::WriteFileDurably(*dir, kProofsName, base::AsText(all)));
  }
  Json json = Json::MakeObject({{"format", Json(kFormat)}});
  if (!commitment.empty()) json.Set("commitment", Json(EncodeHex(commitment)));
  json.Set("indices", std::move(list));
  json.Set("proofs", Json(!proofs.empty()));
  return base::WriteFileDurably(*dir, kListName, absl::StrCat(json.Dump(2), "\n"));
}

}  // namespace slipway::kzg::cli
