// How a server comes to its configuration, and what the flags of all servers do (DECISIONS 3).
#include "base/cli/server_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "absl/strings/str_cat.h"
#include "base/cli/program.h"
#include "base/json/json.h"
#include "base/sim/world.h"

namespace slipway::base::cli {
namespace {

using ::testing::HasSubstr;

constexpr char kUsual[] = "/etc/demo/demo.yaml";

struct DemoConfig {
  std::string name = "default";
  std::vector<std::string> roles = {"all"};
  int port = 1;
  bool insecure = false;
};

// What became of one run of a server "demo".
struct Ran {
  int exit = 0;
  std::string out, err;
  bool started = false;
  DemoConfig config;
  std::string file, probe_address, ports_file;
  bool probe = false;
};

class ServerFlagsTest : public ::testing::Test {
 protected:
  ServerFlagsTest() {
    Write("/etc/demo", "other", "");
    Write("/srv", "own.yaml", "name: own\nport: 2\n");
  }

  void Write(const std::string& folder, const std::string& name, absl::string_view text) {
    auto dir = world_.files.MakeRoot(folder);
    ASSERT_TRUE(dir.ok());
    ASSERT_TRUE(WriteFileDurably(**dir, name, text).ok());
  }

  Ran Run(const std::vector<std::string>& args) {
    Ran ran;
    Program program("demo", "A server.");
    Command& command = program.Add("", "Serve");
    ServerFlags flags(command, {.prefix = "DEMO", .config_file = kUsual});
    flags.AddKey(command, "--roles", "LIST", "roles", "Parts to serve");
    command.Run([&](Invocation& in) -> absl::Status {
      const auto bind = [&](ConfigReader& reader) {
        reader.Text("name", &ran.config.name, "A name");
        reader.Texts("roles", &ran.config.roles, "Parts");
        reader.Int("port", &ran.config.port, 0, 65535, "A port");
        reader.Bool("insecure", &ran.config.insecure, "Without TLS");
      };
      const auto check = [&] {
        return ran.config.port == 0 ? absl::InvalidArgumentError("port: none") : absl::OkStatus();
      };
      const auto loaded = LoadServerConfig(flags, in, bind, check);
      if (!loaded.ok()) return loaded.status();
      ran.file = loaded->file;
      ran.probe = flags.probe();
      ran.probe_address = flags.probe_address();
      ran.ports_file = flags.ports_file();
      ran.started = !loaded->shown;
      return absl::OkStatus();
    });
    std::istringstream in;
    std::ostringstream out, err;
    Streams streams{in, out, err};
    ran.exit = program.Run(args, streams, world_.world());
    ran.out = out.str();
    ran.err = err.str();
    return ran;
  }

  sim::World world_{1};
};

TEST_F(ServerFlagsTest, StrongerBeatsWeaker) {
  Ran ran = Run({});
  EXPECT_TRUE(ran.started) << ran.err;
  EXPECT_EQ(ran.file, "");
  EXPECT_EQ(ran.config.name, "default");
  Write("/etc/demo", "demo.yaml", "name: usual\nroles: [a, b]\n");
  ran = Run({});
  EXPECT_EQ(ran.file, kUsual);
  EXPECT_EQ(ran.config.name, "usual");
  EXPECT_THAT(ran.config.roles, ::testing::ElementsAre("a", "b"));
  world_.environment.Set("DEMO__NAME", "environment");
  world_.environment.Set("DEMO__ROLES", "c");
  ran = Run({});
  EXPECT_EQ(ran.config.name, "environment");
  EXPECT_THAT(ran.config.roles, ::testing::ElementsAre("c"));
  ran = Run({"--roles", "d", "--insecure"});
  EXPECT_THAT(ran.config.roles, ::testing::ElementsAre("d"));
  EXPECT_TRUE(ran.config.insecure);
}

TEST_F(ServerFlagsTest, AFileThatIsNamedMustBeThere) {
  const Ran ran = Run({"--config", "/srv/own.yaml"});
  EXPECT_EQ(ran.file, "/srv/own.yaml");
  EXPECT_EQ(ran.config.name, "own");
  const Ran absent = Run({"--config", "/srv/absent.yaml"});
  EXPECT_FALSE(absent.started);
  EXPECT_NE(absent.exit, 0);
  EXPECT_THAT(absent.err, HasSubstr("/srv/absent.yaml"));
}

TEST_F(ServerFlagsTest, UnknownKeysAreErrorsWithTheNearestOne) {
  Write("/etc/demo", "demo.yaml", "nane: x\n");
  Ran ran = Run({});
  EXPECT_FALSE(ran.started);
  EXPECT_THAT(ran.err, HasSubstr("nane"));
  EXPECT_THAT(ran.err, HasSubstr("name"));
  Write("/etc/demo", "demo.yaml", "");
  world_.environment.Set("DEMO__PROT", "1");
  ran = Run({});
  EXPECT_FALSE(ran.started);
  EXPECT_THAT(ran.err, HasSubstr("port"));
}

TEST_F(ServerFlagsTest, CheckConfigStartsNothing) {
  Ran ran = Run({"--check-config"});
  EXPECT_FALSE(ran.started);
  EXPECT_EQ(ran.exit, 0);
  EXPECT_EQ(ran.out, "config ok\n");
  world_.environment.Set("DEMO__PORT", "0");
  ran = Run({"--check-config"});
  EXPECT_FALSE(ran.started);
  EXPECT_NE(ran.exit, 0);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("port: none"));
}

TEST_F(ServerFlagsTest, PrintConfigShowsEachValueAndWhereItIsFrom) {
  world_.environment.Set("DEMO__PORT", "7");
  const Ran ran = Run({"--print-config", "--config", "/srv/own.yaml", "--roles", "z"});
  EXPECT_FALSE(ran.started);
  EXPECT_EQ(ran.exit, 0);
  for (const char* part : {"name: own", "/srv/own.yaml", "port: 7", "DEMO__PORT", "--roles"}) {
    EXPECT_THAT(ran.out, HasSubstr(part));
  }
}

TEST_F(ServerFlagsTest, ForMachinesWhatIsShownIsOneJsonDocument) {  // E10
  const Ran check = Run({"--json", "--check-config"});
  const auto ok = ParseJson(check.out);
  ASSERT_TRUE(ok.ok()) << check.out;
  EXPECT_TRUE(ok->Find("config_ok")->AsBool().value_or(false)) << check.out;
  const Ran print = Run({"--json", "--print-config", "--config", "/srv/own.yaml"});
  const auto shown = ParseJson(print.out);
  ASSERT_TRUE(shown.ok()) << print.out;
  const Json* port = shown->Find("config")->Find("port");
  ASSERT_NE(port, nullptr) << print.out;
  EXPECT_EQ(*port->Find("value")->AsString(), "2");
  EXPECT_THAT(*port->Find("origin")->AsString(), HasSubstr("/srv/own.yaml"));
}

TEST_F(ServerFlagsTest, AnAddressGoesWithAProbeOnly) {
  for (const char* flag : {"--probe", "--health-check"}) {
    const Ran ran = Run({flag, "cas.example:1"});
    EXPECT_TRUE(ran.probe);
    EXPECT_EQ(ran.probe_address, "cas.example:1");
    EXPECT_EQ(Run({flag}).probe_address, "");
  }
  const Ran ran = Run({"cas.example:1"});
  EXPECT_FALSE(ran.started);
  EXPECT_NE(ran.exit, 0);
  EXPECT_THAT(ran.err, HasSubstr("unexpected argument cas.example:1"));
  EXPECT_EQ(Run({"--ports-file", "/srv/ports"}).ports_file, "/srv/ports");
}

TEST_F(ServerFlagsTest, ThePortsFileIsWholeAndReplaced) {
  for (const int port : {50610, 1}) {
    ASSERT_TRUE(
        WritePortsFile(world_.files, "/srv/ports.json", {{"cas", port}, {"http", 9610}}, 42).ok());
    EXPECT_THAT(ReadUserFile(world_.files, "/srv/ports.json", 1000).value(),
                HasSubstr(absl::StrCat("{\"cas\":", port, ",\"http\":9610,\"pid\":42}\n")));
  }
  const absl::Status status = WritePortsFile(world_.files, "/absent/ports", {}, 1);
  EXPECT_THAT(std::string(status.message()), HasSubstr("write ports file"));
}

}  // namespace
}  // namespace slipway::base::cli
