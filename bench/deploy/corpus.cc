// Makes the benchmark corpora from fixed seeds: corpus KIND FOLDER. Kinds: weights (3 x 96 MiB of
// normally distributed float32 and 96 MiB of random bytes), small COUNT BYTES (files of that mean
// size in folders of 1000).
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace {

constexpr size_t kPartBytes = 96u << 20;

void WriteFile(const std::filesystem::path& path, const void* data, size_t size) {
  std::ofstream out(path, std::ios::binary);
  out.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
  if (!out.flush()) {
    std::fprintf(stderr, "corpus: cannot write %s\n", path.c_str());
    std::exit(1);
  }
}

void MakeWeights(const std::filesystem::path& folder) {
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal(0.0F, 0.02F);
  std::vector<float> weights(kPartBytes / sizeof(float));
  for (int part = 0; part < 3; ++part) {
    for (float& weight : weights) weight = normal(random);
    WriteFile(folder / ("weights" + std::to_string(part) + ".bin"), weights.data(), kPartBytes);
  }
  std::vector<uint64_t> noise(kPartBytes / sizeof(uint64_t));
  for (uint64_t& word : noise) word = random();
  WriteFile(folder / "noise.bin", noise.data(), kPartBytes);
}

// Words drawn with a skewed distribution: compresses about as source text does.
void MakeSmall(const std::filesystem::path& folder, int count, size_t mean_bytes) {
  std::mt19937_64 random(2);
  std::vector<std::string> words(2000);
  for (std::string& word : words) {
    for (size_t i = 0, n = 2 + random() % 9; i < n; ++i)
      word.push_back(static_cast<char>('a' + random() % 26));
  }
  std::geometric_distribution<size_t> pick(0.005);
  for (int i = 0; i < count; ++i) {
    if (i % 1000 == 0) std::filesystem::create_directories(folder / std::to_string(i / 1000));
    const size_t size = mean_bytes / 2 + random() % (mean_bytes + 1);
    std::string text;
    while (text.size() < size)
      text += words[pick(random) % words.size()] + (random() % 12 == 0 ? "\n" : " ");
    WriteFile(folder / std::to_string(i / 1000) / ("f" + std::to_string(i) + ".txt"), text.data(),
              size);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string kind = argc > 2 ? argv[1] : "";
  if (kind == "weights" && argc == 3) {
    std::filesystem::create_directories(argv[2]);
    MakeWeights(argv[2]);
  } else if (kind == "small" && argc == 5) {
    std::filesystem::create_directories(argv[2]);
    MakeSmall(argv[2], std::atoi(argv[3]), static_cast<size_t>(std::atoi(argv[4])));
  } else {
    std::fprintf(stderr, "usage: %s weights FOLDER | small FOLDER COUNT MEAN_BYTES\n", argv[0]);
    return 2;
  }
}
