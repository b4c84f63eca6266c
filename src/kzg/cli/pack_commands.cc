// kzg encode, kzg decode: files as blobs (K85).
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/cli/command.h"
#include "base/digest/sha256.h"
#include "base/files.h"
#include "base/json/json.h"
#include "base/status.h"
#include "kzg/cli/cell_files.h"
#include "kzg/cli/context.h"
#include "kzg/cli/packing.h"

namespace slipway::kzg::cli {
namespace {

using base::Json;
using base::cli::Command;
using base::cli::Invocation;

constexpr char kListName[] = "blobs.json";
constexpr uint64_t kListBytesMax = 1 << 20;
constexpr uint64_t kEncoding = 1;

std::string BlobName(size_t index) { return absl::StrFormat("blob-%05d.bin", index); }

struct PackOptions {
  std::string input, output;
};

absl::Status RunEncode(const PackOptions& o, Invocation& in) {
  if (o.output.empty()) return absl::InvalidArgumentError("encode: -o DIR is missing");
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes file,
                           ReadInput(o.input, kPackedBytesMax, {"file"}, in));
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir, in.world.files.MakeRoot(o.output));
  // Until all blobs are there no list says so: an older one would name blobs of two files.
  SLIPWAY_RETURN_IF_ERROR(RemoveList(*dir, kListName));
  const size_t count = ChunkCount(file.size());
  for (size_t i = 0; i < count; ++i) {
    SLIPWAY_RETURN_IF_ERROR(in.cancel.status());
    SLIPWAY_RETURN_IF_ERROR(
        base::WriteFileDurably(*dir, BlobName(i), base::AsText(PackChunk(file, i))));
  }
  in.result = Json::MakeObject({{"encoding", Json(kEncoding)},
                                {"size", static_cast<uint64_t>(file.size())},
                                {"blobs", static_cast<uint64_t>(count)},
                                {"sha256", base::ToHex(base::Sha256Of(file))}});
  SLIPWAY_RETURN_IF_ERROR(
      base::WriteFileDurably(*dir, kListName, absl::StrCat(in.result.Dump(2), "\n")));
  if (!in.json) in.streams.out << count << " blobs in " << o.output << "\n";
  return absl::OkStatus();
}

absl::Status RunDecode(const PackOptions& o, Invocation& in) {
  if (o.output.empty()) return absl::InvalidArgumentError("decode: -o FILE is missing");
  SLIPWAY_ASSIGN_OR_RETURN(const auto dir, in.world.files.OpenRoot(o.input));
  SLIPWAY_ASSIGN_OR_RETURN(const std::string text, base::ReadFile(*dir, kListName, kListBytesMax));
  SLIPWAY_ASSIGN_OR_RETURN(const Json list, base::ParseJson(text));
  const Json* encoding = list.Find("encoding");
  const Json* size = list.Find("size");
  if (encoding == nullptr || encoding->AsUint() != kEncoding || size == nullptr ||
      size->AsUint().value_or(kPackedBytesMax + 1) > kPackedBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("decode ", o.input, ": ", kListName, " must name encoding ", kEncoding,
                     " and a size of at most ", kPackedBytesMax, " bytes"));
  }
  const uint64_t file_bytes = *size->AsUint();
  base::Bytes file;
  for (size_t i = 0; i < ChunkCount(file_bytes); ++i) {
    SLIPWAY_RETURN_IF_ERROR(in.cancel.status());
    SLIPWAY_ASSIGN_OR_RETURN(const std::string blob,
                             base::ReadFile(*dir, BlobName(i), kBytesPerBlob));
    SLIPWAY_RETURN_IF_ERROR(UnpackChunk(base::AsBytes(blob), i, file_bytes, file));
  }
  if (const Json* digest = list.Find("sha256");
      digest == nullptr || digest->AsString() == nullptr ||
      *digest->AsString() != base::ToHex(base::Sha256Of(file))) {
    return absl::DataLossError(absl::StrCat("decode ", o.input, ": the blobs do not give the file ",
                                            "that ", kListName, " names by its SHA-256"));
  }
  SLIPWAY_RETURN_IF_ERROR(WriteOutput(o.output, file, in));
  in.result = Json::MakeObject({{"size", file_bytes}});
  if (!in.json) in.streams.out << file_bytes << " bytes in " << o.output << "\n";
  return absl::OkStatus();
}

}  // namespace

void AddPackCommands(base::cli::Program& program, const ContextPtr&) {
  auto e = std::make_shared<PackOptions>();
  Command& encode = program.Add("encode", "Cut a file into blobs of 126976 of its bytes each");
  encode.Argument("FILE", &e->input, "File of at most 1 GiB, or -")
      .Required()
      .Completes(base::cli::ValueKind::kFile);
  encode.Text("--output,-o", "DIR", &e->output, "Where to: blob-NNNNN.bin, blobs.json")
      .Completes(base::cli::ValueKind::kDirectory);
  encode.Example("kzg encode model.bin -o blobs/");
  encode.Run([e](Invocation& in) { return RunEncode(*e, in); });

  auto d = std::make_shared<PackOptions>();
  Command& decode = program.Add("decode", "Put a file together again from its blobs");
  decode.Argument("DIR", &d->input, "What encode wrote")
      .Required()
      .Completes(base::cli::ValueKind::kDirectory);
  decode.Text("--output,-o", "FILE", &d->output, "Where to").Completes(base::cli::ValueKind::kFile);
  decode.Example("kzg decode blobs/ -o model.bin");
  decode.Run([d](Invocation& in) { return RunDecode(*d, in); });
}

}  // namespace slipway::kzg::cli
