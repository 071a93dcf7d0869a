#include "receive_cores.h"

#include <optional>
#include <pthread.h>
#include <sched.h>

#include <rte_lcore.h>
#include <spdlog/spdlog.h>

namespace imds::inspector {

namespace {

void pin_to(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (pthread_setaffinity_np(pthread_self(), sizeof set, &set) != 0) {
    spdlog::warn("a receive core cannot be bound to CPU {}", cpu);
  }
}

void receive(port::Distributor& distributor, std::optional<unsigned> cpu,
             const std::atomic<bool>& stop) {
  pthread_setname_np(pthread_self(), "imds-receive");
  if (cpu) {
    pin_to(*cpu);
  }
  // For a cache of packet memory of its own; without one the thread works, only slower.
  const bool has_cache = rte_thread_register() == 0;
  distributor.run(stop);
  if (has_cache) {
    rte_thread_unregister();
  }
}

}  // namespace

void ReceiveCores::start(port::EthdevSet& ports, std::span<const unsigned> spare_cpus) {
  stop_.store(false);
  for (std::uint16_t p = 0; p < ports.port_count(); ++p) {
    port::Distributor* distributor = ports.distributor(p);
    if (distributor == nullptr) {
      continue;
    }
    const std::string& name = ports.report(p).name;
    std::optional<unsigned> cpu;
    if (threads_.size() < spare_cpus.size()) {
      cpu = spare_cpus[threads_.size()];
      spdlog::info("port {}: receive core on CPU {} spreads packets over {} workers", name, *cpu,
                   distributor->workers());
    } else {
      spdlog::warn(
          "port {}: no CPU is left for its receive core, which takes turns with the workers and "
          "loses packets under load: lower workers.count or give the process more CPUs",
          name);
    }
    threads_.emplace_back(receive, std::ref(*distributor), cpu, std::cref(stop_));
  }
}

void ReceiveCores::stop() {
  stop_.store(true);
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
}

std::string summarize_distribution(port::EthdevSet& ports) {
  std::string lines;
  for (std::uint16_t p = 0; p < ports.port_count(); ++p) {
    if (const port::Distributor* d = ports.distributor(p); d != nullptr) {
      lines += "spread    port " + ports.report(p).name + ": received " +
               std::to_string(d->received()) + " = given to workers " + std::to_string(d->given()) +
               " + ring full " + std::to_string(d->ring_full()) + '\n';
    }
  }
  return lines;
}

bool distribution_adds_up(port::EthdevSet& ports) {
  for (std::uint16_t p = 0; p < ports.port_count(); ++p) {
    const port::Distributor* d = ports.distributor(p);
    if (d == nullptr) {
      continue;
    }
    std::uint64_t taken = 0;
    for (std::uint16_t w = 0; w < d->workers(); ++w) {
      taken += d->source(w).stats().received_packets.get();
    }
    if (d->received() != d->given() + d->ring_full() || d->given() != taken) {
      return false;
    }
  }
  return true;
}

}  // namespace imds::inspector
