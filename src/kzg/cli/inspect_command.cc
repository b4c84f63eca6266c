// kzg inspect: what a point or a scalar is, and what is wrong with it (K84).
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/cli/command.h"
#include "base/json/json.h"
#include "base/status.h"
#include "bls12_381/encoding.h"
#include "kzg/cli/context.h"
#include "kzg/scheme/hex.h"
#include "kzg/scheme/input.h"

namespace slipway::kzg::cli {
namespace {

using base::Json;
using base::cli::Invocation;
using bls12_381::PointError;

std::string FpHex(const bls12_381::Fp& value) {
  Bytes48 bytes;
  value.ToBytes(absl::MakeSpan(bytes));
  return EncodeHex(bytes);
}

absl::Status PointProblem(absl::string_view kind, PointError error) {
  return InputError(error == PointError::kNotInSubgroup ? kNotInSubgroup
                    : error == PointError::kNotOnCurve  ? kNotOnCurve
                                                        : kInvalidPointEncoding,
                    absl::StrCat("inspect ", kind, ": ", bls12_381::PointErrorText(error)));
}

// What the bytes are, line by line; an error says what is wrong with them.
absl::Status Describe(BytesView bytes, Json& out) {
  if (bytes.size() == kBytesPerFieldElement) {
    out.Set("kind", Json("scalar"));
    return ReadScalar(bytes, {"scalar"}).status();
  }
  if (bytes.size() == kBytesPerG1) {
    out.Set("kind", Json("point of G1"));
    bls12_381::G1Affine point = bls12_381::G1Affine::Identity();
    const PointError error = bls12_381::DecompressG1(bytes, &point);
    if (error != PointError::kOk) return PointProblem("point of G1", error);
    out.Set("infinity", Json(point.infinity));
    if (!point.infinity) {
      out.Set("x", Json(FpHex(point.x)));
      out.Set("y", Json(FpHex(point.y)));
    }
    return absl::OkStatus();
  }
  if (bytes.size() == kBytesPerG2) {
    out.Set("kind", Json("point of G2"));
    bls12_381::G2Affine point = bls12_381::G2Affine::Identity();
    const PointError error = bls12_381::DecompressG2(bytes, &point);
    if (error != PointError::kOk) return PointProblem("point of G2", error);
    out.Set("infinity", Json(point.infinity));
    if (!point.infinity) {
      out.Set("x0", Json(FpHex(point.x.c0)));
      out.Set("x1", Json(FpHex(point.x.c1)));
      out.Set("y0", Json(FpHex(point.y.c0)));
      out.Set("y1", Json(FpHex(point.y.c1)));
    }
    return absl::OkStatus();
  }
  return InputError(kInvalidLength,
                    absl::StrCat("inspect: ", bytes.size(),
                                 " bytes; a scalar has 32, a point of G1 48, a point of G2 96"));
}

absl::Status RunInspect(const std::string& text, Invocation& in) {
  SLIPWAY_ASSIGN_OR_RETURN(const base::Bytes bytes, DecodeHex(text, {"input"}));
  in.result = Json::MakeObject();
  const absl::Status status = Describe(bytes, in.result);
  in.result.Set("valid", Json(status.ok()));
  if (in.json || !status.ok()) return status;
  for (const auto& [key, value] : *in.result.AsObject()) {
    in.streams.out << key << " " << (value.AsString() != nullptr ? *value.AsString() : value.Dump())
                   << "\n";
  }
  return status;
}

}  // namespace

void AddInspectCommand(base::cli::Program& program) {
  auto text = std::make_shared<std::string>();
  base::cli::Command& inspect =
      program.Add("inspect", "Decode a scalar or a point and say what is wrong with it");
  inspect.Argument("HEX", text.get(), "32, 48 or 96 bytes").Required();
  inspect.Example("kzg inspect 0xc00000…00", "the point at infinity");
  inspect.Run([text](Invocation& in) { return RunInspect(*text, in); });
}

}  // namespace slipway::kzg::cli
