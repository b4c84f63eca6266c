// The configuration of kvserver as its command line gives it (spec 6.4).
#include "eraft/service/config.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/cli/program.h"
#include "base/sim/world.h"
#include "base/testing/status_matchers.h"
#include "eraft/node/cluster.h"
#include "eraft/service/flags.h"

namespace slipway::eraft {
namespace {

using absl::StatusCode;
using base::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class ConfigTest : public ::testing::Test {
 protected:
  struct Ran {
    int exit = 0;
    std::string out, err;
    KvServerSettings settings;
  };
  Ran Run(const std::vector<std::string>& args) {
    Ran ran;
    base::cli::Program program(
        "kvserver", "A server.",
        {.exit_of = [](const absl::Status& status) { return status.ok() ? 0 : 2; },
         .go_style = true});
    base::cli::Command& command = program.Add("", "Serve");
    base::cli::ServerFlags flags(command, {.prefix = "ERAFT", .config_file = "/etc/kv.yaml"});
    AddKvServerFlags(command, flags);
    command.Run([&](base::cli::Invocation& in) -> absl::Status {
      SLIPWAY_ASSIGN_OR_RETURN(ran.settings, ReadKvServerSettings(flags, in));
      return absl::OkStatus();
    });
    std::istringstream input;
    std::ostringstream out, err;
    base::cli::Streams streams{input, out, err};
    ran.exit = program.Run(args, streams, world_.world());
    ran.out = out.str();
    ran.err = err.str();
    return ran;
  }
  base::sim::World world_{1};
};

constexpr char kThree[] = "127.0.0.1:5001,127.0.0.1:5002,127.0.0.1:5003";

TEST_F(ConfigTest, DefaultsAreThoseOfTheSpecification) {  // spec 6.4
  const Ran ran = Run({});
  ASSERT_EQ(ran.exit, 0) << ran.err;
  const KvServerPlan& plan = ran.settings.plan;
  EXPECT_THAT(plan.members, ElementsAre("localhost:5001", "localhost:5002", "localhost:5003"));
  EXPECT_EQ(plan.id, 1u);
  EXPECT_EQ(plan.data_dir, "kvserver-data_0");
  EXPECT_EQ(plan.listen, "localhost:5001");
  EXPECT_EQ(plan.http_listen, "localhost:15001");
  EXPECT_EQ(plan.timers.tick * plan.timers.heartbeat_ticks, absl::Milliseconds(100));
  EXPECT_EQ(plan.timers.tick * plan.timers.election_ticks, absl::Seconds(1));
  EXPECT_THAT(plan.warnings, IsEmpty());
}

TEST_F(ConfigTest, BothSpellingsOfTheMembersAreOne) {  // E3, E52
  for (const std::vector<std::string>& args :
       {std::vector<std::string>{"-id", "1", "-addrs", kThree},
        {"--id=1", absl::StrCat("-cluster=", kThree)},
        {"-id=1", "--addrs", kThree, "--cluster", kThree}}) {
    const Ran ran = Run(args);
    ASSERT_EQ(ran.exit, 0) << ran.err;
    EXPECT_EQ(ran.settings.plan.members[2], "127.0.0.1:5003");
    EXPECT_EQ(ran.settings.plan.id, 2u);
  }
  const Ran range = Run({"-id", "1", "-cluster", "127.0.0.1:500{1..3}", "-addrs", kThree});  // E16
  EXPECT_EQ(range.exit, 0) << range.err;
  EXPECT_EQ(range.settings.plan.members, Run({"-id", "1", "-addrs", kThree}).settings.plan.members);
  const Ran two = Run({"-addrs", kThree, "-cluster", "127.0.0.1:5001"});
  EXPECT_EQ(two.exit, 2);
  EXPECT_THAT(two.err, AllOf(HasSubstr("--addrs"), HasSubstr("--cluster says 127.0.0.1:5001")));
}

TEST_F(ConfigTest, WhatIsWrongIsNamedByFlagAndValue) {  // E10, E31
  const std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> rows = {
      {{"-cluster", ""}, {"--cluster", "no member"}},
      {{"-addrs", ""}, {"--addrs", "no member"}},
      {{"--tls-client-auth", "require"}, {"--tls-client-auth require", "--tls-cert"}},
      {{"--log-level", "loud"}, {"--log-level", "\"loud\" is no level; choose"}},
      {{"-cluster", "localhost"}, {"--cluster localhost", "no port"}},
      {{"-cluster", "a:1,a:1"}, {"--cluster a:1,a:1", "twice"}},
      {{"-cluster", "localhost:1,127.0.0.1:1"}, {"--cluster localhost:1,127.0.0.1:1", "twice"}},
      {{"-cluster", ":5001"}, {"no host"}},
      {{"-cluster", "0.0.0.0:5001"}, {"no address that others can reach"}},
      {{"-cluster", "::1:5001"}, {"--cluster"}},
      {{"-cluster", "127.0.0.1:0,127.0.0.1:2"}, {"port 0"}},
      {{"-cluster", "127.0.0.1:99999"}, {"--cluster"}},
      {{"-cluster", "no-such-host.invalid:5001"}, {"--cluster", "no-such-host.invalid"}},
      {{"-cluster", "kv-{0..64}:1"}, {"--cluster kv-{0..64}:1", "65 addresses, at most 64"}},
      {{"-cluster", "kv-{0-2}:1"}, {"--cluster kv-{0-2}:1", "host-{0..2}"}},
      {{"-cluster", "kv-{0..1}:1,kv-1:1"}, {"kv-0:1,kv-1:1,kv-1:1", "kv-1:1 is there twice"}},
      {{"-cluster", "127.0.0.1:{1..60},127.0.0.2:{1..5}"}, {"65 members, at most 64"}},
      {{"-id", "3", "-cluster", kThree}, {"--id 3", "the last one has id 2"}},
      {{"-id", "-1", "-cluster", kThree}, {"--id -1"}},
      {{"-id", "one"}, {"--id one"}},
      {{"-id", "auto"}, {"--id auto"}},
      {{"-cluster", "10.0.0.1:5001"}, {"--cluster 10.0.0.1:5001", "--insecure"}},
      {{"--listen", "0.0.0.0:5001"}, {"--listen 0.0.0.0:5001", "--insecure"}},
      {{"--election-timeout", "400ms"}, {"--election-timeout 400ms", "5 times"}},
      {{"--heartbeat-interval", "fast"}, {"heartbeat_interval"}},
      {{"--engine", "sqlite"}, {"engine", "rocksdb"}},
      {{"--engine", "leveldb", "--compression", "zstd"}, {"--compression zstd"}},
      {{"--tls-cert", "c.pem"}, {"--tls-key"}},
      {{"--admin-san", "ops"}, {"--admin-san", "--tls-client-auth"}},
      {{"--join"}, {"--join", "--cluster-token"}},
      {{"--auth-token-file", "t", "--check-config"}, {"--auth-token-file t", "--peer-token-file"}},
      {{"--auth-token-file", "t", "--tls-cert", "c", "--tls-key", "k"},
       {"--peer-token-file", "--tls-client-auth require"}},
      {{"--auth-token-file", "t", "--tls-cert", "c", "--tls-key", "k", "--tls-ca", "a",
        "--tls-client-auth", "require", "--peer-listen", "127.0.0.1:7", "--peer-tls-cert", "c",
        "--peer-tls-key", "k"},
       {"--peer-token-file", "--peer-tls-client-auth require"}},
      {{"--wal-linger", "1s"}, {"wal_linger"}},
      {{"--no-such-flag"}, {"--no-such-flag"}},
  };
  for (const auto& [args, parts] : rows) {
    const Ran ran = Run(args);
    EXPECT_EQ(ran.exit, 2) << args[0];
    for (const std::string& part : parts) EXPECT_THAT(ran.err, HasSubstr(part));
  }
}

TEST_F(ConfigTest, CertificatesOfClientsThatWouldDoForPeersAreWarnedOf) {  // E191
  const auto warnings = [this](std::vector<std::string> more) {
    std::vector<std::string> args = {"--auth-token-file", "t",      "--tls-cert", "c",
                                     "--tls-key",         "k",      "--tls-ca",   "a",
                                     "--tls-client-auth", "require"};
    args.insert(args.end(), more.begin(), more.end());
    return Run(args).settings.plan.warnings;
  };
  const auto peers = [](std::string ca) -> std::vector<std::string> {
    return {"--peer-listen",          "127.0.0.1:7", "--peer-tls-cert", "c",
            "--peer-tls-key",         "k",           "--peer-tls-ca",   std::move(ca),
            "--peer-tls-client-auth", "require"};
  };
  EXPECT_THAT(warnings({}), ElementsAre(HasSubstr("speaks as a member")));
  EXPECT_THAT(warnings(peers("a")), ElementsAre(HasSubstr("speaks as a member")));
  EXPECT_THAT(warnings(peers("b")), IsEmpty());
  EXPECT_THAT(warnings({"--peer-token-file", "p"}), IsEmpty());
}

TEST_F(ConfigTest, WithTokensPeersAreKnownByTokenOrCertificate) {  // E191
  EXPECT_EQ(Run({"--auth-token-file", "t", "--peer-token-file", "p"}).exit, 0);
  EXPECT_EQ(Run({"--auth-token-file", "t", "--tls-cert", "c", "--tls-key", "k", "--tls-ca", "a",
                 "--tls-client-auth", "require"})
                .exit,
            0);
  EXPECT_EQ(Run({"--auth-token-file", "t", "--peer-listen", "127.0.0.1:7", "--peer-tls-cert", "c",
                 "--peer-tls-key", "k", "--peer-tls-ca", "a", "--peer-tls-client-auth", "require"})
                .exit,
            0);
}

TEST_F(ConfigTest, AClusterIsNamedByItsMembersOrAToken) {  // E123
  const wal::ClusterId by_members = Run({"-cluster", kThree}).settings.plan.cluster;
  EXPECT_EQ(Run({"-id", "2", "-cluster", kThree}).settings.plan.cluster, by_members);
  EXPECT_NE(Run({"-cluster", "127.0.0.1:5001"}).settings.plan.cluster, by_members);
  EXPECT_EQ(Run({"-cluster", "127.0.0.1:5001", "--cluster-token", "blue"}).settings.plan.cluster,
            Run({"-cluster", kThree, "--cluster-token", "blue"}).settings.plan.cluster);
  const std::string hex = base::ToHex(base::BytesView(by_members));
  EXPECT_EQ(ClusterIdOf(hex), by_members);
}

class NamedHost : public base::sim::Environment {
 public:
  explicit NamedHost(std::string name) : name_(std::move(name)) {}
  std::string HostName() override { return name_; }

 private:
  const std::string name_;
};

TEST_F(ConfigTest, TheNumberOfAHostIsItsPlace) {  // E16
  KvServerConfig config;
  config.id = "auto";
  config.cluster = {"kv-{0..10}.svc:6000"};
  config.insecure = true;
  for (const std::string name : {"kv-10", "kv-10.svc.cluster.local", "my-kv-10"}) {
    NamedHost host(name);
    const auto plan = PlanKvServer(config, host);
    ASSERT_OK(plan) << name;
    EXPECT_EQ(plan->id, 11u) << name;
    EXPECT_EQ(plan->advertise, "kv-10.svc:6000") << name;
  }
  for (const auto& [name, text] : {std::pair("kv-11", "has 11 members; the last one has id 10"),
                                   {"kv", "does not end with -NUMBER"},
                                   {"kv-", "does not end with -NUMBER"},
                                   {"kv-a", "not a number"}}) {
    NamedHost host(name);
    EXPECT_THAT(PlanKvServer(config, host), StatusIs(StatusCode::kInvalidArgument, HasSubstr(text)))
        << name;
  }
}

TEST_F(ConfigTest, OneMemberIsAllowedWithAWarning) {  // E21
  EXPECT_THAT(Run({"-cluster", "127.0.0.1:5001"}).settings.plan.warnings,
              ElementsAre(HasSubstr("one member")));
}

TEST_F(ConfigTest, TheDirectoryIsNamedByIdOrExactly) {  // E53
  EXPECT_EQ(Run({"-id", "2", "-db", "/d/x"}).settings.plan.data_dir, "/d/x_2");
  EXPECT_EQ(Run({"-id", "2", "--data-dir", "/d/y"}).settings.plan.data_dir, "/d/y");
}

TEST_F(ConfigTest, CheckAndPrintStartNothing) {
  const Ran check = Run({"--check-config"});
  EXPECT_EQ(check.out, "config ok\n");
  EXPECT_TRUE(check.settings.shown);
  const Ran token = Run({"--print-config", "--cluster-token", "a-long-one"});
  EXPECT_THAT(token.out, AllOf(HasSubstr("cluster_token: \"***\""), Not(HasSubstr("a-long-one"))));
  EXPECT_EQ(token.settings.config.cluster_token, "a-long-one");
  const Ran print = Run({"--print-config", "-id", "1"});
  EXPECT_THAT(print.out, AllOf(HasSubstr("heartbeat_interval: 100ms"), HasSubstr("--id")));
}

TEST_F(ConfigTest, TimesAreCheckedTogether) {  // E31
  const auto timers = TimersOf(absl::Milliseconds(20), absl::Milliseconds(200), absl::Seconds(10));
  ASSERT_OK(timers);
  EXPECT_EQ(timers->tick * timers->heartbeat_ticks, absl::Milliseconds(20));
  EXPECT_EQ(timers->tick * timers->election_ticks, absl::Milliseconds(200));
  EXPECT_EQ(timers->tick * timers->hibernate_ticks, absl::Seconds(10));
  // More ticks than are counted are as many as can be.
  const auto years = TimersOf(absl::Milliseconds(20), absl::Milliseconds(200), absl::Hours(87'600));
  ASSERT_OK(years);
  EXPECT_EQ(years->hibernate_ticks, std::numeric_limits<int>::max());
  EXPECT_THAT(TimersOf(absl::Milliseconds(21), absl::Milliseconds(100), absl::ZeroDuration()),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("5 times")));
}

TEST_F(ConfigTest, WhatIsInForceIsShownAndWhatIsNotIsTold) {  // E33, E34, E110, E111
  const auto shown = [this](const std::vector<std::string>& args,
                            std::vector<std::string>* warnings) {
    const Ran ran = Run(args);
    EXPECT_EQ(ran.exit, 0) << ran.err;
    const auto settings = EffectiveSettings(ran.settings.config, 3, warnings);
    return std::map<std::string, std::string>(settings.begin(), settings.end());
  };
  std::vector<std::string> warnings;
  auto found = shown({"--block-cache", "64MiB", "--compression", "zstd", "--engine-threads", "4",
                      "--engine-rate-limit", "8MiB", "--wal-linger", "2ms"},
                     &warnings);
  EXPECT_EQ(found["block_cache"], "64MiB");
  EXPECT_EQ(found["compression"], "zstd");
  EXPECT_EQ(found["engine_threads"], "4");
  EXPECT_EQ(found["engine_rate_limit"], "8MiB");
  EXPECT_EQ(found["wal_linger"], "2ms");
  EXPECT_EQ(found["apply_workers"], "3");
  EXPECT_EQ(found["raft_workers"], "1");
  EXPECT_THAT(warnings, IsEmpty());
  found =
      shown({"--engine", "leveldb", "--compression", "lz4", "--engine-threads", "4",
             "--raft-workers", "4", "--grpc-threads", "8", "--wal-direct", "--apply-workers", "7"},
            &warnings);
  EXPECT_EQ(found["compression"], "snappy");
  EXPECT_EQ(found["engine_threads"], "1");
  EXPECT_EQ(found["raft_workers"], "1");
  EXPECT_EQ(found["wal_direct"], "false");
  EXPECT_EQ(found["apply_workers"], "7");
  EXPECT_THAT(warnings, ElementsAre(HasSubstr("--engine-threads"), HasSubstr("--raft-workers"),
                                    HasSubstr("--grpc-threads"), HasSubstr("--wal-direct")));
}

TEST_F(ConfigTest, NodeOptionsSayWhatTheFlagsSay) {  // E32, E105
  const Ran ran = Run({"-cluster", kThree, "--snapshot-threshold-entries", "500",
                       "--log-keep-entries", "7", "--wal-segment", "2MiB", "--priority", "0"});
  ASSERT_EQ(ran.exit, 0) << ran.err;
  const NodeOptions options = NodeOptionsOf(ran.settings.config, ran.settings.plan);
  EXPECT_EQ(options.snapshot_entries, 500u);
  EXPECT_EQ(options.log_keep_entries, 7u);
  EXPECT_EQ(options.wal_segment_bytes, 2u << 20);
  EXPECT_EQ(options.raft.priority, 0);
  EXPECT_THAT(options.groups[0].members.voters, ElementsAre(1, 2, 3));
  const Ran join = Run({"-cluster", kThree, "--join", "--cluster-token", "t"});
  EXPECT_THAT(NodeOptionsOf(join.settings.config, join.settings.plan).groups[0].members.voters,
              IsEmpty());
}

}  // namespace
}  // namespace slipway::eraft
