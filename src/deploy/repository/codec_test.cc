#include "deploy/repository/codec.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/testing/status_matchers.h"
#include "base/units.h"
#include "deploy/model/errors.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::deploy {
namespace {

using ::slipway::base::testing::IsOk;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string IdOf(const absl::Status& status) { return base::GetErrorInfo(status).code; }

absl::Time At(absl::string_view text) { return *base::ParseRfc3339(text); }

std::string Hex(char digit) { return std::string(64, digit); }

Manifest FullManifest() {
  Manifest manifest;
  manifest.component = {"model", "1.0.0"};
  manifest.created_at = At("2024-01-20T10:00:00Z");
  manifest.dependencies = {{"runtime", ">=3.10 <4"}};
  manifest.labels = {{"team", "ocr"}};
  manifest.package.file = "model-1.0.0.tar.gz";
  manifest.package.size_bytes = 524288000;
  manifest.package.level = 6;
  manifest.package.sha256 = Hex('a');
  manifest.package.content = Content{3, 731000000, "blake3:" + Hex('b')};
  manifest.package.pieces = SideFile{"model-1.0.0.pieces", Hex('c')};
  manifest.package.index = SideFile{"model-1.0.0.files.zst", Hex('d')};
  manifest.source_path = "./models";
  manifest.tool_version = "0.1.0";
  manifest.excluded = {{"__pycache__/", 4}};
  return manifest;
}

// D9, spec 6.3: the text is the contract; readers of other programs and Git diffs rest on it.
TEST(ManifestCodec, WritesTheGoldenText) {
  const std::string golden = absl::StrCat(R"({
  "manifest_version": "1.0",
  "component": {
    "type": "model",
    "version": "1.0.0",
    "created_at": "2024-01-20T10:00:00Z",
    "name": "",
    "description": "",
    "dependencies": [
      {
        "type": "runtime",
        "version": ">=3.10 <4"
      }
    ],
    "labels": {
      "team": "ocr"
    }
  },
  "package": {
    "file": "model-1.0.0.tar.gz",
    "size": 524288000,
    "algorithm": "gzip",
    "level": 6,
    "checksum": {
      "algorithm": "sha256",
      "value": ")",
                                          Hex('a'), R"("
    },
    "content": {
      "files": 3,
      "bytes": 731000000,
      "tree": "blake3:)",
                                          Hex('b'), R"("
    },
    "pieces": {
      "size": 8388608,
      "file": "model-1.0.0.pieces",
      "sha256": ")",
                                          Hex('c'), R"("
    },
    "index": {
      "file": "model-1.0.0.files.zst",
      "sha256": ")",
                                          Hex('d'), R"("
    }
  },
  "metadata": {
    "source_path": "./models",
    "pack_version": "1.0",
    "tool_version": "0.1.0",
    "excluded": {
      "__pycache__/": 4
    },
    "sbom": null,
    "provenance": null
  }
}
)");
  EXPECT_EQ(WriteManifest(FullManifest()), golden);
  const absl::StatusOr<Manifest> read = ParseManifest(golden);
  ASSERT_OK(read);
  EXPECT_EQ(WriteManifest(*read), golden);
  EXPECT_EQ(read->created_at, FullManifest().created_at);
  EXPECT_EQ(read->package.level, 6);
  EXPECT_EQ(read->excluded.at("__pycache__/"), 4u);
}

constexpr char kMinimal[] =
    R"({"component":{"type":"model","version":"1.0.0","created_at":"2024-01-20T10:00:00Z"},
 "package":{"file":"m.tar","size":7,"algorithm":"none",
   "checksum":{"algorithm":"sha256","value":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}},
 "metadata":{"source_path":"./m","pack_version":"1.0"}})";

// Spec 6.3: a manifest with just the required members deploys.
TEST(ManifestCodec, ReadsTheRequiredMembersAlone) {
  const absl::StatusOr<Manifest> manifest = ParseManifest(kMinimal);
  ASSERT_OK(manifest);
  EXPECT_EQ(manifest->manifest_version, "1.0");
  EXPECT_EQ(manifest->package.size_bytes, 7u);
  EXPECT_FALSE(manifest->package.level || manifest->package.content || manifest->package.index);
}

// D9
TEST(ManifestCodec, KeepsUnknownMembersOnEveryLevel) {
  const std::string text = absl::StrReplaceAll(
      WriteManifest(FullManifest()),
      {{"\"manifest_version\"", "\"future\":[1,{\"x\":null}],\"manifest_version\""},
       {"\"created_at\"", "\"owner\":\"ocr\",\"created_at\""},
       {"\"algorithm\": \"sha256\"", "\"algorithm\":\"sha256\",\"salt\":1"},
       {"\"files\": 3", "\"files\":3,\"dirs\":2"},
       {"\"size\": 524288000", "\"size\":1,\"chunks\":{\"file\":\"c\"}"},
       {"\"sbom\": null", "\"sbom\":{\"file\":\"s\"},\"host\":5"}});
  const absl::StatusOr<base::Json> document = base::ParseJson(text);
  ASSERT_OK(document);
  absl::StatusOr<Manifest> manifest = ParseManifest(text);
  ASSERT_OK(manifest);
  manifest->package.index.reset();
  const std::string written = WriteManifest(*manifest, &*document);
  const absl::StatusOr<base::Json> json = base::ParseJson(written);
  ASSERT_OK(json);
  EXPECT_EQ(json->Find("future")->Dump(), R"([1,{"x":null}])");
  EXPECT_EQ(*json->Find("component")->Find("owner")->AsString(), "ocr");
  EXPECT_EQ(json->Find("package")->Find("checksum")->Find("salt")->AsInt(), 1);
  EXPECT_EQ(json->Find("package")->Find("content")->Find("dirs")->AsInt(), 2);
  EXPECT_EQ(json->Find("package")->Find("chunks")->Dump(), R"({"file":"c"})");
  EXPECT_EQ(json->Find("metadata")->Find("sbom")->Dump(), R"({"file":"s"})");
  EXPECT_EQ(json->Find("metadata")->Find("host")->AsInt(), 5);
  // What we know and took out does not come back.
  EXPECT_EQ(json->Find("package")->Find("index"), nullptr);
}

TEST(ManifestCodec, EscapesTextThatIsNotUtf8) {
  Manifest manifest = FullManifest();
  manifest.source_path = "./a\xff";
  manifest.excluded = {{"x\xfe", 1}, {"x\\xfe", 2}};
  const absl::StatusOr<Manifest> read = ParseManifest(WriteManifest(manifest));
  ASSERT_OK(read);
  EXPECT_EQ(read->source_path, "./a\\xff");
  EXPECT_EQ(read->excluded.at("x\\xfe"), 3u);
}

struct BadDocument {
  std::string from, to;
  std::string id, message;
};

TEST(ManifestCodec, NamesTheWrongMember) {
  const std::vector<BadDocument> cases = {
      {"\"type\":\"model\",", "", "DT007", "read manifest: component.type: is missing"},
      {"\"type\":\"model\"", "\"type\":5", "DT007", "component.type: is not a string"},
      {"\"type\":\"model\"", "\"type\":\"../m\"", "DT007", "component.type '../m'"},
      {"2024-01-20T10:00:00Z", "yesterday", "DT007", "component.created_at: 'yesterday'"},
      {"2024-01-20T10:00:00Z", "infinite-future", "DT007", "component.created_at"},
      {"2024-01-20T10:00:00Z", "0001-01-01T00:00:00Z", "DT007", "component.created_at"},
      {"\"size\":7", "\"size\":-7", "DT007", "package.size: is not an integer"},
      {"\"size\":7", "\"size\":7.0", "DT007", "package.size: is not an integer"},
      {"\"size\":7", "\"size\":9223372036854775808", "DT007", "package.size: is not an integer"},
      {"\"size\":7", "\"size\":7,\"size\":8", "DT007", "duplicate key \"size\""},
      {"\"size\":7", "\"size\":7,\"level\":\"x\"", "DT007", "package.level"},
      {"\"size\":7", "\"size\":7,\"level\":4294967297", "DT007", "package.level"},
      {"\"size\":7", "\"size\":7,\"index\":{}", "DT007", "package.index.file: is missing"},
      {"\"size\":7", "\"size\":7,\"pieces\":{\"file\":\"p\",\"sha256\":\"q\"}", "DT007",
       "package.pieces.size: is missing"},
      {"\"size\":7", "\"size\":7,\"content\":[]", "DT007", "package.content: is not an object"},
      {"m.tar", "../m.tar", "DT007", "package.file '../m.tar'"},
      {"sha256", "md5", "DT007", "package.checksum.algorithm: is not sha256"},
      {"\"metadata\"", "\"meta\"", "DT007", "metadata: is missing"},
      {"{\"component\"", "{\"manifest_version\":\"2.0\",\"component\"", "DT025", "version 2.0"},
      {"{\"component\"", "{\"manifest_version\":\"0.9\",\"component\"", "DT025", "version 0.9"},
      {"{\"component\"", "{\"manifest_version\":\"1\",\"component\"", "DT007", "MAJOR.MINOR"},
      {"{\"component\"", "{\"manifest_version\":1.0,\"component\"", "DT007", "manifest_version"},
      {"{\"component\"", "[{\"component\"", "DT007", "read manifest: parse JSON: line"},
  };
  for (const BadDocument& c : cases) {
    std::string text = kMinimal;
    ASSERT_NE(text.find(c.from), std::string::npos) << c.from;
    text.replace(text.find(c.from), c.from.size(), c.to);
    const absl::Status status = ParseManifest(text).status();
    EXPECT_EQ(IdOf(status), c.id) << c.to << " " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message));
  }
  EXPECT_EQ(IdOf(ParseManifest("[]").status()), "DT007");
  const std::string newer = absl::StrReplaceAll(
      kMinimal, {{"{\"component\"", "{\"manifest_version\":\"1.7\",\"component\""}});
  EXPECT_THAT(ParseManifest(newer), IsOk());  // a newer minor version only adds
}

constexpr char kRecordText[] = R"({
  "component": {
    "type": "model",
    "version": "1.0.0"
  },
  "locations": [
    {
      "name": "local",
      "type": "filesystem",
      "path": "/data/packages/model/1.0.0/",
      "url": "file:///data/packages/model/1.0.0/model-1.0.0.tar.gz"
    },
    {
      "name": "production-bos",
      "type": "bos",
      "endpoint": "bj.bcebos.com",
      "bucket": "ml-artifacts",
      "object_key": "model/1.0.0/model-1.0.0.tar.gz"
    }
  ],
  "published_at": "2024-01-20T10:30:00Z"
}
)";

// D14, spec 6.4
TEST(RecordCodec, ReadsAndWritesTheGoldenText) {
  const absl::StatusOr<PublishRecord> record = ParseRecord(kRecordText);
  ASSERT_OK(record);
  EXPECT_EQ(record->locations[0].path, "/data/packages/model/1.0.0/");
  EXPECT_THAT(record->locations[1].fields,
              ElementsAre(std::pair<std::string, std::string>("endpoint", "bj.bcebos.com"),
                          std::pair<std::string, std::string>("bucket", "ml-artifacts"),
                          std::pair<std::string, std::string>("object_key",
                                                              "model/1.0.0/model-1.0.0.tar.gz")));
  EXPECT_EQ(WriteRecord(*record), kRecordText);
}

// D9, D15: what others put into a location stays as long as the location does.
TEST(RecordCodec, KeepsUnknownMembersOfUnchangedLocations) {
  const std::string text = absl::StrReplaceAll(
      kRecordText,
      {{"\"name\": \"local\"", "\"size\":5,\"name\":\"local\""},
       {"\"name\": \"production-bos\"", "\"chunked\":true,\"name\":\"production-bos\""},
       {"\"published_at\"", "\"note\":[],\"published_at\""}});
  const absl::StatusOr<base::Json> previous = base::ParseJson(text);
  ASSERT_OK(previous);
  absl::StatusOr<PublishRecord> record = ParseRecord(text);
  ASSERT_OK(record);
  record->locations[1].fields[1].second = "other-bucket";
  const std::string written = WriteRecord(*record, &*previous);
  EXPECT_THAT(written, HasSubstr("\"size\": 5"));
  EXPECT_THAT(written, HasSubstr("\"note\": []"));
  EXPECT_THAT(written, Not(HasSubstr("chunked")));  // was said of another place
}

TEST(RecordCodec, MergesByNameAndKeepsTheRest) {
  PublishRecord into = *ParseRecord(kRecordText);
  PublishRecord from;
  from.component = into.component;
  from.locations = {into.locations[0], {"backup", "filesystem", "/b/", "file:///b/f", {}}};
  from.locations[0].path = "/moved/";
  from.published_at = At("2024-02-01T00:00:00Z");
  MergeRecord(into, from);
  ASSERT_EQ(into.locations.size(), 3u);
  EXPECT_EQ(into.locations[0].path, "/moved/");
  EXPECT_EQ(into.locations[1].name, "production-bos");
  EXPECT_EQ(into.locations[2].name, "backup");
  EXPECT_EQ(into.published_at, At("2024-02-01T00:00:00Z"));
  from.published_at = At("2023-01-01T00:00:00Z");
  MergeRecord(into, from);
  EXPECT_EQ(into.published_at, At("2024-02-01T00:00:00Z"));
}

TEST(RecordCodec, NamesTheWrongMember) {
  const std::vector<BadDocument> cases = {
      {"\"type\": \"model\"", "\"type\": \"..\"", "DT007", "component.type: '..'"},
      {"\"version\": \"1.0.0\"", "\"version\": \"a/b\"", "DT007", "component.version: 'a/b'"},
      {"\"name\": \"local\"", "\"name\": \"production-bos\"", "DT007",
       "locations.name: stands twice"},
      {"\"name\": \"local\"", "\"name\": \"\"", "DT007", "locations.name: is empty"},
      {"\"name\": \"local\",", "", "DT007", "locations.name: is missing"},
      {"\"published_at\"", "\"published\"", "DT007", "published_at: is missing"},
      {"\"locations\": [", "\"locations\": [7,", "DT007", "locations: has an item"},
      {"\"locations\"", "\"places\"", "DT007", "locations: is missing"},
  };
  for (const BadDocument& c : cases) {
    std::string text = kRecordText;
    ASSERT_NE(text.find(c.from), std::string::npos) << c.from;
    text.replace(text.find(c.from), c.from.size(), c.to);
    const absl::Status status = ParseRecord(text).status();
    EXPECT_EQ(IdOf(status), c.id) << c.to << " " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message));
  }
}

Release TwoComponents() {
  Release release;
  release.version = "2024.01.20";
  release.created_at = At("2024-01-20T11:00:00Z");
  release.components = {
      {{"config", "1.0.0"}, "deployment/manifests/config-1.0.0.manifest.json", Hex('a')},
      {{"model", "1.0.0"}, "deployment/manifests/model-1.0.0.manifest.json", Hex('b')}};
  release.total_size_bytes = 12;
  return release;
}

// D102, spec 6.5
TEST(ReleaseCodec, WritesTheGoldenText) {
  const std::string golden = absl::StrCat(R"({
  "manifest_version": "1.0",
  "release": {
    "version": "2024.01.20",
    "created_at": "2024-01-20T11:00:00Z",
    "component_count": 2
  },
  "components": [
    {
      "type": "config",
      "version": "1.0.0",
      "manifest": "deployment/manifests/config-1.0.0.manifest.json",
      "sha256": ")",
                                          Hex('a'), R"("
    },
    {
      "type": "model",
      "version": "1.0.0",
      "manifest": "deployment/manifests/model-1.0.0.manifest.json",
      "sha256": ")",
                                          Hex('b'), R"("
    }
  ],
  "metadata": {
    "total_size": 12
  }
}
)");
  EXPECT_EQ(WriteRelease(TwoComponents()), golden);
  const absl::StatusOr<Release> read = ParseRelease(golden);
  ASSERT_OK(read);
  EXPECT_EQ(WriteRelease(*read), golden);
  Release named = *read;
  named.name = "winter";
  const std::string text = absl::StrReplaceAll(
      WriteRelease(named), {{"\"total_size\"", "\"published_by\":\"ci\",\"total_size\""}});
  EXPECT_EQ(ParseRelease(text)->name, "winter");
  const absl::StatusOr<base::Json> previous = base::ParseJson(text);
  ASSERT_OK(previous);
  EXPECT_THAT(WriteRelease(*read, &*previous), HasSubstr("\"published_by\": \"ci\""));
  EXPECT_THAT(WriteRelease(*read, &*previous), Not(HasSubstr("winter")));
}

TEST(ReleaseCodec, NamesTheWrongMember) {
  const std::vector<BadDocument> cases = {
      {"\"component_count\": 2", "\"component_count\": 3", "DT007", "release.component_count"},
      {"\"type\": \"model\"", "\"type\": \"config\"", "DT007", "components.type: stands twice"},
      {"2024.01.20\"", "../x\"", "DT007", "release.version: '../x'"},
      {"\"manifest_version\": \"1.0\"", "\"manifest_version\": \"3.0\"", "DT025", "version 3.0"},
      {"\"release\"", "\"r\"", "DT007", "release: is missing"},
  };
  for (const BadDocument& c : cases) {
    std::string text = WriteRelease(TwoComponents());
    ASSERT_NE(text.find(c.from), std::string::npos) << c.from;
    text.replace(text.find(c.from), c.from.size(), c.to);
    const absl::Status status = ParseRelease(text).status();
    EXPECT_EQ(IdOf(status), c.id) << c.to << " " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message));
  }
}

// D16
TEST(ScrubCheck, RefusesCredentialsAndDoesNotRepeatThem) {
  const std::vector<std::string> secrets = {"hunter2!", "a\"b\\c", "p ss/word", "abc"};
  const std::vector<std::string> refused = {
      "{\n\"x\": \"my hunter2! here\"}",
      base::Json::MakeObject({{"x", "a\"b\\c"}}).Dump(),
      "https://host/x?y=p%20ss%2Fword",
      "https://user:pass@host/x",
      "ftp://token@host",
      "https://us\\\"er@host",
      "{\"url\":\"https://h/x?a=1&X-Amz-Signature=abcdef\"}",
      "https://h/x?sig=1",
      "https://h/x?a=b;signature=1",
      "https://h/x?AWSAccessKeyId=1",
      "https://h/x?authorization=bce-auth-v1",
      "https://h/x?access_token=1",
  };
  for (const std::string& text : refused) {
    const absl::Status status = ScrubCheck(text, secrets);
    EXPECT_EQ(IdOf(status), "DT019") << text;
    for (const char* part : {"hunter2!", "user:pass", "token@", "abcdef", "ss/word", "ss%2Fword"}) {
      EXPECT_THAT(std::string(status.message()), Not(HasSubstr(part)));
    }
  }
  EXPECT_THAT(std::string(ScrubCheck(refused[0], secrets).message()), HasSubstr("line 2"));
}

TEST(ScrubCheck, LetsPlainDocumentsPass) {
  const std::vector<std::string> secrets = {"hunter2!", "1.0", ""};
  for (const std::string& text :
       {WriteManifest(FullManifest()), std::string(kRecordText), WriteRelease(TwoComponents()),
        std::string("https://host/path@2x?size=1&design=2"), std::string("mail me@host"),
        std::string("https:// @"), std::string("file:///a@b"), std::string("a?b&c;d"),
        std::string("https://h/x?signatures=1&mysig=2")}) {
    EXPECT_OK(ScrubCheck(text, secrets)) << text;
  }
}

}  // namespace
}  // namespace slipway::deploy
