// What looks like a credential in texts that people type: labels, reasons, names (D16).
// Thread-safe: free functions.
#pragma once

#include "absl/strings/string_view.h"

namespace slipway::deploy::cli {

// Whether `key`, of a label or the like, says that its value is secret: its last word is password,
// secret, token or the like ("db-password", "hfToken"), or its last two are, like "access_key".
bool IsSecretKey(absl::string_view key);

// What in `text` has the shape of a credential, as words for a message; empty: nothing. Known are
// the fixed beginnings of tokens of code hosts, clouds and chats, private keys, JSON web tokens,
// "Bearer ..." and "password=...". What has no shape of its own cannot be found.
absl::string_view SecretShape(absl::string_view text);

}  // namespace slipway::deploy::cli
