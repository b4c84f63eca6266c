// GoogleTest matchers and assertions for absl::Status and absl::StatusOr.
//
//   ASSERT_OK_AND_ASSIGN(auto dir, files.OpenRoot(path));
//   EXPECT_THAT(dir->ReadLink("current"), IsOkAndHolds("1.1"));
//   EXPECT_THAT(dir->Stat("x"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("x")));
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/status.h"

namespace slipway::base::testing {

inline const absl::Status& StatusOf(const absl::Status& status) { return status; }
template <class T>
const absl::Status& StatusOf(const absl::StatusOr<T>& result) {
  return result.status();
}

namespace internal {

class IsOkMatcher {
 public:
  template <class T>
  bool MatchAndExplain(const T& actual, ::testing::MatchResultListener* listener) const {
    const absl::Status& status = StatusOf(actual);
    if (!status.ok()) *listener << "which is " << status.ToString();
    return status.ok();
  }
  void DescribeTo(std::ostream* out) const { *out << "is OK"; }
  void DescribeNegationTo(std::ostream* out) const { *out << "is not OK"; }
};

class StatusIsMatcher {
 public:
  StatusIsMatcher(absl::StatusCode code, ::testing::Matcher<const std::string&> message)
      : code_(code), message_(std::move(message)) {}
  template <class T>
  bool MatchAndExplain(const T& actual, ::testing::MatchResultListener* listener) const {
    const absl::Status& status = StatusOf(actual);
    *listener << "which is " << status.ToString();
    return status.code() == code_ && message_.Matches(std::string(status.message()));
  }
  void DescribeTo(std::ostream* out) const {
    *out << "is " << absl::StatusCodeToString(code_) << " with a message that ";
    message_.DescribeTo(out);
  }
  void DescribeNegationTo(std::ostream* out) const {
    *out << "is not ";
    *out << absl::StatusCodeToString(code_) << " or has a message that ";
    message_.DescribeNegationTo(out);
  }

 private:
  absl::StatusCode code_;
  ::testing::Matcher<const std::string&> message_;
};

class HasErrorInfoMatcher {
 public:
  HasErrorInfoMatcher(::testing::Matcher<const std::string&> code,
                      ::testing::Matcher<const std::string&> hint)
      : code_(std::move(code)), hint_(std::move(hint)) {}
  template <class T>
  bool MatchAndExplain(const T& actual, ::testing::MatchResultListener* listener) const {
    const absl::Status& status = StatusOf(actual);
    const ErrorInfo info = GetErrorInfo(status);
    *listener << "which is " << status.ToString() << " with code \"" << info.code
              << "\" and hint \"" << info.hint << "\"";
    return !status.ok() && code_.Matches(info.code) && hint_.Matches(info.hint);
  }
  void DescribeTo(std::ostream* out) const {
    *out << "is an error whose code ";
    code_.DescribeTo(out);
    *out << " and whose hint ";
    hint_.DescribeTo(out);
  }
  void DescribeNegationTo(std::ostream* out) const {
    *out << "is OK, or has a code that ";
    code_.DescribeNegationTo(out);
    *out << ", or a hint that ";
    hint_.DescribeNegationTo(out);
  }

 private:
  ::testing::Matcher<const std::string&> code_;
  ::testing::Matcher<const std::string&> hint_;
};

template <class Inner>
class IsOkAndHoldsMatcher {
 public:
  explicit IsOkAndHoldsMatcher(Inner inner) : inner_(std::move(inner)) {}
  template <class StatusOrRef>
  operator ::testing::Matcher<StatusOrRef>() const {  // NOLINT: implicit, as GoogleMock asks
    return ::testing::Matcher<StatusOrRef>(new Impl<StatusOrRef>(inner_));
  }

 private:
  template <class StatusOrRef>
  class Impl : public ::testing::MatcherInterface<StatusOrRef> {
   public:
    using Value = typename std::decay_t<StatusOrRef>::value_type;
    explicit Impl(const Inner& inner) : inner_(::testing::SafeMatcherCast<const Value&>(inner)) {}
    bool MatchAndExplain(StatusOrRef actual,
                         ::testing::MatchResultListener* listener) const override {
      if (!actual.ok()) {
        *listener << "which is " << actual.status().ToString();
        return false;
      }
      *listener << "which holds " << ::testing::PrintToString(*actual);
      return inner_.MatchAndExplain(*actual, listener);
    }
    void DescribeTo(std::ostream* out) const override {
      *out << "is OK and holds a value that ";
      inner_.DescribeTo(out);
    }
    void DescribeNegationTo(std::ostream* out) const override {
      *out << "is not OK or holds a value that ";
      inner_.DescribeNegationTo(out);
    }

   private:
    ::testing::Matcher<const Value&> inner_;
  };
  Inner inner_;
};

}  // namespace internal

// A Status or StatusOr that is OK.
inline auto IsOk() { return ::testing::MakePolymorphicMatcher(internal::IsOkMatcher()); }

// A StatusOr that is OK and whose value matches `inner`, a value or a matcher.
template <class Inner>
auto IsOkAndHolds(Inner&& inner) {
  return internal::IsOkAndHoldsMatcher<std::decay_t<Inner>>(std::forward<Inner>(inner));
}

// A Status or StatusOr with this code and a message that matches: a std::string, by value or
// matcher.
inline auto StatusIs(absl::StatusCode code,
                     ::testing::Matcher<const std::string&> message = ::testing::_) {
  return ::testing::MakePolymorphicMatcher(internal::StatusIsMatcher(code, std::move(message)));
}

// An error that carries this stable id (base::ErrorInfo), whatever its status code and hint.
inline auto HasErrorCode(::testing::Matcher<const std::string&> code) {
  return ::testing::MakePolymorphicMatcher(
      internal::HasErrorInfoMatcher(std::move(code), ::testing::_));
}

// An error whose hint matches.
inline auto HasHint(::testing::Matcher<const std::string&> hint) {
  return ::testing::MakePolymorphicMatcher(
      internal::HasErrorInfoMatcher(::testing::_, std::move(hint)));
}

}  // namespace slipway::base::testing

#define EXPECT_OK(expression) EXPECT_THAT(expression, ::slipway::base::testing::IsOk())
#define ASSERT_OK(expression) ASSERT_THAT(expression, ::slipway::base::testing::IsOk())

// ASSERT_OK_AND_ASSIGN(auto x, F()); ends the test function when F() is not OK.
#define ASSERT_OK_AND_ASSIGN(lhs, expression) \
  ASSERT_OK_AND_ASSIGN_INNER(SLIPWAY_STATUS_CONCAT(slipway_tested_, __LINE__), lhs, expression)
// NOLINTBEGIN(bugprone-macro-parentheses): a name and a declaration take no parentheses
#define ASSERT_OK_AND_ASSIGN_INNER(statusor, lhs, expression) \
  auto statusor = (expression);                               \
  ASSERT_OK(statusor);                                        \
  lhs = std::move(statusor).value()
// NOLINTEND(bugprone-macro-parentheses)
