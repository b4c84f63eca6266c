#include "base/cli/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "base/sim/world.h"

namespace slipway::base::cli {
namespace {

struct Told {
  absl::Status status;
  std::string out;
  Json result;
};

Told Tell(const Doctor& doctor, bool json, bool quiet = false) {
  sim::World world(1);
  std::istringstream in;
  std::ostringstream out, err;
  Streams streams{in, out, err};
  Invocation invocation{streams, world.world(), CancelToken(), "doctor"};
  invocation.json = json;
  invocation.quiet = quiet;
  Told told;
  told.status = doctor.Report(invocation);
  told.out = out.str();
  told.result = invocation.result;
  return told;
}

TEST(Doctor, PrintsALineForEachFindingAndARemedyWhereOneIsNeeded) {  // DECISIONS 3
  Doctor doctor;
  doctor.Ok("quorum", "3 of 3");
  doctor.Warn("clock", "2s off", "set it");
  EXPECT_TRUE(Tell(doctor, false).status.ok());
  doctor.Fail("disk", "full\x1b[31m", "free space");
  const Told told = Tell(doctor, false);
  EXPECT_EQ(told.out,
            "OK    quorum: 3 of 3\n"
            "WARN  clock: 2s off\n      do: set it\n"
            "FAIL  disk: full\\x1b[31m\n      do: free space\n");
  EXPECT_EQ(told.status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(told.status.message(), "doctor: 1 of 3 checks failed");
  EXPECT_EQ(Tell(doctor, false, /*quiet=*/true).out.substr(0, 4), "WARN");
}

TEST(Doctor, JsonHasTheSame) {
  Doctor doctor;
  doctor.Ok("a", "b");
  doctor.Fail("c", "d", "e");
  EXPECT_EQ(Tell(doctor, true).result.Dump(),
            "{\"findings\":[{\"check\":\"a\",\"result\":\"ok\",\"text\":\"b\"},"
            "{\"check\":\"c\",\"result\":\"fail\",\"text\":\"d\",\"remedy\":\"e\"}],"
            "\"failed\":1,\"warnings\":0}");
  EXPECT_EQ(Tell(doctor, true).out, "");
}

}  // namespace
}  // namespace slipway::base::cli
