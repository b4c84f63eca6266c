#include "eraft/cli/kvclient.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/json/json.h"
#include "base/status.h"
#include "eraft/cli/bench_commands.h"
#include "eraft/cli/connection_flags.h"
#include "eraft/cli/eraftctl.h"
#include "eraft/client/kv_client.h"

namespace slipway::eraft::cli {
namespace {

using base::Json;
using base::cli::Invocation;
using client::Executed;

constexpr absl::Duration kStatusEach = absl::Milliseconds(200);
constexpr absl::Duration kStatusEachMax = absl::Milliseconds(700);  // E29: no table takes a second
constexpr int kTableDashes = 100;

// Text as it is; bytes that are no UTF-8 under another name.
void SetBytes(Json& json, const std::string& name, const std::string& bytes) {
  if (base::IsUtf8(bytes)) {
    json.Set(name, bytes);
  } else {
    json.Set(absl::StrCat(name, "_base64"), absl::Base64Escape(bytes));
  }
}

// The widths are those of the reference, the last column's too.
std::string Row(absl::string_view id, absl::string_view address, absl::string_view role,
                absl::string_view term, absl::string_view applied, absl::string_view commit,
                absl::string_view storage) {
  return absl::StrFormat("%-5s %-25s %-15s %-10s %-10s %-15s %-15s\n", id, address, role, term,
                         applied, commit, storage);
}

std::string TableOf(const std::vector<client::NodeStatus>& nodes) {
  std::string out = Row("ID", "Address", "Role", "Term", "Applied", "Commit", "Storage(B)");
  absl::StrAppend(&out, std::string(kTableDashes, '-'), "\n");
  for (const client::NodeStatus& node : nodes) {
    if (!node.status.ok()) {
      out += Row("-", node.address, "Offline", "-", "-", "-", "-");
      continue;
    }
    out += Row(absl::StrCat(node.id), node.address, node.role, absl::StrCat(node.term),
               absl::StrCat(node.applied), absl::StrCat(node.commit),
               absl::StrCat(node.storage_bytes));
  }
  return out;
}

Json JsonOf(const std::vector<client::NodeStatus>& nodes) {
  Json list = Json::MakeArray();
  for (const client::NodeStatus& node : nodes) {
    Json json = Json::MakeObject({{"address", node.address}, {"online", node.status.ok()}});
    if (node.status.ok()) {
      json.Set("id", node.id);
      json.Set("role", node.role);
      json.Set("term", node.term);
      json.Set("applied", node.applied);
      json.Set("commit", node.commit);
      json.Set("storage_bytes", node.storage_bytes);
    } else {
      json.Set("error", std::string(node.status.message()));
    }
    list.Append(std::move(json));
  }
  return Json::MakeObject({{"nodes", std::move(list)}});
}

absl::Status ShowStatus(client::KvClient& kv, const ConnectionFlags& flags, Invocation& in) {
  const absl::Duration each =
      flags.timeout_given ? std::min(flags.limit(), kStatusEachMax) : kStatusEach;
  const std::vector<client::NodeStatus> nodes = kv.Status(each);
  if (in.json) {
    in.result = JsonOf(nodes);
  } else {
    in.streams.out << TableOf(nodes);
  }
  const bool any = std::any_of(nodes.begin(), nodes.end(),
                               [](const client::NodeStatus& node) { return node.status.ok(); });
  if (any) return absl::OkStatus();
  return base::Annotate(nodes.front().status, "status: no server answered");
}

// What a person must know about a write that failed: was it done?
absl::Status Explained(const absl::Status& status, bool write, Invocation& in) {
  if (status.ok() || absl::IsCancelled(status)) return status;
  const Executed executed = client::WasExecuted(status);
  in.details = Json::MakeObject({{"executed", executed == Executed::kNo    ? "no"
                                              : executed == Executed::kYes ? "yes"
                                                                           : "unknown"}});
  const absl::string_view text = client::ExecutedText(executed);
  if (!write || absl::StrContains(std::string(status.message()), std::string(text))) return status;
  return base::MakeError(status.code(), absl::StrCat(std::string(status.message()), "; ", text),
                         base::GetErrorInfo(status));
}

}  // namespace

struct KvClientProgram::Flags {
  ConnectionFlags connection;
  std::string op = "get";
  std::optional<std::string> key, value;

  absl::Status Run(Invocation& in) const;
  absl::Status Check() const;
  absl::Status Get(client::KvClient& kv, Invocation& in) const;
  absl::Status Write(client::KvClient& kv, Invocation& in) const;
};

absl::Status KvClientProgram::Flags::Check() const {
  if (op == "status") return absl::OkStatus();
  if (op != "get" && op != "put" && op != "append") {
    return base::MakeError(absl::StatusCode::kInvalidArgument, "Unknown operation",
                           {"", "write -op get, put, append or status"});
  }
  if (!key.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(op, ": no key; write -key KEY"));
  }
  if (op != "get" && !value.has_value()) {
    return absl::InvalidArgumentError(absl::StrCat(op, ": no value; write -value VALUE"));
  }
  return absl::OkStatus();
}

absl::Status KvClientProgram::Flags::Get(client::KvClient& kv, Invocation& in) const {
  SLIPWAY_ASSIGN_OR_RETURN(const std::optional<std::string> found,
                           kv.Get(*key, connection.limit()));
  if (in.json) {
    in.result = Json::MakeObject({{"found", found.has_value()}});
    SetBytes(in.result, "key", *key);
    if (found.has_value()) SetBytes(in.result, "value", *found);
    return absl::OkStatus();
  }
  in.streams.out << "Get(" << *key << ") -> " << found.value_or("") << "\n";
  if (!found.has_value() && !in.quiet) in.streams.err << "note: there is no such key\n";
  return absl::OkStatus();
}

absl::Status KvClientProgram::Flags::Write(client::KvClient& kv, Invocation& in) const {
  const bool put = op == "put";
  SLIPWAY_RETURN_IF_ERROR(put ? kv.Put(*key, *value, connection.limit())
                              : kv.Append(*key, *value, connection.limit()));
  if (in.json) {
    in.result = Json::MakeObject({{"op", op}});
    SetBytes(in.result, "key", *key);
    return absl::OkStatus();
  }
  in.streams.out << (put ? "Put(" : "Append(") << *key << ", " << *value << ") success\n";
  return absl::OkStatus();
}

absl::Status KvClientProgram::Flags::Run(Invocation& in) const {
  const auto usage = [&in](const absl::Status& status) {
    in.exit_code = base::kExitUsage;
    return status;
  };
  if (const absl::Status status = Check(); !status.ok()) return usage(status);
  const auto options = connection.Resolve(in);
  if (!options.ok()) return usage(options.status());
  const auto kv = client::KvClient::Open(*options, in.world, in.cancel);
  if (!kv.ok()) return usage(kv.status());
  if (op == "status") return ShowStatus(**kv, connection, in);
  return Explained(op == "get" ? Get(**kv, in) : Write(**kv, in), op != "get", in);
}

KvClientProgram::KvClientProgram(const std::string& version) : flags_(std::make_unique<Flags>()) {
  base::cli::ProgramOptions options;
  options.version = version;
  options.exit_of = ExitCodeOf;
  options.go_style = true;
  program_ = std::make_unique<base::cli::Program>(
      "kvclient", "Reads and writes keys of a kvserver cluster.", std::move(options));
  program_->globals().Example("kvclient -op put -key greeting -value hello");
  program_->globals().Example(
      "kvclient -addrs kv-0:5001,kv-1:5001,kv-2:5001 -op get -key greeting");
  program_->globals().Example("kvclient -op status", "a table of all nodes");
  program_->globals().Example("kvclient bench 1000 10", "1000 puts by 10 clients at a time");
  base::cli::Command& run = program_->Add("", "Does one operation");
  run.Description(
      "Exit codes: 0 done, 1 refused or failed, 2 usage, 3 timed out or unreachable (the text says "
      "whether the command may have been executed), 4 corruption reported.");
  run.Text("--op", "OP", &flags_->op, "get, put, append or status");
  run.Text("--key", "KEY", &flags_->key, "Key");
  run.Text("--value", "VALUE", &flags_->value, "Value, of put and append");
  flags_->connection.Declare(run);
  run.Run([this](Invocation& in) { return flags_->Run(in); });
  AddBenchCommand(*program_, flags_->connection);
}

KvClientProgram::~KvClientProgram() = default;

}  // namespace slipway::eraft::cli
