#include "deploy/cli/secret_words.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace slipway::deploy::cli {
namespace {

TEST(SecretWords, KeysThatNameASecretAreKnown) {  // D16
  for (const char* key : {"password", "PASSWORD", "db-password", "api_token", "hfToken", "secret",
                          "aws_secret_access_key", "apiKey", "private-key", "credentials"}) {
    EXPECT_TRUE(IsSecretKey(key)) << key;
  }
  for (const char* key : {"", "tokenizer", "token_type", "max_tokens", "key", "primary-key", "team",
                          "secretary", "keyword", "passwords.txt"}) {
    EXPECT_FALSE(IsSecretKey(key)) << key;
  }
}

// Made of parts, so that no scanner takes this file for one that holds secrets.
TEST(SecretWords, ShapesOfCredentialsAreFoundInText) {  // D16
  const std::string letters = "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8";
  for (const std::string& text : {
           absl::StrCat("for AK", "IAIOSFODNN7EXAMPLE, soon"),
           absl::StrCat("gh", "p_", letters),
           absl::StrCat("(gl", "pat-", letters, ")"),
           absl::StrCat("xox", "b-123456789012-abcdefGHIJKL"),
           absl::StrCat("h", "f_", letters),
           absl::StrCat("AI", "za", letters),
           absl::StrCat("Authorization: Bearer ", letters),
           absl::StrCat("ey", "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"),
           std::string("-----BEGIN OPENSSH PRIVATE KEY-----"),
           std::string("password=hunter2"),
           std::string("run with --api-token=abcd1234 please"),
       }) {
    EXPECT_NE(SecretShape(text), "") << text;
  }
  for (const char* text :
       {"", "new weights", "token: handling of umlauts", "bearer authentication fixed",
        "AKIAlike names", "sk-learn 1.4", "risk-averse-decision-models-of-2024",
        "tokenizer=bert-base-uncased", "pad_token=0", "sha256=4f1c", "model:1.0.0",
        "https://example.com/x?key=1", "hf_hub", "0123456789abcdef0123456789abcdef01234567"}) {
    EXPECT_EQ(SecretShape(text), "") << text;
  }
}

}  // namespace
}  // namespace slipway::deploy::cli
