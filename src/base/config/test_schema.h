// The configuration that the tests and the fuzz target of this folder read.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/config/reader.h"

namespace slipway::base {

enum class TestCodec { kGzip, kZstd, kNone };

struct TestTarget {
  std::string name, path;
  Secret token;
};

struct TestConfig {
  std::string name = "demo";
  TestCodec codec = TestCodec::kGzip;
  int level = 6;
  std::optional<int> threads;
  std::vector<std::string> exclude = {".git/", "*.pyc"};
  std::map<std::string, std::string> component_paths;
  std::vector<TestTarget> targets;
  bool create_parents = false;
  double fill = 0.85;
  uint64_t cache_bytes = 20 * kGiB;
  absl::Duration timeout = absl::Seconds(30);
  std::map<std::string, std::string> custom_links;
};

inline void BindTestConfig(ConfigReader& r, TestConfig& c) {
  static constexpr std::pair<absl::string_view, TestCodec> kCodecs[] = {
      {"gzip", TestCodec::kGzip}, {"zstd", TestCodec::kZstd}, {"none", TestCodec::kNone}};
  r.Text("project.name", &c.name, "Name of the project", [](absl::string_view name) {
    return name.find(' ') == absl::string_view::npos ? "" : "holds a space; leave it out";
  });
  r.Enum<TestCodec>("pack.compression.algorithm", &c.codec, kCodecs, "Compressor | of packages");
  r.Int("pack.compression.level", &c.level, 1, 9, "Its level");
  r.Int("pack.threads", &c.threads, 0, 1024, "Threads; unset: all");
  r.Texts("pack.exclude", &c.exclude, "Patterns left out");
  r.Map<std::string>(
      "components", &c.component_paths, "<type>",
      [](ConfigReader& component, const std::string&, std::string& path) {
        component.Text("path", &path, "Where it is packed from");
      },
      "The components");
  r.List<TestTarget>(
      "publish.targets", &c.targets,
      [](ConfigReader& target, TestTarget& t) {
        target.Text("name", &t.name, "Name of the target");
        target.Require("name", "give the target a name");
        target.Text("path", &t.path, "Its directory");
        target.Secret("token", &t.token, "Its token");
      },
      "Where packages go");
  r.Bool("deploy.create_parents", &c.create_parents, "Make missing parents");
  r.Double("deploy.fill", &c.fill, 0, 1, "How full it may be");
  r.Size("deploy.cache_size", &c.cache_bytes, "Of the package cache", 1 * kMiB);
  r.Duration("deploy.timeout", &c.timeout, "Of one step", absl::ZeroDuration(), absl::Hours(24));
  r.TextMap("deploy.custom_links", &c.custom_links, "Link to target");
  r.Later("trust");
  r.Free("metadata", "Yours");
}

}  // namespace slipway::base
