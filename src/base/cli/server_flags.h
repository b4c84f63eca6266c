// What every server has on its command line, and how it comes to its configuration: defaults, then
// the file, then PREFIX__SECTION__KEY, then flags (DECISIONS 3). Thread-compatible.
//
//   ServerFlags flags(command, {.prefix = "ZAKO_CASD", .config_file = "/etc/zako/casd.yaml"});
//   …
//   auto loaded = LoadServerConfig(flags, in, [&](ConfigReader& r) { BindCasdConfig(r, config); });
//   if (!loaded.ok() || loaded->shown) return loaded.status();  // --print-config, --check-config
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/cli/command.h"
#include "base/config/reader.h"
#include "base/files.h"

namespace slipway::base::cli {

// Exit codes of servers (DECISIONS 3), beside those of all programs.
inline constexpr int kExitCannotStart = 3;  // port, permission of a directory
inline constexpr int kExitInternal = 4;
inline constexpr int kExitStorage = 5;  // locked, foreign or failed

class ServerFlags {
 public:
  struct Options {
    std::string prefix;       // of the environment
    std::string config_file;  // read if it is there and --config is not given
  };
  // Declares --config --check-config --print-config --health-check (--probe) --insecure
  // --ports-file on `command`, which outlives this; the argument ADDR is that of --probe.
  ServerFlags(Command& command, Options options);
  // The flags are bound to members.
  ServerFlags(const ServerFlags&) = delete;
  ServerFlags& operator=(const ServerFlags&) = delete;

  // A flag that stands for a key of the configuration: --roles LIST for "roles".
  void AddKey(Command& command, absl::string_view flag, absl::string_view metavar,
              absl::string_view key, absl::string_view help);

  // The same for a key that is true or false: --join, --no-join.
  void AddSwitch(Command& command, absl::string_view flag, absl::string_view key,
                 absl::string_view help);

  bool probe() const { return probe_ || health_check_; }
  const std::string& probe_address() const { return probe_address_; }  // empty: not given
  const std::string& ports_file() const { return ports_file_; }

 private:
  friend class ServerConfigLoader;
  Options options_;
  std::string config_, ports_file_, probe_address_;
  bool check_config_ = false, print_config_ = false, probe_ = false, health_check_ = false,
       insecure_ = false;
  struct Key {
    std::string flag, key, value;
    bool given = false;
  };
  std::vector<std::unique_ptr<Key>> keys_;
};

struct LoadedServerConfig {
  bool shown = false;  // it was only asked for: nothing is to be started
  std::string file;    // that was read; empty: none
};

// Loads, binds by `bind` and checks by `check`. Does what --check-config and --print-config ask
// for: texts, or with --json the members "config" (key: value as YAML, origin) and "config_ok" of
// the one document. InvalidArgument with every problem; warnings go to `in`.
absl::StatusOr<LoadedServerConfig> LoadServerConfig(const ServerFlags& flags, Invocation& in,
                                                    const std::function<void(ConfigReader&)>& bind,
                                                    const std::function<absl::Status()>& check);

// Writes {"name": port, …} to `path`, at once and whole: who waits for the file finds all of it.
absl::Status WritePortsFile(Files& files, const std::string& path,
                            const std::vector<std::pair<std::string, int>>& ports, int pid);

}  // namespace slipway::base::cli
