#include "base/cli/server_flags.h"

#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "base/config/tree.h"
#include "base/json/json.h"
#include "base/status.h"

namespace slipway::base::cli {

ServerFlags::ServerFlags(Command& command, Options options) : options_(std::move(options)) {
  const std::string otherwise =
      options_.config_file.empty()
          ? ""
          : absl::StrCat(" (without: ", options_.config_file, " if it is there)");
  command.Text("--config", "FILE", &config_, absl::StrCat("Configuration", otherwise))
      .Completes(ValueKind::kFile);
  command.Flag("--check-config", &check_config_, "Check the configuration and leave: 0 or 2");
  command.Flag("--print-config", &print_config_,
               "Print every value and where it comes from, and leave");
  command.Flag("--probe", &probe_, "Ask the server at ADDR whether it serves, and leave: 0 or 1");
  command.Flag("--health-check", &health_check_, "The same");
  command.Flag("--insecure", &insecure_, "Serve other machines without TLS");
  command
      .Text("--ports-file", "FILE", &ports_file_, "Write the ports as JSON when the server serves")
      .Completes(ValueKind::kFile);
  command.Argument("ADDR", &probe_address_, "For --probe: host:port; without: the configured one");
}

void ServerFlags::AddKey(Command& command, absl::string_view flag, absl::string_view metavar,
                         absl::string_view key, absl::string_view help) {
  auto entry = std::make_unique<Key>();
  entry->flag = std::string(flag);
  entry->key = std::string(key);
  Key* const raw = entry.get();
  command.Text(flag, metavar, &raw->value, help).set = [raw](absl::string_view value) {
    raw->value = std::string(value);
    raw->given = true;
    return absl::OkStatus();
  };
  keys_.push_back(std::move(entry));
}

void ServerFlags::AddSwitch(Command& command, absl::string_view flag, absl::string_view key,
                            absl::string_view help) {
  auto entry = std::make_unique<Key>();
  entry->flag = std::string(flag);
  entry->key = std::string(key);
  Key* const raw = entry.get();
  bool unused = false;
  command.Switch(flag, &unused, help).set = [raw](absl::string_view value) {
    raw->value = std::string(value);
    raw->given = true;
    return absl::OkStatus();
  };
  keys_.push_back(std::move(entry));
}

class ServerConfigLoader {
 public:
  ServerConfigLoader(const ServerFlags& flags, Invocation& in) : flags_(flags), in_(in) {}

  absl::StatusOr<LoadedServerConfig> Load(const std::function<void(ConfigReader&)>& bind,
                                          const std::function<absl::Status()>& check) {
    if (!flags_.probe() && !flags_.probe_address().empty()) {
      return MakeError(absl::StatusCode::kInvalidArgument,
                       absl::StrCat("run server: unexpected argument ", flags_.probe_address()),
                       {"", "an address goes with --probe; options begin with --"});
    }
    SLIPWAY_ASSIGN_OR_RETURN(ConfigNode root, ReadTree());
    const auto [parent, name] = SplitPath(loaded_.file);
    ConfigReader reader(root, {&in_.world.environment, &in_.world.files,
                               parent.empty() ? "." : std::string(parent)});
    bind(reader);
    SLIPWAY_RETURN_IF_ERROR(reader.Finish());
    for (const std::string& warning : reader.Warnings()) in_.Warn("", warning);
    if (flags_.print_config_ && in_.json) {
      ShowAsJson(reader.values());
    } else if (flags_.print_config_) {
      in_.streams.out << ShowConfig(reader.values(), /*origins=*/true);
    }
    absl::Status status = check();
    if (!status.ok()) return status;
    if (flags_.check_config_ && in_.json) {
      Result().Set("config_ok", true);
    } else if (flags_.check_config_) {
      in_.streams.out << "config ok\n";
    }
    loaded_.shown = flags_.print_config_ || flags_.check_config_;
    return loaded_;
  }

 private:
  Json& Result() {
    if (in_.result.AsObject() == nullptr) in_.result = Json::MakeObject();
    return in_.result;
  }

  void ShowAsJson(const std::vector<ConfigField>& values) {
    Json shown = Json::MakeObject();
    for (const ConfigField& field : values) {
      if (field.value.empty() && field.origin.kind == ConfigOrigin::Kind::kDefault) continue;
      shown.Set(field.Key(),
                Json::MakeObject({{"value", field.value}, {"origin", field.origin.Text()}}));
    }
    Result().Set("config", std::move(shown));
  }

  absl::StatusOr<ConfigNode> ReadTree() {
    const std::string& wanted = flags_.config_;
    const std::string& usual = flags_.options_.config_file;
    absl::StatusOr<ConfigNode> root = ParseConfig("", "defaults");
    if (!wanted.empty() || !usual.empty()) {
      loaded_.file = wanted.empty() ? usual : wanted;
      auto file = LoadConfig(in_.world.files, loaded_.file);
      if (file.ok()) {
        root = *std::move(file);
      } else if (!wanted.empty() || !absl::IsNotFound(file.status())) {
        return Annotate(file.status(), absl::StrCat("read configuration ", loaded_.file));
      } else {
        loaded_.file.clear();
      }
    }
    SLIPWAY_RETURN_IF_ERROR(root.status());
    ConfigProblems problems;
    ExpandConfig(*root, in_.world.environment, problems);
    OverlayEnvironment(*root, flags_.options_.prefix, in_.world.environment, problems);
    if (flags_.insecure_) SetConfig(*root, "insecure", "true", FlagOrigin("--insecure"));
    for (const auto& key : flags_.keys_) {
      if (key->given) SetConfig(*root, key->key, key->value, FlagOrigin(key->flag));
    }
    SLIPWAY_RETURN_IF_ERROR(problems.ToStatus());
    return root;
  }

  const ServerFlags& flags_;
  Invocation& in_;
  LoadedServerConfig loaded_;
};

absl::StatusOr<LoadedServerConfig> LoadServerConfig(const ServerFlags& flags, Invocation& in,
                                                    const std::function<void(ConfigReader&)>& bind,
                                                    const std::function<absl::Status()>& check) {
  return ServerConfigLoader(flags, in).Load(bind, check);
}

absl::Status WritePortsFile(Files& files, const std::string& path,
                            const std::vector<std::pair<std::string, int>>& ports, int pid) {
  Json json = Json::MakeObject();
  for (const auto& [name, port] : ports) json.Set(name, port);
  json.Set("pid", pid);
  const auto [parent, name] = SplitPath(path);
  const std::string folder = !parent.empty() ? std::string(parent) : path[0] == '/' ? "/" : ".";
  auto dir = files.OpenRoot(folder);
  if (!dir.ok()) return Annotate(dir.status(), "write ports file");
  return Annotate(WriteFileDurably(**dir, name, json.Dump() + "\n"), "write ports file");
}

}  // namespace slipway::base::cli
