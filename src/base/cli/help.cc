#include "base/cli/help.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/bytes.h"

namespace slipway::base::cli {
namespace {

constexpr int kWidthMax = 100;
constexpr int kWidthMin = 40;
constexpr int kNameColumnMax = 30;

using Entries = std::vector<std::pair<std::string, std::string>>;

// Words of `text` in lines of at most `width` columns.
std::vector<std::string> Wrap(absl::string_view text, int width) {
  std::vector<std::string> lines(1);
  for (absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    std::string& line = lines.back();
    if (!line.empty() && DisplayWidth(line) + 1 + DisplayWidth(word) > width) {
      lines.emplace_back(word);
    } else {
      absl::StrAppend(&line, line.empty() ? "" : " ", word);
    }
  }
  return lines;
}

// "  --name TYPE  help", names in one column.
void AppendEntries(absl::string_view title, const Entries& entries, int width, std::string* out) {
  if (entries.empty()) return;
  absl::StrAppend(out, "\n", title, ":\n");
  int column = 0;
  for (const auto& entry : entries) {
    const int name = DisplayWidth(entry.first);
    if (name <= kNameColumnMax) column = std::max(column, name);
  }
  for (const auto& [name, help] : entries) {
    const std::vector<std::string> lines = Wrap(help, std::max(20, width - column - 4));
    const int pad = column - DisplayWidth(name);
    std::string line = absl::StrCat("  ", name);
    if (pad >= 0) {
      line.append(static_cast<size_t>(pad) + 2, ' ');
    } else {
      absl::StrAppend(&line, "\n", std::string(static_cast<size_t>(column) + 4, ' '));
    }
    for (size_t i = 0; i < lines.size(); ++i) {
      if (i > 0) line = std::string(static_cast<size_t>(column) + 4, ' ');
      line += lines[i];
      line.erase(line.find_last_not_of(' ') + 1);
      absl::StrAppend(out, line, "\n");
    }
  }
}

std::string OptionTitle(const Parameter& option) {
  std::string title =
      option.letter != 0 ? absl::StrCat("-", std::string(1, option.letter), ", ") : std::string();
  absl::StrAppend(&title, option.negatable ? "--[no-]" : "--", option.name.substr(2));
  if (option.takes_value) absl::StrAppend(&title, " ", option.metavar);
  return title;
}

std::string OptionHelp(const Parameter& option) {
  std::string help = option.help;
  if (!option.choices.empty()) {
    absl::StrAppend(&help, " (", absl::StrJoin(option.choices, ", "), ")");
  }
  if (option.repeated) absl::StrAppend(&help, " (may be repeated)");
  return help;
}

void AppendOptions(const Command& command, absl::string_view title, int width, std::string* out) {
  std::vector<std::string> groups;
  for (const auto& option : command.options()) {
    const std::string group = option->group.empty() ? std::string(title) : option->group;
    if (!option->hidden && std::find(groups.begin(), groups.end(), group) == groups.end()) {
      groups.push_back(group);
    }
  }
  for (const std::string& group : groups) {
    Entries entries;
    for (const auto& option : command.options()) {
      const bool here = option->group.empty() ? group == title : group == option->group;
      if (here && !option->hidden) entries.emplace_back(OptionTitle(*option), OptionHelp(*option));
    }
    AppendEntries(group, entries, width, out);
  }
}

void AppendExamples(const Command& command, std::string* out) {
  if (command.examples().empty()) return;
  *out += "\nExamples:\n";
  for (const auto& [line, explanation] : command.examples()) {
    if (!explanation.empty()) absl::StrAppend(out, "  # ", explanation, "\n");
    absl::StrAppend(out, "  ", line, "\n");
  }
}

std::string CommandHelp(const Program& program, const Command& command, int width) {
  std::string out =
      absl::StrCat(program.name(), " ", command.path(), " - ", command.summary(), "\n");
  AppendExamples(command, &out);
  absl::StrAppend(&out, "\nUsage: ", program.name(), " ", command.path(), UsageText(command), "\n");
  if (!command.description().empty()) {
    out += "\n";
    for (absl::string_view paragraph : absl::StrSplit(command.description(), '\n')) {
      absl::StrAppend(&out, absl::StrJoin(Wrap(paragraph, width), "\n"), "\n");
    }
  }
  Entries arguments;
  for (const auto& argument : command.arguments()) {
    arguments.emplace_back(argument->name, argument->help);
  }
  AppendEntries("Arguments", arguments, width, &out);
  AppendOptions(command, "Options", width, &out);
  Entries children;
  for (const Candidate& child : program.Children(command.path())) {
    children.emplace_back(child.word, child.description);
  }
  AppendEntries("Commands", children, width, &out);
  absl::StrAppend(&out, "\nGlobal options: ", program.name(), " --help\n");
  return out;
}

std::string GroupHelp(const Program& program, absl::string_view path, int width) {
  std::string out = program.name();
  const std::vector<Candidate> siblings = program.Children(
      path.substr(0, path.rfind(' ') == absl::string_view::npos ? 0 : path.rfind(' ')));
  const absl::string_view last = path.substr(path.rfind(' ') + 1);
  for (const Candidate& sibling : siblings) {
    if (sibling.word == last && !sibling.description.empty()) {
      absl::StrAppend(&out, " ", path, " - ", sibling.description, "\n");
    }
  }
  if (out == program.name()) absl::StrAppend(&out, " ", path, "\n");
  out += "\nExamples:\n";
  for (const auto& command : program.commands()) {
    if (absl::StartsWith(command->path(), absl::StrCat(path, " ")) &&
        !command->examples().empty()) {
      absl::StrAppend(&out, "  ", command->examples().front().first, "\n");
    }
  }
  if (absl::EndsWith(out, "Examples:\n")) out.resize(out.size() - 11);
  absl::StrAppend(&out, "\nUsage: ", program.name(), " ", path, " COMMAND [OPTIONS]\n");
  Entries children;
  for (const Candidate& child : program.Children(path)) {
    children.emplace_back(child.word, child.description);
  }
  AppendEntries("Commands", children, width, &out);
  absl::StrAppend(&out, "\nMore: ", program.name(), " ", path, " COMMAND --help\n");
  return out;
}

std::string ProgramHelp(const Program& program, int width) {
  std::string out = absl::StrCat(program.name(), " - ", program.summary(), "\n");
  const Command* root = program.Find("");  // what runs without a command
  AppendExamples(root != nullptr ? *root : program.global_options(), &out);
  absl::StrAppend(&out, "\nUsage: ", program.name());
  if (root == nullptr) {
    out += " COMMAND [OPTIONS]\n";
  } else {
    absl::StrAppend(&out, UsageText(*root), "\n       ", program.name(), " COMMAND [OPTIONS]\n");
    Entries arguments;
    for (const auto& argument : root->arguments()) {
      arguments.emplace_back(argument->name, argument->help);
    }
    AppendEntries("Arguments", arguments, width, &out);
    AppendOptions(*root, "Options", width, &out);
  }
  Entries children;
  for (const Candidate& child : program.Children("")) {
    children.emplace_back(child.word, child.description);
  }
  AppendEntries("Commands", children, width, &out);
  AppendOptions(program.global_options(), "Global options", width, &out);
  absl::StrAppend(&out, "\nMore: ", program.name(), " COMMAND --help\n");
  return out;
}

}  // namespace

std::string UsageText(const Command& command) {
  std::string usage;
  for (const auto& argument : command.arguments()) {
    const std::string name = absl::StrCat(argument->name, argument->repeated ? "..." : "");
    absl::StrAppend(&usage, " ", argument->required ? name : absl::StrCat("[", name, "]"));
  }
  return absl::StrCat(usage, " [OPTIONS]");
}

std::string HelpText(const Program& program, absl::string_view path, int width) {
  width = std::clamp(width, kWidthMin, kWidthMax);
  if (path.empty()) return ProgramHelp(program, width);
  const Command* command = program.Find(path);
  return command != nullptr ? CommandHelp(program, *command, width)
                            : GroupHelp(program, path, width);
}

std::string MessageText(absl::string_view message) {
  return absl::StrJoin(
      absl::StrSplit(message, '\\'), "\\",
      [](std::string* out, absl::string_view part) { *out += EscapeForTerminal(part); });
}

}  // namespace slipway::base::cli
