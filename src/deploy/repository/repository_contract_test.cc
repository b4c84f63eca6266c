// What every Repository keeps, run over all implementations here.
#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/os/files.h"
#include "base/sim/clock.h"
#include "base/sim/files.h"
#include "base/testing/status_matchers.h"
#include "base/testing/temp_dir.h"
#include "deploy/repository/repository.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::deploy {
namespace {

using ::slipway::base::testing::IsOkAndHolds;
using ::slipway::base::testing::StatusIs;
using ::testing::ElementsAre;

constexpr uint64_t kLimit = 10 << 20;

// A repository with the world it lives in.
struct Fixture {
  virtual ~Fixture() = default;
  virtual Repository& repository() = 0;
  // An empty object, made in the cheapest way.
  virtual void Fill(const std::string& key) { ASSERT_OK(PutText(repository(), key, "", If::kAny)); }
};

struct MemoryFixture : Fixture {
  base::sim::Clock clock;
  std::unique_ptr<Repository> memory = MakeMemoryRepository("store", clock);
  Repository& repository() override { return *memory; }
};

struct SimFixture : Fixture {
  base::sim::Files files{/*seed=*/1};
  std::unique_ptr<Repository> opened = *OpenFilesystemRepository(files, "store", "/data/store");
  Repository& repository() override { return *opened; }
};

struct OsFixture : Fixture {
  base::testing::TempDir dir;
  base::os::LinuxFiles files;
  std::unique_ptr<Repository> opened =
      *OpenFilesystemRepository(files, "store", dir.Join("a/store"));
  Repository& repository() override { return *opened; }
  void Fill(const std::string& key) override {  // a thousand syncs would take a minute
    const auto root = files.OpenRoot(dir.Join("a/store"));
    ASSERT_OK(root);
    ASSERT_OK(base::MakeDirs(**root, base::SplitPath(key).first));
    ASSERT_OK((*root)->Open(key, {.read = false, .write = true, .create = true}));
  }
};

using MakeFixture = std::unique_ptr<Fixture> (*)();

class RepositoryContract : public ::testing::TestWithParam<std::pair<const char*, MakeFixture>> {
 protected:
  std::vector<std::string> Keys(absl::string_view prefix) {
    std::vector<std::string> keys;
    std::string token;
    do {
      const absl::StatusOr<Page> page = repository_.List(prefix, token);
      EXPECT_OK(page);
      if (!page.ok()) break;
      for (const Object& object : page->objects) keys.push_back(object.key);
      token = page->next_token;
    } while (!token.empty());
    return keys;
  }

  absl::StatusOr<std::string> Get(absl::string_view key, Range range) {
    std::string text;
    SLIPWAY_RETURN_IF_ERROR(repository_.Get(key, range, [&](base::BytesView bytes) {
      text += std::string(base::AsText(bytes));
      return absl::OkStatus();
    }));
    return text;
  }

  std::unique_ptr<Fixture> fixture_ = GetParam().second();
  Repository& repository_ = fixture_->repository();
};

// Gives `text` in pieces of three bytes, then `failure`.
class Dripping : public base::ByteSource {
 public:
  explicit Dripping(std::string text, absl::Status failure = absl::OkStatus())
      : text_(std::move(text)), failure_(std::move(failure)) {}
  absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) override {
    const size_t count = std::min({text_.size() - at_, out.size(), size_t{3}});
    if (count == 0 && !failure_.ok()) return failure_;
    std::copy_n(text_.begin() + static_cast<ptrdiff_t>(at_), count, out.begin());
    at_ += count;
    return count;
  }

 private:
  std::string text_;
  size_t at_ = 0;
  absl::Status failure_;
};

TEST_P(RepositoryContract, GetsWhatWasPut) {
  Dripping source("hello world");
  const absl::StatusOr<Object> put = repository_.Put("model/1.0.0/a", source, 11, If::kAny);
  ASSERT_OK(put);
  EXPECT_EQ(put->key, "model/1.0.0/a");
  EXPECT_EQ(put->size_bytes, 11u);
  EXPECT_THAT(GetText(repository_, "model/1.0.0/a", kLimit), IsOkAndHolds("hello world"));
  const absl::StatusOr<Object> stat = repository_.Stat("model/1.0.0/a");
  ASSERT_OK(stat);
  EXPECT_EQ(stat->size_bytes, 11u);
  EXPECT_EQ(stat->modified, put->modified);
}

TEST_P(RepositoryContract, HoldsEmptyAndLargeObjects) {
  ASSERT_OK(PutText(repository_, "empty", "", If::kAbsent));
  EXPECT_THAT(GetText(repository_, "empty", kLimit), IsOkAndHolds(""));
  std::string large;
  while (large.size() < (3 << 20)) absl::StrAppend(&large, large.size(), "/");
  ASSERT_OK(PutText(repository_, "large", large, If::kAbsent));
  EXPECT_THAT(GetText(repository_, "large", kLimit), IsOkAndHolds(large));
  EXPECT_THAT(GetText(repository_, "large", 1000), StatusIs(absl::StatusCode::kResourceExhausted));
}

TEST_P(RepositoryContract, AbsentCreatesOnceAndAnyReplaces) {
  ASSERT_OK(PutText(repository_, "k", "one", If::kAbsent));
  EXPECT_THAT(PutText(repository_, "k", "two", If::kAbsent),
              StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(GetText(repository_, "k", kLimit), IsOkAndHolds("one"));
  ASSERT_OK(PutText(repository_, "k", "three", If::kAny));
  EXPECT_THAT(GetText(repository_, "k", kLimit), IsOkAndHolds("three"));
}

TEST_P(RepositoryContract, AnErrorOfTheSourceLeavesNothing) {
  Dripping failing("half", absl::DataLossError("bad sector"));
  EXPECT_THAT(repository_.Put("a/b", failing, 8, If::kAny).status(),
              StatusIs(absl::StatusCode::kDataLoss));
  Dripping shorter("half");
  EXPECT_THAT(repository_.Put("a/b", shorter, 8, If::kAny).status(),
              StatusIs(absl::StatusCode::kOutOfRange));
  Dripping longer("too much");
  EXPECT_THAT(repository_.Put("a/b", longer, 4, If::kAny).status(),
              StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(repository_.Stat("a/b").status(), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Keys(""), ElementsAre());
}

TEST_P(RepositoryContract, AnErrorOfTheSourceKeepsTheOldObject) {
  ASSERT_OK(PutText(repository_, "a/b", "old", If::kAny));
  Dripping failing("ne", absl::DataLossError("bad sector"));
  EXPECT_FALSE(repository_.Put("a/b", failing, 3, If::kAny).ok());
  EXPECT_THAT(GetText(repository_, "a/b", kLimit), IsOkAndHolds("old"));
}

TEST_P(RepositoryContract, RangesAreExactAndStayInside) {
  ASSERT_OK(PutText(repository_, "k", "0123456789", If::kAny));
  EXPECT_THAT(Get("k", {2, 3}), IsOkAndHolds("234"));
  EXPECT_THAT(Get("k", {7, {}}), IsOkAndHolds("789"));
  EXPECT_THAT(Get("k", {10, {}}), IsOkAndHolds(""));
  EXPECT_THAT(Get("k", {10, 0}), IsOkAndHolds(""));
  EXPECT_THAT(Get("k", {0, 10}), IsOkAndHolds("0123456789"));
  EXPECT_THAT(Get("k", {11, {}}), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(Get("k", {8, 3}), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(Get("k", {UINT64_MAX, 2}), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(Get("k", {1, UINT64_MAX}), StatusIs(absl::StatusCode::kOutOfRange));
}

TEST_P(RepositoryContract, AnErrorOfTheSinkStopsAndComesBack) {
  ASSERT_OK(PutText(repository_, "k", std::string(3 << 20, 'x'), If::kAny));
  int calls = 0;
  const absl::Status status = repository_.Get("k", {}, [&](base::BytesView) {
    ++calls;
    return absl::AbortedError("enough");
  });
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kAborted));
  EXPECT_EQ(calls, 1);
}

TEST_P(RepositoryContract, WhatIsNotThereIsNotFound) {
  ASSERT_OK(PutText(repository_, "a/b/c", "x", If::kAny));
  for (const char* key : {"z", "a", "a/b", "a/b/c/d", "a/b/z"}) {
    EXPECT_THAT(repository_.Stat(key).status(), StatusIs(absl::StatusCode::kNotFound)) << key;
    EXPECT_THAT(Get(key, {}), StatusIs(absl::StatusCode::kNotFound)) << key;
    EXPECT_OK(repository_.Remove(key)) << key;
  }
  EXPECT_THAT(Keys(""), ElementsAre("a/b/c"));
}

TEST_P(RepositoryContract, RemoveTakesOneObject) {
  ASSERT_OK(PutText(repository_, "a/b", "x", If::kAny));
  ASSERT_OK(PutText(repository_, "a/c", "x", If::kAny));
  ASSERT_OK(repository_.Remove("a/b"));
  EXPECT_THAT(Keys(""), ElementsAre("a/c"));
  ASSERT_OK(PutText(repository_, "a/b", "again", If::kAbsent));
}

TEST_P(RepositoryContract, ListsByKeyBytewiseAndByPrefix) {
  // In reverse; '-' sorts before '/', and '/' before '0'.
  for (const char* key : {"b", "ab/c", "a0", "a/b0", "a/b/c", "a/b-c", "a-b"}) {
    ASSERT_OK(PutText(repository_, key, "x", If::kAny));
  }
  EXPECT_THAT(Keys(""), ElementsAre("a-b", "a/b-c", "a/b/c", "a/b0", "a0", "ab/c", "b"));
  EXPECT_THAT(Keys("a/"), ElementsAre("a/b-c", "a/b/c", "a/b0"));
  EXPECT_THAT(Keys("a/b"), ElementsAre("a/b-c", "a/b/c", "a/b0"));
  EXPECT_THAT(Keys("a/b/"), ElementsAre("a/b/c"));
  EXPECT_THAT(Keys("ab"), ElementsAre("ab/c"));
  EXPECT_THAT(Keys("zz"), ElementsAre());
  const absl::StatusOr<Page> rest = repository_.List("a", "a/b/c");
  ASSERT_OK(rest);
  EXPECT_EQ(rest->objects.front().key, "a/b0");
}

TEST_P(RepositoryContract, PagesMissNothingAndRepeatNothing) {
  const size_t count = kPageObjectsMax + 5;
  std::set<std::string> put;
  for (size_t i = 0; i < count; ++i) {
    const std::string key = absl::StrCat("d", i % 7, "/e", i % 3, "/k", i);
    fixture_->Fill(key);
    put.insert(key);
  }
  const absl::StatusOr<Page> first = repository_.List("", "");
  ASSERT_OK(first);
  EXPECT_EQ(first->objects.size(), kPageObjectsMax);
  EXPECT_FALSE(first->next_token.empty());
  EXPECT_EQ(Keys(""), std::vector<std::string>(put.begin(), put.end()));
}

TEST_P(RepositoryContract, KeysThatCouldEscapeAreRefused) {
  for (const std::string& key :
       {std::string(""), std::string("/a"), std::string("a/"), std::string("a//b"),
        std::string(".."), std::string("a/../b"), std::string("./a"), std::string(".a"),
        std::string("a/.b"), std::string("a\0b", 3), std::string(201, 'a'),
        std::string(1025, 'a')}) {
    EXPECT_THAT(PutText(repository_, key, "x", If::kAny),
                StatusIs(absl::StatusCode::kInvalidArgument))
        << key;
    EXPECT_THAT(Get(key, {}), StatusIs(absl::StatusCode::kInvalidArgument)) << key;
    EXPECT_THAT(repository_.Stat(key).status(), StatusIs(absl::StatusCode::kInvalidArgument))
        << key;
    EXPECT_THAT(repository_.Remove(key), StatusIs(absl::StatusCode::kInvalidArgument)) << key;
  }
}

TEST_P(RepositoryContract, PutFileStoresTheBytesOfAFile) {
  base::sim::Files sim(/*seed=*/2);
  base::testing::TempDir temp;
  base::os::LinuxFiles linux_files;
  const bool real = absl::string_view(GetParam().first) == "Os";
  base::Files& files = real ? static_cast<base::Files&>(linux_files) : sim;
  // The simulated store can copy only from files of its own machine.
  auto* fixture = dynamic_cast<SimFixture*>(fixture_.get());
  base::Files& source_files = fixture != nullptr ? fixture->files : files;
  auto dir = source_files.MakeRoot(real ? temp.path() : "/source");
  ASSERT_OK(dir);
  ASSERT_OK(base::WriteFileDurably(**dir, "f", "0123456789"));
  auto file = (*dir)->Open("f", base::OpenOptions());
  ASSERT_OK(file);
  const auto put = [&](absl::string_view key, uint64_t size_bytes) {
    uint64_t last = 0;
    const absl::Status status = repository_
                                    .PutFile(key, **file, size_bytes, If::kAbsent,
                                             [&](uint64_t done) {
                                               last = done;
                                               return absl::OkStatus();
                                             })
                                    .status();
    if (status.ok()) {
      EXPECT_EQ(last, size_bytes);
    }
    return status;
  };
  ASSERT_OK(put("a/f", 10));
  ASSERT_OK(put("a/g", 4));
  ASSERT_OK(put("a/h", 0));
  EXPECT_THAT(put("a/i", 11), StatusIs(absl::StatusCode::kOutOfRange));
  EXPECT_THAT(put("a/f", 10), StatusIs(absl::StatusCode::kAlreadyExists));
  // The last word before the object shows: a source that changed meanwhile is noticed here.
  EXPECT_THAT(repository_
                  .PutFile("a/j", **file, 10, If::kAbsent,
                           [&](uint64_t done) {
                             return done == 10 ? absl::AbortedError("changed") : absl::OkStatus();
                           })
                  .status(),
              StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(GetText(repository_, "a/f", kLimit), IsOkAndHolds("0123456789"));
  EXPECT_THAT(GetText(repository_, "a/g", kLimit), IsOkAndHolds("0123"));
  EXPECT_THAT(GetText(repository_, "a/h", kLimit), IsOkAndHolds(""));
  EXPECT_THAT(Keys(""), ElementsAre("a/f", "a/g", "a/h"));
}

template <class T>
std::unique_ptr<Fixture> Make() {
  return std::make_unique<T>();
}

INSTANTIATE_TEST_SUITE_P(All, RepositoryContract,
                         ::testing::Values(std::pair("Memory", &Make<MemoryFixture>),
                                           std::pair("Sim", &Make<SimFixture>),
                                           std::pair("Os", &Make<OsFixture>)),
                         [](const auto& test) { return std::string(test.param.first); });

}  // namespace
}  // namespace slipway::deploy
