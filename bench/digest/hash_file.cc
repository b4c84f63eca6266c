// hash_file MODE FILE: hashes a mapped file, as b3sum does, and prints the wall seconds that took
// (with the page faults and the start of threads, without those of the process) and the hash. MODE
// is `sha256`, `dual` (SHA-256 and BLAKE3), or the number of threads for BLAKE3.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "base/digest/blake3.h"
#include "base/digest/dual.h"
#include "base/digest/sha256.h"
#include "base/os/pool.h"

namespace {

using slipway::base::BytesView;
using slipway::base::ToHex;

std::string Hash(const std::string& mode, BytesView data) {
  if (mode == "sha256") return ToHex(slipway::base::Sha256Of(data));
  if (mode == "dual") {
    slipway::base::DualHash hash;
    hash.Update(data);
    const slipway::base::DualDigest digest = hash.Finish();
    return ToHex(digest.sha256) + " " + ToHex(digest.blake3);
  }
  const int threads = std::atoi(mode.c_str());
  if (threads < 2) return ToHex(slipway::base::Blake3Of(data));
  slipway::base::os::ThreadPool pool("hash", threads - 1, 1024);  // and this thread
  return ToHex(slipway::base::Blake3Of(data, pool));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s sha256|dual|THREADS FILE\n", argv[0]);
    return 2;
  }
  const int fd = open(argv[2], O_RDONLY | O_CLOEXEC);
  struct stat stat = {};
  if (fd < 0 || fstat(fd, &stat) != 0 || stat.st_size == 0) {
    std::fprintf(stderr, "hash_file: cannot read %s\n", argv[2]);
    return 1;
  }
  const size_t size = static_cast<size_t>(stat.st_size);
  void* const mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (mapped == MAP_FAILED) {
    std::fprintf(stderr, "hash_file: cannot map %s\n", argv[2]);
    return 1;
  }
  const auto begin = std::chrono::steady_clock::now();
  const std::string hash = Hash(argv[1], BytesView(static_cast<uint8_t*>(mapped), size));
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::printf("%.6f %s\n", seconds.count(), hash.c_str());
  return 0;
}
