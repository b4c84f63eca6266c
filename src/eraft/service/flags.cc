#include "eraft/service/flags.h"

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/config/tree.h"
#include "base/net/listen_addresses.h"
#include "base/status.h"
#include "eraft/service/probe.h"

namespace slipway::eraft {
namespace {

// "a number" and the like, from the type that the reader shows.
std::string MetavarOf(const std::string& type) {
  for (const auto& [begin, metavar] : {std::pair<absl::string_view, const char*>{"integer", "N"},
                                       {"number", "N"},
                                       {"size", "SIZE"},
                                       {"duration", "TIME"},
                                       {"list", "LIST"}}) {
    if (absl::StartsWith(type, begin)) return metavar;
  }
  return "TEXT";
}

}  // namespace

void AddKvServerFlags(base::cli::Command& command, base::cli::ServerFlags& flags) {
  KvServerConfig config;
  const auto root = base::ParseConfig("", "defaults");
  base::ConfigReader reader(*root, {});
  BindKvServerConfig(reader, config);
  for (const base::ConfigField& field : reader.schema()) {
    if (field.later || field.Key() == "insecure") continue;  // every server has that flag
    const std::string key = field.Key();
    const std::string flag = absl::StrCat("--", absl::StrReplaceAll(key, {{"_", "-"}, {".", "-"}}));
    if (field.type == "boolean") {
      flags.AddSwitch(command, flag, key, field.help);
    } else {
      flags.AddKey(command, flag, MetavarOf(field.type), key, field.help);
    }
  }
  command.Example("kvserver -id 0 -cluster localhost:5001,localhost:5002,localhost:5003",
                  "one of three, on this machine");
  command.Example("kvserver --config /etc/eraft/kvserver.yaml");
}

absl::StatusOr<KvServerSettings> ReadKvServerSettings(const base::cli::ServerFlags& flags,
                                                      base::cli::Invocation& in) {
  KvServerSettings settings;
  SLIPWAY_ASSIGN_OR_RETURN(
      const base::cli::LoadedServerConfig loaded,
      base::cli::LoadServerConfig(
          flags, in,
          [&](base::ConfigReader& reader) {
            BindKvServerConfig(reader, settings.config);
            settings.values = reader.values();
          },
          [&]() -> absl::Status {
            auto plan = PlanKvServer(settings.config, in.world.environment);
            if (!plan.ok()) return plan.status();
            settings.plan = *std::move(plan);
            const std::string& own = settings.plan.listen;
            const absl::Status found = base::net::CheckResolvable(own);
            if (found.ok()) return found;
            return base::Annotate(
                found,
                absl::StrCat(settings.config.listen.empty() ? "--cluster " : "--listen ", own));
          }));
  settings.shown = loaded.shown;
  return settings;
}

}  // namespace slipway::eraft
