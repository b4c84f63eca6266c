#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "deploy/model/component.h"
#include "deploy/model/errors.h"
#include "deploy/model/manifest.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace slipway::deploy {
namespace {

using ::testing::HasSubstr;

std::string IdOf(const absl::Status& status) { return base::GetErrorInfo(status).code; }

// D108, spec 6.11 and 6.12
TEST(Errors, EveryIdHasItsExitCode) {
  const struct {
    Dt dt;
    const char* name;
    int exit;
  } rows[] = {
      {Dt::kConfig, "DT001", 2},
      {Dt::kPathNotFound, "DT002", 6},
      {Dt::kVersionFormat, "DT003", 3},
      {Dt::kStorage, "DT004", 4},
      {Dt::kPermission, "DT005", 5},
      {Dt::kDiskSpace, "DT006", 4},
      {Dt::kChecksum, "DT007", 3},
      {Dt::kTarget, "DT008", 8},
      {Dt::kMissing, "DT009", 2},
      {Dt::kNotFound, "DT010", 6},
      {Dt::kReleaseNotFound, "DT011", 6},
      {Dt::kExists, "DT012", 7},
      {Dt::kType, "DT013", 3},
      {Dt::kDependency, "DT014", 3},
      {Dt::kUnfinished, "DT015", 1},
      {Dt::kChanged, "DT016", 1},
      {Dt::kOutsideProject, "DT017", 3},
      {Dt::kFileKind, "DT018", 3},
      {Dt::kSecret, "DT019", 3},
      {Dt::kDenied, "DT020", 13},
      {Dt::kLocked, "DT021", 11},
      {Dt::kTrust, "DT022", 14},
      {Dt::kUnsafe, "DT023", 3},
      {Dt::kHook, "DT024", 1},
      {Dt::kFormat, "DT025", 3},
      {Dt::kCancelled, "DT026", 130},
      {Dt::kTimeout, "DT027", 9},
      {Dt::kNetwork, "DT028", 8},
      {Dt::kProblems, "DT050", 15},
      {Dt::kInternal, "DT099", 10},
  };
  for (const auto& row : rows) {
    const absl::Status status = Error(row.dt, "do a thing: reason", "try this");
    EXPECT_EQ(IdOf(status), row.name);
    EXPECT_EQ(base::GetErrorInfo(status).hint, "try this");
    EXPECT_EQ(ExitCodeOf(status), row.exit) << row.name;
    EXPECT_EQ(DtName(row.dt), row.name);
  }
}

TEST(Errors, WithoutAnIdTheCodeDecides) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), 0);
  EXPECT_EQ(ExitCodeOf(absl::InvalidArgumentError("x")), 2);
  EXPECT_EQ(ExitCodeOf(absl::CancelledError("x")), 130);
  EXPECT_EQ(ExitCodeOf(absl::UnknownError("x")), 10);
  EXPECT_EQ(ExitCodeOf(base::MakeError(absl::StatusCode::kNotFound, "x", {"ZK0001", ""})), 6);
  EXPECT_EQ(ExitCodeOf(base::MakeError(absl::StatusCode::kNotFound, "x", {"DT044", ""})), 6);
  EXPECT_EQ(ExitCodeOf(base::MakeError(absl::StatusCode::kNotFound, "x", {"DT2", ""})), 6);
}

TEST(Errors, WrapKeepsAnIdThatIsThere) {
  const absl::Status inner = Error(Dt::kDiskSpace, "write a: no space", "free some");
  const absl::Status outer = Wrap(inner, Dt::kStorage, "publish model:1.0.0", "other hint");
  EXPECT_EQ(IdOf(outer), "DT006");
  EXPECT_EQ(outer.message(), "publish model:1.0.0: write a: no space");
  EXPECT_EQ(base::GetErrorInfo(outer).hint, "free some");
  const absl::Status bare = Wrap(absl::UnavailableError("gone"), Dt::kStorage, "read b", "wait");
  EXPECT_EQ(IdOf(bare), "DT004");
  EXPECT_EQ(bare.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(base::GetErrorInfo(bare).hint, "wait");
  EXPECT_TRUE(Wrap(absl::OkStatus(), Dt::kStorage, "x").ok());
}

TEST(Errors, FileErrorsHaveTheirIds) {
  EXPECT_EQ(FileErrorCode(base::ErrnoError(ENOSPC, "w"), Dt::kStorage), Dt::kDiskSpace);
  EXPECT_EQ(FileErrorCode(base::ErrnoError(EDQUOT, "w"), Dt::kStorage), Dt::kDiskSpace);
  for (const int error : {EMFILE, ENFILE, ENOMEM}) {
    EXPECT_EQ(FileErrorCode(base::ErrnoError(error, "w"), Dt::kStorage), Dt::kStorage);
  }
  EXPECT_EQ(FileErrorCode(absl::ResourceExhaustedError("read x: more than the limit of 7 bytes"),
                          Dt::kChecksum),
            Dt::kChecksum);
  EXPECT_EQ(FileErrorCode(base::ErrnoError(EACCES, "w"), Dt::kStorage), Dt::kPermission);
  EXPECT_EQ(FileErrorCode(base::ErrnoError(ENOENT, "w"), Dt::kStorage), Dt::kPathNotFound);
  EXPECT_EQ(FileErrorCode(base::ErrnoError(EEXIST, "w"), Dt::kStorage), Dt::kExists);
  EXPECT_EQ(FileErrorCode(base::ErrnoError(EIO, "w"), Dt::kStorage), Dt::kStorage);
}

// D12
TEST(Component, TypesFollowThePattern) {
  for (const std::string& type :
       {std::string("a"), std::string("Model"), std::string("m_1-x"), std::string(50, 'a')}) {
    EXPECT_TRUE(CheckType(type).ok()) << type;
  }
  for (const std::string& type :
       {std::string(), std::string("1a"), std::string("-a"), std::string("_a"), std::string("a.b"),
        std::string("a/b"), std::string(".."), std::string("a b"), std::string("a\n"),
        std::string("\xc3\xa4"), std::string("a\0b", 3), std::string(51, 'a')}) {
    EXPECT_EQ(IdOf(CheckType(type)), "DT013") << type;
  }
}

// D12, spec 6.2
TEST(Component, VersionsFollowTheScheme) {
  for (const char* version : {"1.0.0", "0.0.0", "1.2.3-rc.1+b.5"}) {
    EXPECT_TRUE(CheckVersion(version, VersionScheme::kSemver).ok()) << version;
    EXPECT_TRUE(CheckVersion(version, VersionScheme::kAny).ok()) << version;
  }
  for (const char* version : {"1.0", "v1.0.0", "2024.01.20", "a", "1_0"}) {
    EXPECT_EQ(IdOf(CheckVersion(version, VersionScheme::kSemver)), "DT003") << version;
    EXPECT_TRUE(CheckVersion(version, VersionScheme::kAny).ok()) << version;
  }
  for (const std::string& version :
       {std::string(), std::string("current"), std::string("latest"), std::string(".."),
        std::string(".1"), std::string("-1"), std::string("1/2"), std::string("1 2"),
        std::string("1\n"), std::string(129, '1'), std::string("1.0.0-") + std::string(123, 'a')}) {
    EXPECT_EQ(IdOf(CheckVersion(version, VersionScheme::kAny)), "DT003") << version;
    EXPECT_EQ(IdOf(CheckVersion(version, VersionScheme::kSemver)), "DT003") << version;
  }
  EXPECT_TRUE(CheckVersion(std::string(128, '1'), VersionScheme::kAny).ok());
}

TEST(Component, SpecsAreTypeOrTypeAndVersion) {
  const auto spec = ParseSpec("model:1.0.0");
  ASSERT_TRUE(spec.ok());
  EXPECT_EQ(spec->type, "model");
  EXPECT_EQ(spec->version, "1.0.0");
  EXPECT_EQ(ParseSpec("model:latest")->version, "latest");
  EXPECT_EQ(ParseSpec("model")->version, std::nullopt);
  EXPECT_EQ(IdOf(ParseSpec("").status()), "DT009");
  EXPECT_EQ(IdOf(ParseSpec(":1.0.0").status()), "DT013");
  EXPECT_EQ(IdOf(ParseSpec("a b:1").status()), "DT013");
  EXPECT_EQ(IdOf(ParseSpec("model:").status()), "DT003");
  EXPECT_EQ(IdOf(ParseSpec("model:1:2").status()), "DT003");
  EXPECT_EQ(IdOf(ParseSpec("model:current").status()), "DT003");
}

TEST(Component, VersionOrderAgreesWithSemVerAndIsNaturalElsewhere) {
  const std::vector<std::string> ascending = {"1.0",
                                              "1.0.0-1",
                                              "1.0.0-10",
                                              "1.0.0-alpha",
                                              "1.0.0-alpha.2",
                                              "1.0.0-alpha.10",
                                              "1.0.0-alpha.b",
                                              "1.0.0-b10",
                                              "1.0.0-b9",
                                              "1.0.0",
                                              "1.0.2",
                                              "1.0.10",
                                              "1.2",
                                              "1.10",
                                              "2",
                                              "2.0.0",
                                              "2024-01-20",
                                              "2024-02-03",
                                              "build-9",
                                              "build-10",
                                              "r1-b9",
                                              "r1-b10",
                                              "v1",
                                              "v1-final",
                                              "v1.9",
                                              "v1.10"};
  for (size_t i = 0; i < ascending.size(); ++i) {
    for (size_t j = 0; j < ascending.size(); ++j) {
      const int order = CompareVersions(ascending[i], ascending[j]);
      EXPECT_EQ(order < 0, i < j) << ascending[i] << " " << ascending[j] << " " << order;
      EXPECT_EQ(order > 0, i > j) << ascending[i] << " " << ascending[j] << " " << order;
    }
  }
  EXPECT_EQ(CompareVersions("1.0.0+a", "1.0.0+b"), 0);
  EXPECT_EQ(CompareVersions("r007", "r7"), 0);
}

// A rule stated for pairs would be cyclic where both schemes mix; then std::sort is undefined.
TEST(Component, VersionOrderHasNoCycles) {
  const std::vector<std::string> texts = {
      "1.0.0", "1.0.0-b9",  "1.0.0-b10", "1.0.0-b9_", "1.0.0-",  "1.0.0+x", "1.0.0-a",
      "1.0",   "1.0.0.0",   "01.0.0",    "1-0-0",     "1..0",    "1.0.0_1", "1.a.0",
      "a",     "1.0.0-a.1", "1.0.0-01",  "1.0.0-1",   "1.0.0-a_"};
  for (const auto& a : texts) {
    for (const auto& b : texts) {
      EXPECT_EQ(CompareVersions(a, b) < 0, CompareVersions(b, a) > 0) << a << " " << b;
      for (const auto& c : texts) {
        if (CompareVersions(a, b) <= 0 && CompareVersions(b, c) <= 0) {
          EXPECT_LE(CompareVersions(a, c), 0) << a << " " << b << " " << c;
        }
      }
    }
  }
}

TEST(Component, OnlySemVerHasPrereleases) {
  EXPECT_TRUE(IsPrerelease("1.0.0-rc.1"));
  EXPECT_FALSE(IsPrerelease("1.0.0"));
  EXPECT_FALSE(IsPrerelease("1.0.0+a-b"));
  EXPECT_FALSE(IsPrerelease("2024-01-20"));
}

Manifest Good() {
  Manifest manifest;
  manifest.component = {"model", "1.0.0"};
  manifest.package.file = "model-1.0.0.tar.gz";
  manifest.package.sha256 = std::string(64, 'a');
  manifest.package.content = Content{1, 2, "blake3:" + std::string(64, '0')};
  manifest.package.pieces = SideFile{"model-1.0.0.pieces", std::string(64, 'b')};
  manifest.package.index = SideFile{"model-1.0.0.files.zst", std::string(64, 'c')};
  manifest.dependencies = {{"runtime", ">=3.10 <4"}};
  return manifest;
}

// D12, D126: nothing but a plain name of its own may be fetched and written.
TEST(CheckManifest, NamesTheWrongField) {
  EXPECT_TRUE(CheckManifest(Good()).ok()) << CheckManifest(Good());
  const struct {
    const char* field;
    void (*edit)(Manifest&);
  } cases[] = {
      {"component.type '../x'", [](Manifest& m) { m.component.type = "../x"; }},
      {"component.version '..'", [](Manifest& m) { m.component.version = ".."; }},
      {"component.dependencies.type", [](Manifest& m) { m.dependencies[0].type = ""; }},
      {"component.dependencies.version", [](Manifest& m) { m.dependencies[0].range = ">"; }},
      {"package.file ''", [](Manifest& m) { m.package.file = ""; }},
      {"package.file '..'", [](Manifest& m) { m.package.file = ".."; }},
      {"package.file 'a/b'", [](Manifest& m) { m.package.file = "a/b"; }},
      {"package.file '/etc/x'", [](Manifest& m) { m.package.file = "/etc/x"; }},
      {"package.file 'a\\x0a", [](Manifest& m) { m.package.file = "a\n"; }},
      {"package.file", [](Manifest& m) { m.package.file = std::string(201, 'a'); }},
      {"package.file '.a'", [](Manifest& m) { m.package.file = ".a"; }},
      {"package.file", [](Manifest& m) { m.package.file = "model-1.0.0.manifest.json"; }},
      {"package.file", [](Manifest& m) { m.package.file = "model-1.0.0.publish.json"; }},
      {"package.algorithm", [](Manifest& m) { m.package.algorithm = ""; }},
      {"package.checksum.value", [](Manifest& m) { m.package.sha256 = std::string(64, 'A'); }},
      {"package.checksum.value", [](Manifest& m) { m.package.sha256 = std::string(63, 'a'); }},
      {"package.content.tree", [](Manifest& m) { m.package.content->tree = std::string(64, 'a'); }},
      {"package.pieces.file", [](Manifest& m) { m.package.pieces->file = m.package.file; }},
      {"package.pieces.sha256", [](Manifest& m) { m.package.pieces->sha256 = "x"; }},
      {"package.pieces.size", [](Manifest& m) { m.package.piece_bytes = 0; }},
      {"package.index.file", [](Manifest& m) { m.package.index->file = "../index"; }},
      {"package.index.file", [](Manifest& m) { m.package.index->file = m.package.pieces->file; }},
      {"package.index.sha256", [](Manifest& m) { m.package.index->sha256 = ""; }},
  };
  for (const auto& c : cases) {
    Manifest manifest = Good();
    c.edit(manifest);
    const absl::Status status = CheckManifest(manifest);
    EXPECT_EQ(IdOf(status), "DT007") << c.field;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.field));
  }
}

// D17
TEST(Manifest, ObjectNamesAreThoseOfTheLayout) {
  const Component component{"model", "1.0.0"};
  EXPECT_EQ(ManifestFileName(component), "model-1.0.0.manifest.json");
  EXPECT_EQ(RecordFileName(component), "model-1.0.0.publish.json");
  EXPECT_EQ(IndexFileName(component), "model-1.0.0.files.zst");
  EXPECT_EQ(PiecesFileName(component), "model-1.0.0.pieces");
  EXPECT_EQ(ObjectKey(component, "f"), "model/1.0.0/f");
  EXPECT_EQ(component.ToString(), "model:1.0.0");
  const Component longest{std::string(50, 't'), std::string(128, '1')};
  EXPECT_LE(ManifestFileName(longest).size(), 200u);
}

}  // namespace
}  // namespace slipway::deploy
