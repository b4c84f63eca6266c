#include "base/digest/sha256.h"

#include <openssl/evp.h>

#include "base/check.h"

namespace slipway::base {
namespace {

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, FreeContext>;

// Looking an algorithm up costs three times a short hash, so it is done once. Never freed: hashing
// is allowed until the process ends.
const EVP_MD* Algorithm() {
  static const EVP_MD* const algorithm = [] {
    const EVP_MD* md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
    SLIPWAY_CHECK(md != nullptr);  // OpenSSL's default provider always has it
    return md;
  }();
  return algorithm;
}

Context NewContext() {
  Context context(EVP_MD_CTX_new());
  SLIPWAY_CHECK(context != nullptr);  // out of memory
  return context;
}

// These three cannot fail with a fetched algorithm and a context of ours.
void Start(EVP_MD_CTX* context) {
  const int ok = EVP_DigestInit_ex2(context, Algorithm(), nullptr);
  SLIPWAY_CHECK(ok == 1);
}

void Add(EVP_MD_CTX* context, BytesView data) {
  const int ok = EVP_DigestUpdate(context, data.data(), data.size());
  SLIPWAY_CHECK(ok == 1);
}

Sha256Digest End(EVP_MD_CTX* context) {
  Sha256Digest digest;
  unsigned int size = 0;
  const int ok = EVP_DigestFinal_ex(context, digest.data(), &size);
  SLIPWAY_CHECK(ok == 1);
  SLIPWAY_CHECK(size == digest.size());
  return digest;
}

}  // namespace

struct Sha256::State {
  Context context = NewContext();
};

Sha256::Sha256() : state_(std::make_unique<State>()) { Start(state_->context.get()); }
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::Update(BytesView data) { Add(state_->context.get(), data); }

Sha256Digest Sha256::Finish() {
  const Sha256Digest digest = End(state_->context.get());
  Start(state_->context.get());
  return digest;
}

Sha256Digest Sha256Of(BytesView data) {
  thread_local const Context context = NewContext();
  Start(context.get());
  Add(context.get(), data);
  return End(context.get());
}

}  // namespace slipway::base
