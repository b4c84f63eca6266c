// Secrets of a configuration: found, checked and never shown.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/config/reader_state.h"

namespace slipway::base {
namespace {

std::string Beside(absl::string_view directory, absl::string_view path) {
  if (absl::StartsWith(path, "/") || directory.empty()) return std::string(path);
  return absl::StrCat(directory, "/", path);
}

}  // namespace

std::optional<base::Secret> ConfigReader::ReadSecret(absl::string_view key, const ConfigNode& node,
                                                     bool is_path) {
  if (node.kind != ConfigNode::Kind::kScalar) {
    Refuse(key, node, "expected a secret; write ${NAME}, env:NAME or file:PATH");
    return std::nullopt;
  }
  auto [form, text] = ParseSecretForm(node.text);
  if (is_path) {
    form = SecretForm::kFile;
    text = node.text;
  }
  if (form == SecretForm::kEnvironment) {
    const auto value = state_->options.environment == nullptr
                           ? std::nullopt
                           : state_->options.environment->Get(text);
    if (value.has_value()) return base::Secret(*value);
    // What follows `env:` may be the secret itself, put there by mistake.
    Refuse(key, node, "the environment variable it names is not set; set it");
    return std::nullopt;
  }
  if (form == SecretForm::kFile) {
    if (state_->options.files == nullptr) {
      Refuse(key, node, "a secret file cannot be read here; write ${NAME} or env:NAME");
      return std::nullopt;
    }
    auto file = ReadSecretFile(*state_->options.files, Beside(state_->options.directory, text));
    if (!file.ok()) {
      Refuse(key, node, file.status().message());
      return std::nullopt;
    }
    if (!file->warning.empty()) state_->warnings.Add(node.origin, KeyText(key), file->warning);
    return std::move(file->secret);
  }
  if (node.origin.kind == ConfigOrigin::Kind::kFile && node.origin.variables.empty()) {
    state_->warnings.Add(
        node.origin, KeyText(key),
        "a secret stands in the file itself; write ${NAME}, env:NAME or file:PATH");
  }
  return base::Secret(node.text);
}

void ConfigReader::Secret(absl::string_view key, base::Secret* target, absl::string_view help) {
  const std::string file_key = absl::StrCat(key, "_file");
  const ConfigNode* node =
      Declare(key, "secret", target->empty() ? "" : QuoteYaml(target->Masked()), help);
  std::optional<base::Secret> read;
  if (node != nullptr) {
    read = ReadSecret(key, *node, /*is_path=*/false);
    SetValue(*node, QuoteYaml(target->Masked()));
  }
  const ConfigNode* file = Declare(file_key, "path", "", absl::StrCat("File that holds ", key));
  if (file != nullptr && node != nullptr) {
    Refuse(file_key, *file, absl::StrCat(key, " is set too; keep one of them"));
  } else if (file != nullptr) {
    read = ReadSecret(file_key, *file, /*is_path=*/true);
    SetValue(*file, QuoteYaml(file->text));
  }
  if (read.has_value()) *target = *std::move(read);
}

}  // namespace slipway::base
