// kzg commit, kzg prove.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/cli/command.h"
#include "base/cli/progress.h"
#include "base/json/json.h"
#include "base/status.h"
#include "kzg/cli/context.h"
#include "kzg/cli/packing.h"
#include "kzg/scheme/hex.h"
#include "kzg/scheme/kzg.h"

namespace slipway::kzg::cli {
namespace {

using base::Json;
using base::cli::Command;
using base::cli::Invocation;

struct CommitOptions {
  std::vector<std::string> inputs;
  bool pack = false;
  std::string output;
};

// The blobs that an argument stands for: itself, or with --pack the chunks of a file.
absl::StatusOr<std::vector<base::Bytes>> ReadBlobs(const std::string& input, bool pack,
                                                   Invocation& in) {
  std::vector<base::Bytes> blobs;
  if (!pack) {
    SLIPWAY_ASSIGN_OR_RETURN(base::Bytes blob, ReadBlobInput(input, in));
    blobs.push_back(std::move(blob));
    return blobs;
  }
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes data, ReadInput(input, kPackedBytesMax, {"file"}, in));
  for (size_t i = 0; i < ChunkCount(data.size()); ++i) blobs.push_back(PackChunk(data, i));
  return blobs;
}

absl::Status RunCommit(const Context& context, const CommitOptions& o, Invocation& in) {
  const std::unique_ptr<Executor> executor = context.MakeExecutor(in.world);
  SLIPWAY_ASSIGN_OR_RETURN(const LoadedSetup loaded, context.Load(in, executor.get()));
  // One blob is done before anybody could read how far it is.
  const bool shows =
      in.streams.err_is_terminal && !in.json && !in.quiet && (o.pack || o.inputs.size() > 1);
  base::cli::Progress progress(
      in.streams, in.world.clock,
      {.mode = shows ? base::cli::ProgressMode::kAuto : base::cli::ProgressMode::kNone});
  progress.Start({.phase = "commit", .component = "", .source = ""});
  Json results = Json::MakeArray();
  base::Bytes binary;
  std::string text;
  uint64_t done_bytes = 0;
  for (const std::string& input : o.inputs) {
    SLIPWAY_ASSIGN_OR_RETURN(const std::vector<base::Bytes> blobs, ReadBlobs(input, o.pack, in));
    Json list = Json::MakeArray();
    for (size_t i = 0; i < blobs.size(); ++i) {
      SLIPWAY_RETURN_IF_ERROR(in.cancel.status());
      absl::StatusOr<Commitment> commitment =
          BlobToCommitment(blobs[i], *loaded.setup, executor.get());
      if (!commitment.ok()) {
        return base::Annotate(commitment.status(), input.substr(0, 100));
      }
      binary.insert(binary.end(), commitment->begin(), commitment->end());
      absl::StrAppend(&text, EncodeHex(*commitment), "\n");
      list.Append(Json(EncodeHex(*commitment)));
      progress.Update(done_bytes += kBytesPerBlob);
    }
    results.Append(
        Json::MakeObject({{"input", input.substr(0, 100)}, {"commitments", std::move(list)}}));
  }
  progress.Finish();
  if (!o.output.empty()) SLIPWAY_RETURN_IF_ERROR(WriteOutput(o.output, binary, in));
  in.result = Json::MakeObject({{"blobs", std::move(results)}});
  if (!in.json && o.output.empty()) in.streams.out << text;
  return absl::OkStatus();
}

struct ProveOptions {
  std::string input, z, commitment;
};

absl::Status RunProve(const Context& context, const ProveOptions& o, Invocation& in) {
  if (!o.z.empty() && !o.commitment.empty()) {
    return absl::InvalidArgumentError(
        "prove: --z and --commitment exclude each other: a blob proof has its own point");
  }
  const std::unique_ptr<Executor> executor = context.MakeExecutor(in.world);
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes blob, ReadBlobInput(o.input, in));
  std::vector<std::pair<std::string, std::string>> lines;
  if (!o.z.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes z, ReadHex(o.z, kBytesPerFieldElement, {"z"}));
    SLIPWAY_ASSIGN_OR_RETURN(const LoadedSetup loaded, context.Load(in, executor.get()));
    SLIPWAY_ASSIGN_OR_RETURN(const ProofAndY result,
                             ComputeProof(blob, z, *loaded.setup, executor.get()));
    lines = {{"proof", EncodeHex(result.proof)}, {"y", EncodeHex(result.y)}};
  } else if (!o.commitment.empty()) {
    SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes commitment,
                             ReadHex(o.commitment, kBytesPerG1, {"commitment"}));
    SLIPWAY_ASSIGN_OR_RETURN(const LoadedSetup loaded, context.Load(in, executor.get()));
    SLIPWAY_ASSIGN_OR_RETURN(const Proof proof,
                             ComputeBlobProof(blob, commitment, *loaded.setup, executor.get()));
    lines = {{"commitment", EncodeHex(commitment)}, {"proof", EncodeHex(proof)}};
  } else {
    SLIPWAY_ASSIGN_OR_RETURN(const LoadedSetup loaded, context.Load(in, executor.get()));
    SLIPWAY_ASSIGN_OR_RETURN(const CommitmentAndProof both,
                             CommitAndProve(blob, *loaded.setup, executor.get()));
    lines = {{"commitment", EncodeHex(both.commitment)}, {"proof", EncodeHex(both.proof)}};
  }
  in.result = Json::MakeObject();
  for (const auto& [name, value] : lines) {
    in.result.Set(name, Json(value));
    if (!in.json) in.streams.out << name << " " << value << "\n";
  }
  return absl::OkStatus();
}

}  // namespace

void AddBlobCommands(base::cli::Program& program, const ContextPtr& context) {
  auto commit_options = std::make_shared<CommitOptions>();
  Command& commit = program.Add("commit", "Print the commitments of blobs");
  commit.Arguments("BLOB", &commit_options->inputs, "File, - or 0x… of 131072 bytes")
      .Required()
      .Completes(base::cli::ValueKind::kFile);
  commit.Flag("--pack", &commit_options->pack, "Take files of any size, cut into blobs");
  commit.Flag("--raw", &commit_options->pack, "Each input is one blob (the default)").set =
      [commit_options](absl::string_view value) {
        if (value == "true") commit_options->pack = false;
        return absl::OkStatus();
      };
  commit.Text("--output,-o", "FILE", &commit_options->output, "Write 48 bytes a blob instead")
      .Completes(base::cli::ValueKind::kFile);
  commit.Example("kzg commit blob.bin");
  commit.Example("kzg commit --pack model.bin -o model.commitments");
  commit.Run([context, commit_options](Invocation& in) {
    return RunCommit(*context, *commit_options, in);
  });

  auto prove_options = std::make_shared<ProveOptions>();
  Command& prove = program.Add("prove", "Print a proof of a blob, or of its value at a point");
  prove.Argument("BLOB", &prove_options->input, "File, - or 0x… of 131072 bytes")
      .Required()
      .Completes(base::cli::ValueKind::kFile);
  prove.Text("--z", "HEX", &prove_options->z, "The point, 32 bytes: prints proof and value");
  prove.Text("--commitment", "HEX", &prove_options->commitment,
             "Of the blob; computed when it is not given");
  prove.Example("kzg prove blob.bin", "commitment and blob proof");
  prove.Example("kzg prove blob.bin --z 0x0000…01", "the value at 1 and its proof");
  prove.Run(
      [context, prove_options](Invocation& in) { return RunProve(*context, *prove_options, in); });
}

}  // namespace slipway::kzg::cli
