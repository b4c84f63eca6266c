#include "base/cli/doctor.h"

#include <algorithm>
#include <ostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/cli/streams.h"
#include "base/json/json.h"

namespace slipway::base::cli {
namespace {

struct Look {
  const char* word;  // padded, so that the checks stand in a column
  const char* json;
  Tone tone;
};

Look LookOf(Doctor::Verdict verdict) {
  switch (verdict) {
    case Doctor::Verdict::kOk:
      return {"OK  ", "ok", Tone::kGreen};
    case Doctor::Verdict::kWarn:
      return {"WARN", "warn", Tone::kYellow};
    case Doctor::Verdict::kFail:
      break;
  }
  return {"FAIL", "fail", Tone::kRed};
}

}  // namespace

void Doctor::Ok(absl::string_view check, absl::string_view text) {
  findings_.push_back({Verdict::kOk, std::string(check), std::string(text), ""});
}

void Doctor::Warn(absl::string_view check, absl::string_view text, absl::string_view remedy) {
  findings_.push_back({Verdict::kWarn, std::string(check), std::string(text), std::string(remedy)});
}

void Doctor::Fail(absl::string_view check, absl::string_view text, absl::string_view remedy) {
  findings_.push_back({Verdict::kFail, std::string(check), std::string(text), std::string(remedy)});
}

int Doctor::Count(Verdict verdict) const {
  return static_cast<int>(
      std::count_if(findings_.begin(), findings_.end(),
                    [verdict](const Finding& finding) { return finding.verdict == verdict; }));
}

absl::Status Doctor::Report(Invocation& in) const {
  const int failed = Count(Verdict::kFail), warnings = Count(Verdict::kWarn);
  Json list = Json::MakeArray();
  for (const Finding& finding : findings_) {
    const Look look = LookOf(finding.verdict);
    if (in.json) {
      Json json = Json::MakeObject(
          {{"check", finding.check}, {"result", look.json}, {"text", finding.text}});
      if (!finding.remedy.empty()) json.Set("remedy", finding.remedy);
      list.Append(std::move(json));
      continue;
    }
    if (in.quiet && finding.verdict == Verdict::kOk) continue;
    in.streams.out << Paint(look.word, look.tone, in.streams.color_out) << "  "
                   << EscapeForTerminal(finding.check) << ": " << EscapeForTerminal(finding.text)
                   << "\n";
    if (!finding.remedy.empty()) {
      in.streams.out << "      do: " << EscapeForTerminal(finding.remedy) << "\n";
    }
  }
  if (in.json) {
    in.result = Json::MakeObject({{"findings", std::move(list)}});
    in.result.Set("failed", failed);
    in.result.Set("warnings", warnings);
  }
  if (failed == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("doctor: ", failed, " of ", findings_.size(), " checks failed"));
}

}  // namespace slipway::base::cli
