#include "base/net/trace.h"

#include <gtest/gtest.h>

#include <string>

#include "base/net/call.h"
#include "base/status.h"

namespace slipway::base::net {
namespace {

constexpr char kParent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

TEST(Trace, AValidOneIsTakenOverAsItIs) {
  const Trace trace = ParseTrace(kParent, "vendor=1,other=2");
  EXPECT_EQ(trace.traceparent, kParent);
  EXPECT_EQ(trace.tracestate, "vendor=1,other=2");
  EXPECT_EQ(trace.trace_id(), "0af7651916cd43dd8448eb211c80319c");
}

TEST(Trace, ALaterVersionMaySayMore) {
  const std::string later = "cc" + std::string(kParent).substr(2) + "-what-comes";
  EXPECT_EQ(ParseTrace(later, "").traceparent, later);
}

TEST(Trace, WhatIsNotValidIsNoTrace) {
  const std::string parent = kParent;
  for (const std::string& text :
       {std::string(), parent.substr(1), parent + "-more", parent + "x", "ff" + parent.substr(2),
        "0x" + parent.substr(2), "00-" + std::string(32, '0') + parent.substr(35),
        parent.substr(0, 36) + std::string(16, '0') + "-01",
        "00-0AF7651916CD43DD8448EB211C80319C" + parent.substr(35), "00_" + parent.substr(3),
        parent.substr(0, 35) + "_" + parent.substr(36), parent.substr(0, 52) + "_01",
        parent.substr(0, 53) + "0g", "cc" + parent.substr(2) + "x", "cc" + parent.substr(2) + "-\n",
        "cc" + parent.substr(2) + "-" + std::string(1000, 'a')}) {
    EXPECT_TRUE(ParseTrace(text, "a=1").empty()) << text;
    EXPECT_EQ(ParseTrace(text, "a=1").tracestate, "") << text;
    EXPECT_EQ(ParseTrace(text, "a=1").trace_id(), "") << text;
  }
}

TEST(Trace, AStateThatCannotBePassedOnIsDroppedWhole) {
  EXPECT_EQ(ParseTrace(kParent, "a=1\r\nx: y").tracestate, "");
  EXPECT_EQ(ParseTrace(kParent, std::string(513, 'a')).tracestate, "");
  EXPECT_EQ(ParseTrace(kParent, std::string(512, 'a')).tracestate.size(), 512u);
  EXPECT_FALSE(ParseTrace(kParent, "\x80").empty());
}

TEST(RetryAfter, TravelsWithAStatus) {
  const absl::Status status =
      WithRetryAfter(absl::ResourceExhaustedError("full"), absl::Microseconds(1500));
  EXPECT_EQ(GetRetryAfter(status), absl::Milliseconds(2));
  EXPECT_EQ(GetRetryAfter(absl::ResourceExhaustedError("full")), absl::ZeroDuration());
  EXPECT_TRUE(WithRetryAfter(absl::OkStatus(), absl::Seconds(1)).ok());
}

}  // namespace
}  // namespace slipway::base::net
