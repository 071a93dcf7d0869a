// imds-tracegen: writes a trace as a file, and beside it, in FILE.expected.json, what it
// consists of and what must be found in it.
#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

#include <boost/program_options.hpp>
#include <nlohmann/json.hpp>

#include "traces/trace.h"
#include "traces/trace_file.h"

namespace {

using namespace imds;
namespace po = boost::program_options;

constexpr int kCannotWrite = 1;
constexpr int kUsage = 2;
constexpr const char* kPcap = "pcap";
constexpr const char* kTrafgen = "trafgen";

struct Arguments {
  std::string profile;
  std::string out;
  std::string expected;
  std::string format = kPcap;
  std::uint64_t packets = 0;
  std::uint64_t seed = 1;
};

void print_profiles() {
  for (const traces::Profile& profile : traces::profiles()) {
    std::printf("%-10s %s; %llu packets\n", profile.name.c_str(), profile.text.c_str(),
                static_cast<unsigned long long>(profile.packets));
  }
}

nlohmann::json expectation(const traces::Profile& profile, std::uint64_t seed,
                           const traces::Summary& summary) {
  nlohmann::json out = {{"profile", profile.name},
                        {"seed", seed},
                        {"packets", summary.packets},
                        {"bytes", summary.bytes},
                        {"flows", summary.flows},
                        {"concurrent_flows", summary.concurrent},
                        {"alerts", summary.alerts.by_event},
                        {"alerts_by_rule", summary.alerts.by_rule}};
  if (!profile.rewrite.is_none()) {
    out["rewrite"] = {{"clients", profile.rewrite.clients.to_string()},
                      {"step", profile.rewrite.step},
                      {"loops_to_fill", summary.loops_to_fill}};
  }
  return out;
}

void write_trace(const Arguments& arguments, const traces::Profile& profile) {
  using Format = traces::TraceFile::Format;
  traces::TraceFile file(arguments.out,
                         arguments.format == kTrafgen ? Format::trafgen : Format::pcap);
  const traces::Summary summary = traces::generate(
      profile, arguments.packets != 0 ? arguments.packets : profile.packets, arguments.seed,
      [&](Timestamp time, const support::Bytes& frame) { file.write(time, frame); });
  file.flush();
  if (!arguments.expected.empty()) {
    std::ofstream out(arguments.expected);
    if (!(out << expectation(profile, arguments.seed, summary).dump(2) << '\n') || !out.flush()) {
      throw std::runtime_error("cannot write " + arguments.expected);
    }
  }
  file.close();
}

int usage(const std::string& what) {
  std::fprintf(stderr, "imds-tracegen: %s (see --help)\n", what.c_str());
  return kUsage;
}

int run(int argc, char** argv) {
  Arguments arguments;
  po::options_description options("imds-tracegen --profile NAME --out FILE");
  options.add_options()("help", "this text")("list", "names the profiles (docs/traces.md)")(
      "profile", po::value(&arguments.profile), "which traffic")("out", po::value(&arguments.out),
                                                                 "pcap file; -: standard output")(
      "expected", po::value(&arguments.expected),
      "file for what must be found; default: that of --out with .expected.json, none with -")(
      "format", po::value(&arguments.format), "pcap (default), or trafgen: a configuration for it")(
      "packets", po::value(&arguments.packets),
      "about how many; default: the profile's own. With fewer, fewer flows run at once")(
      "seed", po::value(&arguments.seed), "another one gives other packets; default 1");
  po::variables_map given;
  po::store(po::parse_command_line(argc, argv, options), given);
  po::notify(given);
  if (given.count("help") != 0) {
    std::printf("%s\nExit codes: 0 done, 1 cannot write, 2 usage.\n",
                (std::ostringstream() << options).str().c_str());
    return 0;
  }
  if (given.count("list") != 0) {
    print_profiles();
    return 0;
  }
  if (arguments.profile.empty() || arguments.out.empty()) {
    return usage("--profile and --out are needed");
  }
  const auto profile = traces::find_profile(arguments.profile);
  if (!profile) {
    return usage("no profile is called " + arguments.profile + "; --list names them");
  }
  if (given.count("packets") != 0 && arguments.packets == 0) {
    return usage("--packets needs at least 1");
  }
  if (arguments.format != kPcap && arguments.format != kTrafgen) {
    return usage("--format is pcap or trafgen, not " + arguments.format);
  }
  if (arguments.expected.empty() && arguments.out != "-") {
    arguments.expected = arguments.out + ".expected.json";
  }
  write_trace(arguments, *profile);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  // A reader that goes away and a file that grows too large are errors like others, and are told.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  try {
    return run(argc, argv);
  } catch (const po::error& error) {
    return usage(error.what());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "imds-tracegen: %s\n", error.what());
    return kCannotWrite;
  }
}
