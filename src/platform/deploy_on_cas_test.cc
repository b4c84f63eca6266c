#include "platform/deploy_on_cas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/cli/program.h"
#include "base/files.h"
#include "base/sim/world.h"
#include "base/sync/mutex.h"
#include "base/testing/status_matchers.h"
#include "cas/errors.h"
#include "cas/store/stores.h"
#include "deploy/cli/deploy_tool.h"
#include "deploy/model/errors.h"
#include "deploy/repository/codec.h"

namespace slipway::platform {
namespace {

using ::slipway::base::testing::IsOkAndHolds;
using ::slipway::base::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// A store that several repositories share and that can be harmed.
class Shelf {
 public:
  class View : public cas::BlobStore {
   public:
    explicit View(Shelf& shelf) : shelf_(shelf) {}
    absl::StatusOr<std::optional<uint64_t>> Check(const cas::Digest& digest) override {
      SLIPWAY_RETURN_IF_ERROR(shelf_.down);
      if (shelf_.lost.contains(digest)) return std::optional<uint64_t>();
      return shelf_.store->Check(digest);
    }
    absl::StatusOr<bool> Contains(const cas::Digest& digest) override {
      SLIPWAY_ASSIGN_OR_RETURN(const auto size, Check(digest));
      return size.has_value();
    }
    base::Owned<cas::BlobWriter> Store(const cas::Digest& digest) override {
      SLIPWAY_RETURN_IF_ERROR(shelf_.down);
      ++shelf_.stores;
      return shelf_.store->Store(digest);
    }
    base::Owned<cas::BlobReader> Fetch(const cas::Digest& digest, cas::BlobRange range) override {
      SLIPWAY_RETURN_IF_ERROR(shelf_.down);
      if (shelf_.lost.contains(digest)) return cas::NotFoundError(digest);
      if (shelf_.damaged.contains(digest)) return cas::CorruptError(digest);
      return shelf_.store->Fetch(digest, range);
    }
    std::optional<std::string> GetLocalPath(const cas::Digest&) override { return std::nullopt; }

   private:
    Shelf& shelf_;
  };

  std::unique_ptr<cas::BlobStore> store = cas::MakeMemoryStore(1 << 30);
  absl::Status down;
  std::set<cas::Digest> lost, damaged;
  int stores = 0;
};

// deploy-tool in a simulated world, with `type: cas` on the shelf of its endpoint.
class Machine {
 public:
  Machine() : world_(1) {
    for (const char* path : {"/home/ann/p", "/opt", "/srv"}) {
      EXPECT_OK(world_.files.MakeRoot(path));
    }
    world_.SetWorkingDirectory("/home/ann/p");
    world_.environment.Set("HOME", "/home/ann");
    Write(".deploy-tool.yaml", kConfig);
  }

  std::string Run(const std::string& line, int expected_exit = 0) {
    std::istringstream in;
    std::ostringstream out, err;
    base::cli::Streams streams{in, out, err};
    deploy::cli::DeployTool tool(
        "1.2.3", {{"cas", [this](const deploy::cli::StoreRequest& request) {
                     return base::Owned<deploy::Repository>(RepositoryOnCas(
                         std::make_unique<Shelf::View>(shelves[request.config.endpoint]),
                         {request.config.name, request.config.endpoint, request.record},
                         request.world.clock));
                   }}});
    std::vector<std::string> args = absl::StrSplit(line, ' ');
    args.insert(args.begin(), {"--progress", "none"});
    const int exit = tool.program().Run(args, streams, world_.world());
    const std::string all = absl::StrCat(out.str(), err.str());
    EXPECT_EQ(exit, expected_exit) << line << "\n" << all;
    return all;
  }

  void Pack(const std::string& version, const std::string& content) {
    Write("src/file", content);
    Run(absl::StrCat("pack ./src --type model --version ", version));
  }
  void Write(const std::string& path, const std::string& text) {
    const auto [folder, name] = base::SplitPath(path);
    const auto dir = world_.files.MakeRoot(absl::StrCat("/home/ann/p/", folder));
    ASSERT_OK(dir);
    ASSERT_OK(base::WriteFileDurably(**dir, name, text));
  }
  std::string Read(const std::string& path) {
    return base::ReadUserFile(world_.files, path, 1 << 20).value_or("none");
  }
  void Remove(const std::string& path) {
    const auto [folder, name] = base::SplitPath(path);
    const auto dir = world_.files.MakeRoot(folder);
    ASSERT_OK(dir);
    ASSERT_OK(base::RemoveTree(**dir, name));
  }
  deploy::PublishRecord Record(const std::string& version = "1.0.0") {
    return deploy::ParseRecord(Read(absl::StrCat("/home/ann/p/deployment/publish/model-", version,
                                                 ".publish.json")))
        .value();
  }
  // The digest that the record states for the store `name`.
  cas::Digest DigestOf(const std::string& name, const std::string& field) {
    for (const deploy::Location& location : Record().locations) {
      for (const auto& [key, value] : location.fields) {
        if (location.name == name && key == field) return cas::ParseDigest(value).value();
      }
    }
    ADD_FAILURE() << name << " has no " << field;
    return {};
  }
  std::string Deployed() { return Read("/opt/d/links/model/file"); }

  std::map<std::string, Shelf> shelves;

  static constexpr char kConfig[] = R"(version: "1.0"
publish:
  targets:
    - {name: files, type: filesystem, path: /srv/files}
    - {name: cache, type: cas, endpoint: "cas.example:50610", tls: {ca: ca.pem}}
deploy: {root: /opt/d, allow_root: true}
)";

 private:
  base::sim::World world_;
};

TEST(DeployOnCas, PublishWritesTheDigestsIntoTheRecord) {  // D168
  Machine m;
  m.Pack("1.0.0", "one");
  EXPECT_THAT(m.Run("publish model:1.0.0"), HasSubstr("cache"));
  const deploy::PublishRecord record = m.Record();
  ASSERT_EQ(record.locations.size(), 2u);
  const deploy::Location& location = record.locations[1];
  EXPECT_EQ(location.type, "cas");
  EXPECT_EQ(location.name, "cache");
  EXPECT_EQ(location.fields[0].first, "endpoint");
  EXPECT_EQ(location.fields[0].second, "cas.example:50610");
  const std::string manifest = m.Read("/home/ann/p/deployment/manifests/model-1.0.0.manifest.json");
  EXPECT_EQ(m.DigestOf("cache", "manifest_digest"), cas::DigestOf(base::AsBytes(manifest)));
  const std::string package = m.Read("/home/ann/p/dist/model-1.0.0.tar.gz");
  EXPECT_EQ(m.DigestOf("cache", "package_digest"), cas::DigestOf(base::AsBytes(package)));
  const std::string index = m.Read("/home/ann/p/dist/model-1.0.0.files.zst");
  EXPECT_EQ(m.DigestOf("cache", "index_digest"), cas::DigestOf(base::AsBytes(index)));
}

TEST(DeployOnCas, DeploysWithNothingButTheRecordsAndTheStore) {
  Machine m;
  m.Pack("1.0.0", "one");
  m.Run("publish model:1.0.0");
  for (const char* gone : {"/srv/files", "/home/ann/p/dist", "/home/ann/p/deployment/manifests"}) {
    m.Remove(gone);
  }
  m.Run("deploy model:1.0.0 --source cache");
  EXPECT_EQ(m.Deployed(), "one");
}

TEST(DeployOnCas, ARepeatedPublishSendsNothingAndChangesNoRecord) {
  Machine m;
  m.Pack("1.0.0", "one");
  m.Run("publish model:1.0.0");
  const std::string record = m.Read("/home/ann/p/deployment/publish/model-1.0.0.publish.json");
  const int stores = m.shelves["cas.example:50610"].stores;
  EXPECT_THAT(m.Run("publish model:1.0.0"), HasSubstr("already-published"));
  EXPECT_EQ(m.Read("/home/ann/p/deployment/publish/model-1.0.0.publish.json"), record);
  EXPECT_EQ(m.shelves["cas.example:50610"].stores, stores);
}

TEST(DeployOnCas, WhatTheStoreLostIsSentAgain) {
  Machine m;
  m.Pack("1.0.0", "one");
  m.Run("publish model:1.0.0");
  m.shelves.clear();
  EXPECT_THAT(m.Run("deploy model:1.0.0 --source cache", 6),
              AllOf(HasSubstr("DT010"), HasSubstr("is not there")));
  m.Run("publish model:1.0.0");
  m.Run("deploy model:1.0.0 --source cache");
  EXPECT_EQ(m.Deployed(), "one");
}

TEST(DeployOnCas, OtherContentOfAPublishedVersionIsRefused) {  // D14
  Machine m;
  m.Pack("1.0.0", "one");
  m.Run("publish model:1.0.0 --to cache");
  m.Remove("/home/ann/p/dist");
  m.Remove("/home/ann/p/deployment/manifests");
  m.Pack("1.0.0", "two");
  EXPECT_THAT(m.Run("publish model:1.0.0 --to cache", 7), HasSubstr("DT012"));
  m.Run("publish model:1.0.0 --to cache --force");
  m.Run("deploy model:1.0.0 --source cache");
  EXPECT_EQ(m.Deployed(), "two");
}

TEST(DeployOnCas, AnInterruptedPublishLeavesNoName) {
  Machine m;
  m.Pack("1.0.0", "one");
  m.shelves["cas.example:50610"].down = absl::UnavailableError("nobody listens");
  EXPECT_THAT(m.Run("publish model:1.0.0", 4), AllOf(HasSubstr("DT004"), HasSubstr("nobody")));
  m.shelves["cas.example:50610"].down = absl::OkStatus();
  EXPECT_THAT(m.Run("deploy model:1.0.0 --source cache", 6), HasSubstr("DT010"));
}

TEST(DeployOnCas, ADamagedOrMissingBlobIsToldAndTheNextSourceIsTried) {
  for (const bool damaged : {true, false}) {
    Machine m;
    m.Pack("1.0.0", "one");
    m.Run("publish model:1.0.0");
    std::string config = Machine::kConfig;
    config.replace(config.find("allow_root: true}"), 17,
                   "allow_root: true, sources: [{name: cache, priority: 1}, {name: files, "
                   "priority: 2}]}");
    m.Write(".deploy-tool.yaml", config);
    Shelf& shelf = m.shelves["cas.example:50610"];
    (damaged ? shelf.damaged : shelf.lost).insert(m.DigestOf("cache", "package_digest"));
    const std::string alone = m.Run("deploy model:1.0.0 --source cache", damaged ? 3 : 6);
    EXPECT_THAT(alone, HasSubstr(damaged ? "DT007" : "DT010"));
    EXPECT_THAT(alone, HasSubstr("cache"));
    EXPECT_THAT(m.Run("deploy model:1.0.0"), HasSubstr("the next source was tried"));
    EXPECT_EQ(m.Deployed(), "one");
  }
}

TEST(DeployOnCas, ADigestOfAnotherCasIsAsGood) {
  Machine m;
  m.Pack("1.0.0", "one");
  m.Run("publish model:1.0.0");
  // A mirror of the store, under a name that no record knows.
  std::string config = Machine::kConfig;
  config.replace(config.find("allow_root: true}"), 17,
                 "allow_root: true, sources: [{name: near, type: cas, endpoint: \"near:1\"}]}");
  m.Write(".deploy-tool.yaml", config);
  std::swap(m.shelves["near:1"].store, m.shelves["cas.example:50610"].store);
  m.Run("deploy model:1.0.0");
  EXPECT_EQ(m.Deployed(), "one");
}

TEST(DeployOnCas, LatestNeedsAStoreWithNames) {
  Machine m;
  m.Pack("1.0.0", "one");
  m.Run("publish model:1.0.0");
  EXPECT_THAT(m.Run("deploy model:latest --source cache", 4),
              AllOf(HasSubstr("no names to list"), HasSubstr("name the version")));
  m.Run("deploy model:latest");  // the file store knows
  EXPECT_EQ(m.Deployed(), "one");
}

TEST(DeployOnCas, ADamagedRecordIsNoMissingVersion) {
  Machine m;
  m.Pack("1.0.0", "one");
  m.Run("publish model:1.0.0");
  m.Write("deployment/publish/model-1.0.0.publish.json", "{");
  EXPECT_THAT(m.Run("deploy model:1.0.0 --source cache", 3), HasSubstr("DT007"));
}

TEST(DeployOnCas, AReleaseIsPublishedAndDeployed) {
  Machine m;
  m.Pack("1.0.0", "one");
  m.Run("release create model:1.0.0 --release-version 2024.01.20");
  m.Run("deploy --release 2024.01.20 --source cache");
  EXPECT_EQ(m.Deployed(), "one");
}

TEST(DeployOnCas, WithoutAnOpenerTheTypeIsToldAsUnknown) {
  base::sim::World world(1);
  ASSERT_OK(world.files.MakeRoot("/p"));
  world.SetWorkingDirectory("/p");
  const auto dir = world.files.OpenRoot("/p");
  ASSERT_OK(base::WriteFileDurably(**dir, ".deploy-tool.yaml", Machine::kConfig));
  std::istringstream in;
  std::ostringstream out, err;
  base::cli::Streams streams{in, out, err};
  deploy::cli::DeployTool tool("1.2.3");
  EXPECT_EQ(
      tool.program().Run({"deploy", "model:1.0.0", "--source", "cache"}, streams, world.world()),
      4);
  EXPECT_THAT(err.str(), AllOf(HasSubstr("DT004"), HasSubstr("knows no stores of type cas")));
}

// ---- The repository alone ----

class TextSource : public base::ByteSource {
 public:
  explicit TextSource(std::string text) : left_(std::move(text)) {}
  absl::StatusOr<size_t> Read(absl::Span<uint8_t> out) override {
    const size_t count = std::min(out.size(), left_.size());
    std::copy_n(left_.begin(), count, out.begin());
    left_.erase(0, count);
    return count;
  }

 private:
  std::string left_;
};

class CasRepositoryTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::string> Get(absl::string_view key, deploy::Range range = {}) {
    std::string text;
    const absl::Status status = repository_->Get(key, range, [&](base::BytesView bytes) {
      absl::StrAppend(&text, base::AsText(bytes));
      return absl::OkStatus();
    });
    if (!status.ok()) return status;
    return text;
  }

  base::sim::World world_{1};
  Shelf shelf_;
  std::unique_ptr<deploy::Repository> repository_ = RepositoryOnCas(
      std::make_unique<Shelf::View>(shelf_), {"cache", "host:1", nullptr}, world_.clock);
};

constexpr char kKey[] = "model/1.0.0/model-1.0.0.tar.gz";

TEST_F(CasRepositoryTest, WhatWasPutIsThereUntilItIsRemoved) {
  EXPECT_THAT(Get(kKey), StatusIs(absl::StatusCode::kNotFound));
  ASSERT_OK(deploy::PutText(*repository_, kKey, "0123456789", deploy::If::kAbsent));
  EXPECT_THAT(Get(kKey), IsOkAndHolds("0123456789"));
  EXPECT_EQ(repository_->Stat(kKey)->size_bytes, 10u);
  EXPECT_THAT(deploy::PutText(*repository_, kKey, "x", deploy::If::kAbsent),
              StatusIs(absl::StatusCode::kAlreadyExists));
  ASSERT_OK(deploy::PutText(*repository_, kKey, "other", deploy::If::kAny));
  EXPECT_THAT(Get(kKey), IsOkAndHolds("other"));
  ASSERT_OK(repository_->Remove(kKey));
  ASSERT_OK(repository_->Remove(kKey));
  EXPECT_THAT(repository_->Stat(kKey), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(CasRepositoryTest, RangesAreThoseOfARepository) {
  for (const char* key : {kKey, "releases/1.release.json"}) {
    SCOPED_TRACE(key);
    ASSERT_OK(deploy::PutText(*repository_, key, "0123456789", deploy::If::kAny));
    EXPECT_THAT(Get(key, {3, {}}), IsOkAndHolds("3456789"));
    EXPECT_THAT(Get(key, {3, 4}), IsOkAndHolds("3456"));
    EXPECT_THAT(Get(key, {3, 0}), IsOkAndHolds(""));
    EXPECT_THAT(Get(key, {10, {}}), IsOkAndHolds(""));
    EXPECT_THAT(Get(key, {0, 11}), StatusIs(absl::StatusCode::kOutOfRange));
    EXPECT_THAT(Get(key, {11, {}}), StatusIs(absl::StatusCode::kOutOfRange));
  }
}

TEST_F(CasRepositoryTest, ASourceOfAnotherLengthIsRefused) {
  for (const uint64_t announced : {9u, 11u}) {
    TextSource source("0123456789");
    EXPECT_THAT(repository_->Put(kKey, source, announced, deploy::If::kAny),
                StatusIs(absl::StatusCode::kOutOfRange));
  }
  EXPECT_THAT(Get(kKey), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(CasRepositoryTest, AFileIsReadTwiceAndCanBeCancelledBeforeItIsVisible) {
  const auto dir = world_.files.MakeRoot("/d");
  const std::string text(3'000'000, 'x');
  ASSERT_OK(base::WriteFileDurably(**dir, "f", text));
  const auto file = (*dir)->Open("f", {});
  ASSERT_OK(file);
  const auto stop = [&](uint64_t done) {
    return done == text.size() ? absl::CancelledError("stop") : absl::OkStatus();
  };
  EXPECT_THAT(repository_->PutFile(kKey, **file, text.size(), deploy::If::kAny, stop),
              StatusIs(absl::StatusCode::kCancelled));
  EXPECT_THAT(shelf_.store->Contains(cas::DigestOf(base::AsBytes(text))), IsOkAndHolds(false));
  uint64_t last = 0;
  ASSERT_OK(repository_->PutFile(kKey, **file, text.size(), deploy::If::kAny, [&](uint64_t done) {
    last = done;
    return absl::OkStatus();
  }));
  EXPECT_EQ(last, text.size());
  EXPECT_THAT(Get(kKey), IsOkAndHolds(text));
}

TEST_F(CasRepositoryTest, RecordsAndReleasesAreNotStored) {
  ASSERT_OK(deploy::PutText(*repository_, "model/1.0.0/model-1.0.0.publish.json", "{}",
                            deploy::If::kAny));
  ASSERT_OK(deploy::PutText(*repository_, "releases/1.release.json", "{}", deploy::If::kAny));
  EXPECT_EQ(shelf_.stores, 0);
}

// A record with two stores of type cas and something that only looks like one.
deploy::PublishRecord RecordOf(const cas::Digest& here, const cas::Digest& there,
                               const cas::Digest& elsewhere) {
  deploy::PublishRecord record;
  record.component = {"model", "1.0.0"};
  record.locations = {{"files", "filesystem", "", "", {{"package_digest", elsewhere.ToString()}}},
                      {"mirror", "cas", "", "", {{"package_digest", there.ToString()}}},
                      {"cache", "cas", "", "", {{"package_digest", here.ToString()}}}};
  return record;
}

TEST_F(CasRepositoryTest, TheOwnLocationNamesTheDigestAndElseAnotherOfTheType) {  // D168
  std::map<std::string, cas::Digest> blobs;
  for (const char* text : {"here", "there", "elsewhere"}) {
    blobs[text] = cas::DigestOf(base::AsBytes(text));
    ASSERT_OK(cas::PutBytes(*shelf_.store, blobs[text], base::AsBytes(text)));
  }
  deploy::PublishRecord record = RecordOf(blobs["here"], blobs["there"], blobs["elsewhere"]);
  repository_ = RepositoryOnCas(
      std::make_unique<Shelf::View>(shelf_),
      {"cache", "host:1",
       [&](const deploy::Component&) { return std::optional<deploy::PublishRecord>(record); }},
      world_.clock);
  EXPECT_THAT(Get(kKey), IsOkAndHolds("here"));
  record.locations.pop_back();
  EXPECT_THAT(Get(kKey), IsOkAndHolds("there"));
  record.locations.pop_back();
  EXPECT_THAT(Get(kKey), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(CasRepositoryTest, WhatTheStoreLostIsNotThereInAnyCall) {
  ASSERT_OK(deploy::PutText(*repository_, kKey, "0123456789", deploy::If::kAny));
  shelf_.lost.insert(cas::DigestOf(base::AsBytes("0123456789")));
  EXPECT_THAT(Get(kKey), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(Get(kKey, {10, {}}), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(repository_->Stat(kKey), StatusIs(absl::StatusCode::kNotFound));
  // So it may be stored again.
  EXPECT_OK(deploy::PutText(*repository_, kKey, "0123456789", deploy::If::kAbsent));
}

TEST_F(CasRepositoryTest, ListIsUnimplementedAndSaysWhatToDo) {
  const absl::Status status = repository_->List("model/", "").status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnimplemented));
  EXPECT_THAT(base::GetErrorInfo(status).hint, Not(testing::IsEmpty()));
}

TEST_F(CasRepositoryTest, OddKeysAreRefused) {
  EXPECT_THAT(Get("../x"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Get("a//b"), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace slipway::platform
