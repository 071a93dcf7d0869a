#include "report.h"

#include <cstdio>

#include <spdlog/spdlog.h>

#include "base/text.h"

namespace imds::inspector {

void report_ruleset(const Ruleset& ruleset) {
  for (const std::string& note : ruleset.notes) {
    spdlog::warn("{}", escape_for_terminal(note));
  }
  spdlog::debug("rules: compiled in {}", ruleset.cost.to_string());
  for (const std::string& warning : ruleset.warnings) {
    spdlog::warn("{}", warning);
  }
  for (const sigma::SkippedRule& skipped : ruleset.skipped) {
    spdlog::warn("{}", Error{ErrorKind::config,
                             "rule \"" + escape_for_terminal(skipped.title) +
                                 "\" is not in force: " + skipped.reason,
                             skipped.where}
                           .to_string());
  }
}

void report_suppressions(const classify::SuppressionSet& suppressions) {
  for (std::size_t i = 0; i < suppressions.size(); ++i) {
    if (const std::string& why = suppressions.never_because(i); !why.empty()) {
      spdlog::warn("suppression \"{}\" never matches, because {}", suppressions.name(i), why);
    }
  }
}

void report_eal(const EalReport& report) {
  for (const std::string& warning : report.warnings) {
    spdlog::warn("{}", warning);
  }
  std::string cpus;
  for (const unsigned cpu : report.worker_cpus) {
    cpus += (cpus.empty() ? "" : ", ") + std::to_string(cpu);
  }
  spdlog::info("memory: {} MiB on {}; worker CPUs: {}", report.memory_mib,
               report.hugepages ? "hugepages" : "ordinary pages", cpus);
  std::string arguments;
  for (const std::string& argument : report.arguments) {
    arguments += ' ' + argument;
  }
  spdlog::debug("EAL:{}", arguments);
}

void report_ports(const port::EthdevSet& ports, std::uint16_t workers) {
  for (std::uint16_t i = 0; i < ports.port_count(); ++i) {
    const port::PortReport& p = ports.report(i);
    const port::LinkInfo link = ports.link(i);
    spdlog::info("port {}: {} ({}), {}{}, link {}{}", p.name, p.device, p.driver,
                 p.mode == port::PortMode::tap ? "tap, receives only" : "inline, forwards to ",
                 p.peer, link.up ? "up" : "down",
                 link.speed_mbps > 0 ? " " + std::to_string(link.speed_mbps) + " Mbit/s" : "");
    spdlog::info(
        "port {}: {} of {} queue(s), RSS {}{}, {} rx descriptors, {} mbufs of {} bytes "
        "({} MiB), frames up to {} bytes, promiscuous {}",
        p.name, p.queues, p.queues_wanted, port::to_text(p.rss),
        p.rss_fields.empty() ? "" : " (" + p.rss_fields + ")", p.rx_descriptors, p.mbufs,
        p.mbuf_data_bytes, p.mempool_bytes >> 20, p.longest_frame, p.promiscuous ? "on" : "off");
    for (const std::string& note : p.notes) {
      spdlog::warn("port {}: {}", p.name, note);
    }
  }
  if (ports.queues() < workers) {
    spdlog::warn(
        "{} worker(s) asked for, but the ports give only {} queue(s) each: {} worker(s) "
        "run",
        workers, ports.queues(), ports.queues());
  }
}

std::string describe_injection(const InjectionResult& result) {
  if (result.alerts == 0) {
    return "test request: no alert reached the ring; are rules loaded, and is the test client "
           "(192.0.2.1 or 2001:db8::1) suppressed?";
  }
  char text[128];
  std::snprintf(text, sizeof text, "test request: %llu alert(s) reached the ring after %.1f ms",
                static_cast<unsigned long long>(result.alerts), result.seconds * 1e3);
  return text;
}

}  // namespace imds::inspector
