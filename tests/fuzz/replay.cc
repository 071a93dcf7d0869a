// Runs one harness over files instead of under libFuzzer: each as it is, cut short at every byte
// (to a bound), and changed in a few bytes by a generator that repeats itself from run to run.
//
// usage: fuzz-NAME FILE-OR-FOLDER…   A folder that does not exist holds no crash yet.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <set>
#include <vector>

#include "fuzz.h"

namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::size_t kMostCuts = 400;
constexpr int kMutations = 1000;

void run(const Bytes& input) {
  // In memory of exactly this size, so that a sanitiser sees a read past the end.
  const Bytes exact(input.begin(), input.end());
  LLVMFuzzerTestOneInput(exact.data(), exact.size());
}

void run_cut(const Bytes& input) {
  const std::size_t step = input.size() / kMostCuts + 1;
  for (std::size_t size = 0; size < input.size(); size += step) {
    run(Bytes(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(size)));
  }
}

void run_changed(const Bytes& input, std::mt19937& random) {
  constexpr std::uint8_t kTelling[] = {0, 1, 0x7f, 0x80, 0xff, '\r', '\n', '%', ' ', ':'};
  for (int i = 0; i < kMutations && !input.empty(); ++i) {
    Bytes changed = input;
    for (unsigned n = random() % 4 + 1; n > 0; --n) {
      std::uint8_t& byte = changed[random() % changed.size()];
      byte = random() % 2 == 0 ? kTelling[random() % std::size(kTelling)]
                               : static_cast<std::uint8_t>(random());
    }
    run(changed);
  }
}

std::set<std::filesystem::path> files_of(int argc, char** argv) {
  std::set<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    const std::filesystem::path path = argv[i];
    if (!std::filesystem::is_directory(path)) {
      if (std::filesystem::exists(path)) {
        files.insert(path);
      }
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      files.insert(entry.path());
    }
  }
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  const auto files = files_of(argc, argv);
  std::mt19937 random(1);
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    const Bytes input{std::istreambuf_iterator<char>(in), {}};
    if (!in.good() && !in.eof()) {
      std::cerr << file << ": cannot be read\n";
      return 1;
    }
    run(input);
    run_cut(input);
    run_changed(input, random);
  }
  std::cout << files.size() << " inputs\n";
  return files.empty() ? 1 : 0;
}
