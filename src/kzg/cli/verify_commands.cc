// kzg verify proof, blob, batch, cells.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/cli/command.h"
#include "base/json/json.h"
#include "base/status.h"
#include "kzg/cli/cell_files.h"
#include "kzg/cli/context.h"
#include "kzg/scheme/cells.h"
#include "kzg/scheme/kzg.h"

namespace slipway::kzg::cli {
namespace {

using base::Json;
using base::cli::Command;
using base::cli::Invocation;

constexpr uint64_t kManifestBytesMax = 64 << 20;

// "valid" and exit 0, or "invalid" and exit 1, which is an answer and no error.
absl::Status Tell(bool valid, const std::vector<size_t>& invalid, Invocation& in) {
  in.result = Json::MakeObject({{"valid", valid}});
  if (!invalid.empty()) {
    Json list = Json::MakeArray();
    for (const size_t index : invalid) list.Append(Json(static_cast<uint64_t>(index)));
    in.result.Set("invalid", std::move(list));
  }
  if (!in.json) {
    in.streams.out << (valid ? "valid" : "invalid");
    if (!invalid.empty()) in.streams.out << ": items " << absl::StrJoin(invalid, ", ");
    in.streams.out << "\n";
  }
  if (!valid) in.exit_code = base::kExitFailure;
  return absl::OkStatus();
}

struct ProofOptions {
  std::string blob, commitment, z, y, proof;
};

absl::Status RunVerifyProof(const Context& context, const ProofOptions& o, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes c, ReadHex(o.commitment, kBytesPerG1, {"commitment"}));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes z, ReadHex(o.z, kBytesPerFieldElement, {"z"}));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes y, ReadHex(o.y, kBytesPerFieldElement, {"y"}));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes proof, ReadHex(o.proof, kBytesPerG1, {"proof"}));
  SLIPWAY_ASSIGN_OR_RETURN(const LoadedSetup loaded, context.Load(in, nullptr));
  SLIPWAY_ASSIGN_OR_RETURN(const bool valid, VerifyProof(c, z, y, proof, *loaded.setup));
  return Tell(valid, {}, in);
}

absl::Status RunVerifyBlob(const Context& context, const ProofOptions& o, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes c, ReadHex(o.commitment, kBytesPerG1, {"commitment"}));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes proof, ReadHex(o.proof, kBytesPerG1, {"proof"}));
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes blob, ReadBlobInput(o.blob, in));
  SLIPWAY_ASSIGN_OR_RETURN(const LoadedSetup loaded, context.Load(in, nullptr));
  SLIPWAY_ASSIGN_OR_RETURN(const bool valid, VerifyBlobProof(blob, c, proof, *loaded.setup));
  return Tell(valid, {}, in);
}

// A manifest of blobs with their commitments and proofs.
struct BlobBatch {
  std::vector<base::Bytes> blobs, commitments, proofs;
};

absl::StatusOr<std::string> Member(const Json& item, absl::string_view key, size_t index) {
  const Json* value = item.Find(key);
  const std::string* text = value == nullptr ? nullptr : value->AsString();
  if (text != nullptr) return *text;
  return absl::InvalidArgumentError(
      absl::StrCat("read manifest: item ", index, " has no text '", key, "'"));
}

absl::StatusOr<BlobBatch> ReadManifest(const std::string& path, Invocation& in) {
  std::string file = path;
  absl::StatusOr<std::string> text =
      base::ReadUserFile(in.world.files, base::JoinPath(path, "manifest.json"), kManifestBytesMax);
  if (text.ok()) {
    file = base::JoinPath(path, "manifest.json");
  } else if (absl::StatusOr<std::string> named =
                 base::ReadUserFile(in.world.files, path, kManifestBytesMax);
             // A folder without a manifest: that it is no file helps nobody.
             !absl::IsNotFound(text.status()) || !absl::IsFailedPrecondition(named.status())) {
    text = std::move(named);
  }
  SLIPWAY_RETURN_IF_ERROR(text.status());
  SLIPWAY_ASSIGN_OR_RETURN(const Json json, base::ParseJson(*text));
  const Json* items = json.Find("items");
  if (items == nullptr || !items->is_array()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "read manifest ", file, ": it must be {\"items\": [{blob, commitment, proof}, …]}"));
  }
  const std::string folder(base::SplitPath(file).first);
  BlobBatch batch;
  for (size_t i = 0; i < items->AsArray()->size(); ++i) {
    const Json& item = (*items->AsArray())[i];
    SLIPWAY_ASSIGN_OR_RETURN(std::string blob, Member(item, "blob", i));
    SLIPWAY_ASSIGN_OR_RETURN(const std::string commitment, Member(item, "commitment", i));
    SLIPWAY_ASSIGN_OR_RETURN(const std::string proof, Member(item, "proof", i));
    if (blob.substr(0, 2) != "0x" && blob.substr(0, 1) != "/") blob = base::JoinPath(folder, blob);
    SLIPWAY_ASSIGN_OR_RETURN(batch.blobs.emplace_back(), ReadBlobInput(blob, in));
    SLIPWAY_ASSIGN_OR_RETURN(batch.commitments.emplace_back(),
                             ReadHex(commitment, kBytesPerG1, {"commitment", i}));
    SLIPWAY_ASSIGN_OR_RETURN(batch.proofs.emplace_back(),
                             ReadHex(proof, kBytesPerG1, {"proof", i}));
  }
  return batch;
}

absl::Status RunVerifyBatch(const Context& context, const std::string& path, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const BlobBatch batch, ReadManifest(path, in));
  const std::unique_ptr<Executor> executor = context.MakeExecutor(in.world);
  SLIPWAY_ASSIGN_OR_RETURN(const LoadedSetup loaded, context.Load(in, executor.get()));
  const std::vector<BytesView> blobs(batch.blobs.begin(), batch.blobs.end());
  const std::vector<BytesView> commitments(batch.commitments.begin(), batch.commitments.end());
  const std::vector<BytesView> proofs(batch.proofs.begin(), batch.proofs.end());
  SLIPWAY_ASSIGN_OR_RETURN(const bool valid, VerifyBlobProofBatch(blobs, commitments, proofs,
                                                                  *loaded.setup, executor.get()));
  std::vector<size_t> invalid;
  for (size_t i = 0; !valid && i < blobs.size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(in.cancel.status());
    SLIPWAY_ASSIGN_OR_RETURN(const bool item,
                             VerifyBlobProof(blobs[i], commitments[i], proofs[i], *loaded.setup));
    if (!item) invalid.push_back(i);
  }
  return Tell(valid, invalid, in);
}

absl::Status RunVerifyCells(const Context& context, const std::string& path, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const CellFolder folder, ReadCellFolder(path, in));
  if (folder.commitment.empty() || folder.proofs.size() != folder.cells.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("verify cells ", path,
                     ": it has no commitment or no proofs; write it with cells --proofs"));
  }
  const std::unique_ptr<Executor> executor = context.MakeExecutor(in.world);
  SLIPWAY_ASSIGN_OR_RETURN(const LoadedSetup loaded, context.Load(in, executor.get()));
  const std::vector<BytesView> cells(folder.cells.begin(), folder.cells.end());
  const std::vector<BytesView> proofs(folder.proofs.begin(), folder.proofs.end());
  const std::vector<BytesView> commitments(cells.size(), BytesView(folder.commitment));
  SLIPWAY_ASSIGN_OR_RETURN(
      const bool valid,
      VerifyCellBatch({commitments, folder.indices, cells, proofs}, *loaded.setup, executor.get()));
  std::vector<size_t> invalid;
  for (size_t i = 0; !valid && i < cells.size(); ++i) {
    SLIPWAY_RETURN_IF_ERROR(in.cancel.status());
    const CellsToVerify one{
        absl::MakeSpan(commitments).subspan(i, 1), absl::MakeSpan(folder.indices).subspan(i, 1),
        absl::MakeSpan(cells).subspan(i, 1), absl::MakeSpan(proofs).subspan(i, 1)};
    SLIPWAY_ASSIGN_OR_RETURN(const bool item, VerifyCellBatch(one, *loaded.setup));
    if (!item) invalid.push_back(folder.indices[i]);
  }
  return Tell(valid, invalid, in);
}

absl::Status Require(const std::string& value, absl::string_view option) {
  if (!value.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("verify: ", option, " is missing"));
}

}  // namespace

void AddVerifyCommands(base::cli::Program& program, const ContextPtr& context) {
  program.AddGroup("verify", "Check proofs: prints valid or invalid; exit 0 or 1");
  auto o = std::make_shared<ProofOptions>();
  Command& proof = program.Add("verify proof", "Check the value of a blob at a point");
  proof.Text("--commitment", "HEX", &o->commitment, "48 bytes");
  proof.Text("--z", "HEX", &o->z, "The point, 32 bytes");
  proof.Text("--y", "HEX", &o->y, "The value, 32 bytes");
  proof.Text("--proof", "HEX", &o->proof, "48 bytes");
  proof.Example("kzg verify proof --commitment 0x… --z 0x… --y 0x… --proof 0x…");
  proof.Run([context, o](Invocation& in) -> absl::Status {
    SLIPWAY_RETURN_IF_ERROR(Require(o->commitment, "--commitment"));
    SLIPWAY_RETURN_IF_ERROR(Require(o->z, "--z"));
    SLIPWAY_RETURN_IF_ERROR(Require(o->y, "--y"));
    SLIPWAY_RETURN_IF_ERROR(Require(o->proof, "--proof"));
    return RunVerifyProof(*context, *o, in);
  });

  auto b = std::make_shared<ProofOptions>();
  Command& blob = program.Add("verify blob", "Check the proof of a whole blob");
  blob.Argument("BLOB", &b->blob, "File, - or 0x…")
      .Required()
      .Completes(base::cli::ValueKind::kFile);
  blob.Text("--commitment", "HEX", &b->commitment, "48 bytes");
  blob.Text("--proof", "HEX", &b->proof, "48 bytes");
  blob.Example("kzg verify blob blob.bin --commitment 0x… --proof 0x…");
  blob.Run([context, b](Invocation& in) -> absl::Status {
    SLIPWAY_RETURN_IF_ERROR(Require(b->commitment, "--commitment"));
    SLIPWAY_RETURN_IF_ERROR(Require(b->proof, "--proof"));
    return RunVerifyBlob(*context, *b, in);
  });

  auto batch_path = std::make_shared<std::string>();
  Command& batch = program.Add("verify batch", "Check the proofs of many blobs at once");
  batch.Argument("MANIFEST", batch_path.get(), "manifest.json, or the folder that holds it")
      .Required()
      .Completes(base::cli::ValueKind::kFile);
  batch.Description(
      "The manifest is {\"items\": [{\"blob\": FILE or 0x…, \"commitment\": 0x…, \"proof\": "
      "0x…}, …]}; files are relative to it.");
  batch.Example("kzg verify batch block/manifest.json");
  batch.Run(
      [context, batch_path](Invocation& in) { return RunVerifyBatch(*context, *batch_path, in); });

  auto cells_path = std::make_shared<std::string>();
  Command& cells = program.Add("verify cells", "Check cells that `kzg cells --proofs` wrote");
  cells.Argument("FILE", cells_path.get(), "cells.json, or the folder that holds it")
      .Required()
      .Completes(base::cli::ValueKind::kFile);
  cells.Example("kzg verify cells cells/cells.json");
  cells.Run(
      [context, cells_path](Invocation& in) { return RunVerifyCells(*context, *cells_path, in); });
}

}  // namespace slipway::kzg::cli
