#include "base/cli/completion.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/cli/help.h"
#include "base/cli/parse.h"
#include "base/config/nearest.h"
#include "base/status.h"

namespace slipway::base::cli {
namespace {

constexpr char kBash[] = R"sh(# bash completion for @NAME@
_@FUNCTION@() {
  local line directive=
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :files) directive=default ;;
      :dirs) directive=dirnames ;;
      *) COMPREPLY+=("$(printf '%q' "$line")") ;;
    esac
  done < <("$1" __complete bash "${COMP_LINE:0:COMP_POINT}" "$COMP_WORDBREAKS" 2>/dev/null)
  if [[ -n $directive ]]; then compopt -o "$directive" 2>/dev/null; fi
  return 0
}
complete -F _@FUNCTION@ @NAME@
)sh";

constexpr char kZsh[] = R"(#compdef @NAME@
_@FUNCTION@() {
  local -a described
  local line
  for line in "${(@f)$("$words[1]" __complete zsh "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    case $line in
      '') ;;
      :files) _files ;;
      :dirs) _files -/ ;;
      *) described+=("$line") ;;
    esac
  done
  if (( $#described )); then _describe -V '@NAME@' described; fi
}
if [[ ${funcstack[1]} == _@FUNCTION@ ]]; then
  _@FUNCTION@ "$@"
else
  compdef _@FUNCTION@ @NAME@
fi
)";

constexpr char kFish[] = R"(# fish completion for @NAME@
function __@FUNCTION@_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    if test (count $current) -eq 0
        set current ''
    end
    for line in ($words[1] __complete fish $words[2..-1] $current 2>/dev/null)
        switch $line
            case ':files'
                __fish_complete_path $current
            case ':dirs'
                __fish_complete_directories $current
            case '*'
                echo $line
        end
    end
end
complete -c @NAME@ -f -a '(__@FUNCTION@_complete)'
)";

struct Candidates {
  std::vector<Candidate> words;
  ValueKind kind = ValueKind::kWord;
};

void AddValues(const Parameter& parameter, absl::string_view prefix, World& world,
               Candidates* out) {
  for (const std::string& choice : parameter.choices) {
    out->words.push_back({absl::StrCat(prefix, choice), ""});
  }
  if (parameter.completer) {
    for (Candidate& candidate : parameter.completer(world)) {
      candidate.word = absl::StrCat(prefix, candidate.word);
      out->words.push_back(std::move(candidate));
    }
  }
  out->kind = parameter.kind;
}

// `dashes`: how many the words get.
void AddOptions(const Program& program, const Walk& walk, size_t dashes, Candidates* out) {
  const auto add = [&](const Command& command) {
    for (const auto& option : command.options()) {
      if (option->hidden) continue;
      out->words.push_back({option->name.substr(2 - dashes), option->help});
      if (option->negatable) {
        out->words.push_back(
            {("--no-" + option->name.substr(2)).substr(2 - dashes), "Not: " + option->help});
      }
    }
  };
  if (walk.command != nullptr) add(*walk.command);
  add(program.global_options());
}

Candidates Collect(const Program& program, absl::Span<const std::string> words,
                   const std::string& current, World& world) {
  Walk walk;
  walk.command = program.Find("");
  Candidates out;
  for (const std::string& word : words) {
    if (!Step(program, word, /*apply=*/false, walk).ok()) return out;
  }
  const size_t equals = current.find('=');
  if (walk.pending != nullptr) {
    AddValues(*walk.pending, "", world, &out);
  } else if (!walk.options_ended && absl::StartsWith(current, "--") &&
             equals != std::string::npos) {
    bool negated = false;
    const Parameter* option = FindOption(program, walk, current.substr(0, equals), &negated);
    if (option != nullptr && option->takes_value) {
      AddValues(*option, current.substr(0, equals + 1), world, &out);
    }
  } else if (!walk.options_ended && absl::StartsWith(current, "-") &&
             !BetweenArguments(program, walk)) {
    const bool one_dash =
        program.options().go_style && current.size() > 1 && !absl::StartsWith(current, "--");
    AddOptions(program, walk, one_dash ? 1 : 2, &out);
  } else {
    if (walk.arguments == 0 && !walk.options_ended) out.words = program.Children(walk.path);
    if (walk.command != nullptr && !walk.command->arguments().empty()) {
      const auto& arguments = walk.command->arguments();
      const size_t index = std::min(walk.arguments, arguments.size() - 1);
      if (walk.arguments == index || arguments[index]->repeated) {
        AddValues(*arguments[index], "", world, &out);
      }
    }
  }
  out.words.erase(std::remove_if(out.words.begin(), out.words.end(),
                                 [&](const Candidate& candidate) {
                                   return !absl::StartsWith(candidate.word, current);
                                 }),
                  out.words.end());
  return out;
}

// What readline considers one word begins after the last break character; quotes and blanks are
// taken care of by the shell itself.
size_t BreakPrefix(absl::string_view word, absl::string_view wordbreaks) {
  for (size_t i = word.size(); i-- > 0;) {
    if ((word[i] == ':' || word[i] == '=') && absl::StrContains(wordbreaks, word.substr(i, 1))) {
      return i + 1;
    }
  }
  return 0;
}

std::string OneLine(absl::string_view text) {
  return absl::StrReplaceAll(text, {{"\n", " "}, {"\t", " "}});
}

}  // namespace

std::vector<std::string> SplitLine(absl::string_view line) {
  std::vector<std::string> words(1);
  char quote = 0;
  bool started = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '\\' && quote != '\'' && i + 1 < line.size()) {
      words.back() += line[++i];
      started = true;
    } else if (quote != 0) {
      if (c == quote) {
        quote = 0;
      } else {
        words.back() += c;
      }
    } else if (c == '"' || c == '\'') {
      quote = c;
      started = true;
    } else if (c == ' ' || c == '\t') {
      if (started) words.emplace_back();
      started = false;
    } else {
      words.back() += c;
      started = true;
    }
  }
  return words;
}

std::string Complete(const Program& program, absl::Span<const std::string> args, World& world) {
  if (args.empty()) return "";
  const std::string& shell = args[0];
  std::vector<std::string> words(args.begin() + 1, args.end());
  std::string wordbreaks;
  if (shell == "bash") {
    if (args.size() < 2) return "";
    if (args.size() > 2) wordbreaks = args[2];
    words = SplitLine(args[1]);
    words.erase(words.begin());  // the program
  }
  if (words.empty()) words.emplace_back();
  const std::string current = std::move(words.back());
  words.pop_back();
  const Candidates candidates = Collect(program, words, current, world);
  std::string out;
  if (candidates.kind == ValueKind::kFile) out += ":files\n";
  if (candidates.kind == ValueKind::kDirectory) out += ":dirs\n";
  const size_t cut = shell == "bash" ? BreakPrefix(current, wordbreaks) : 0;
  for (const Candidate& candidate : candidates.words) {
    if (candidate.word.find_first_of("\n\t") != std::string::npos) continue;
    if (shell == "bash") {
      absl::StrAppend(&out, candidate.word.substr(cut), "\n");
    } else if (shell == "zsh") {
      absl::StrAppend(&out, absl::StrReplaceAll(candidate.word, {{"\\", "\\\\"}, {":", "\\:"}}),
                      candidate.description.empty() ? "" : ":", OneLine(candidate.description),
                      "\n");
    } else {
      absl::StrAppend(&out, candidate.word, "\t", OneLine(candidate.description), "\n");
    }
  }
  return out;
}

absl::StatusOr<std::string> CompletionScript(const Program& program, absl::string_view shell) {
  const char* script = shell == "bash"   ? kBash
                       : shell == "zsh"  ? kZsh
                       : shell == "fish" ? kFish
                                         : nullptr;
  if (script == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("make completion for ", shell, ": not supported; choose bash, zsh or fish"));
  }
  std::string function = program.name();
  std::replace(function.begin(), function.end(), '-', '_');
  return absl::StrReplaceAll(script, {{"@NAME@", program.name()}, {"@FUNCTION@", function}});
}

void AddBuiltinCommands(Program& program, std::string& shell, std::vector<std::string>& topic) {
  Command& completion = program.Add("completion", "Print the completion script of a shell");
  Parameter& argument = completion.Argument("SHELL", &shell, "bash, zsh or fish").Required();
  argument.choices = {"bash", "zsh", "fish"};
  completion.Example(absl::StrCat("source <(", program.name(), " completion bash)"), "bash");
  completion.Example(absl::StrCat("source <(", program.name(), " completion zsh)"), "zsh");
  completion.Example(absl::StrCat(program.name(), " completion fish | source"), "fish");
  completion.Run([&program, &shell](Invocation& in) -> absl::Status {
    SLIPWAY_ASSIGN_OR_RETURN(const std::string script, CompletionScript(program, shell));
    if (in.json) {
      in.result = Json::MakeObject({{"shell", shell}, {"script", script}});
    } else {
      in.streams.out << script;
    }
    return absl::OkStatus();
  });
  Command& help = program.Add("help", "Show help for the program or a command");
  help.Example(absl::StrCat(program.name(), " help help"));
  help.Arguments("COMMAND", &topic, "Words of the command");
  help.Run([&program, &topic](Invocation& in) -> absl::Status {
    const std::string path = absl::StrJoin(topic, " ");
    if (!path.empty() && program.Find(path) == nullptr && program.Children(path).empty()) {
      std::vector<std::string> words;
      for (const Candidate& child : program.Children("")) words.push_back(child.word);
      const auto nearest = NearestWord(topic.front(), words);
      in.exit_code = kExitUsage;
      return MakeError(absl::StatusCode::kInvalidArgument,
                       absl::StrCat("show help for ", path, ": unknown command"),
                       {program.options().usage_id,
                        nearest.has_value() ? absl::StrCat(program.name(), " help ", *nearest)
                                            : absl::StrCat(program.name(), " --help")});
    }
    const std::string text = HelpText(program, path, in.streams.width);
    if (in.json) {
      in.result = Json::MakeObject({{"command", path}, {"help", text}});
    } else {
      in.streams.out << text;
    }
    return absl::OkStatus();
  });
}

}  // namespace slipway::base::cli
