// imds-tracegen: writes a trace as a pcap file, and beside it, in FILE.expected.json, what it
// consists of and what must be found in it.
#include <cstdio>
#include <exception>
#include <fstream>
#include <string>

#include <boost/program_options.hpp>
#include <nlohmann/json.hpp>

#include "support/pcap_writer.h"
#include "trace.h"

namespace {

using namespace imds;

void print_profiles() {
  for (const traces::Profile& profile : traces::profiles()) {
    std::printf("%-10.*s %.*s\n", static_cast<int>(profile.name.size()), profile.name.data(),
                static_cast<int>(profile.text.size()), profile.text.data());
  }
}

void write_trace(const traces::Profile& profile, std::uint64_t packets, std::uint64_t seed,
                 const std::string& path) {
  support::PcapOptions options;
  options.format = support::CaptureFormat::pcap_nanoseconds;
  support::PcapWriter writer(path, options);
  const traces::Summary summary = traces::generate(
      profile, packets, seed,
      [&](Timestamp time, const support::Bytes& frame) { writer.write(time, frame); });
  writer.flush();
  const nlohmann::json expected = {{"profile", profile.name},    {"seed", seed},
                                   {"packets", summary.packets}, {"bytes", summary.bytes},
                                   {"flows", summary.flows},     {"alerts", summary.alerts}};
  std::ofstream out(path + ".expected.json");
  if (!(out << expected.dump(2) << '\n') || !out.flush()) {
    throw std::runtime_error("cannot write " + path + ".expected.json");
  }
}

int run(int argc, char** argv) {
  namespace po = boost::program_options;
  std::string profile_name;
  std::string path;
  std::uint64_t packets = 0;
  std::uint64_t seed = 1;
  po::options_description options("imds-tracegen --profile NAME --out FILE");
  options.add_options()("help", "this text")("list", "names the profiles")(
      "profile", po::value(&profile_name), "which traffic")("out", po::value(&path), "pcap file")(
      "packets", po::value(&packets), "how many at least; default: the profile's own")(
      "seed", po::value(&seed), "another one gives other packets; default 1");
  po::variables_map given;
  po::store(po::parse_command_line(argc, argv, options), given);
  po::notify(given);
  if (given.count("help") != 0) {
    std::printf("%s", (std::ostringstream() << options).str().c_str());
    return 0;
  }
  if (given.count("list") != 0) {
    print_profiles();
    return 0;
  }
  const traces::Profile* profile = traces::find_profile(profile_name);
  if (profile == nullptr || path.empty()) {
    std::fprintf(stderr, "imds-tracegen: --profile (see --list) and --out are needed\n");
    return 2;
  }
  write_trace(*profile, packets != 0 ? packets : profile->packets, seed, path);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const boost::program_options::error& error) {
    std::fprintf(stderr, "imds-tracegen: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "imds-tracegen: %s\n", error.what());
    return 1;
  }
}
