// The test alert: a synthetic IMDS request that goes through a worker like traffic does and is
// marked as a test from the mbuf to the alert. It never reaches a wire.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "port/source.h"

struct rte_mempool;
struct rte_ring;

namespace imds::inspector {

// A source beside the ports of one worker. inject() from the control or telemetry thread, one at
// a time; the rest from the worker.
class InjectSource final : public port::Source {
 public:
  // EAL must be running. Errors: environment.
  [[nodiscard]] static Result<std::unique_ptr<InjectSource>> create(std::uint16_t port_index);
  // Packet memory create() takes.
  [[nodiscard]] static std::uint64_t required_memory_bytes();
  ~InjectSource() override;

  // Queues a handshake and one request from a documentation address (RFC 5737) to `endpoint`.
  [[nodiscard]] Status inject(std::uint32_t endpoint_v4);

  [[nodiscard]] std::uint16_t receive(std::span<rte_mbuf*> burst) override;
  void release(std::span<rte_mbuf* const> burst) override;
  void drop(std::span<rte_mbuf* const> burst) override { release(burst); }

 private:
  InjectSource(std::uint16_t port_index, rte_mempool* pool, rte_ring* ring)
      : Source(port_index), pool_(pool), ring_(ring) {}

  rte_mempool* pool_;
  rte_ring* ring_;
  std::uint16_t next_client_port_ = 49152;
};

// How many test alerts have reached the ring so far.
using TestAlertCount = std::uint64_t (*)(const void* context);

// Makes `inject` reachable for other processes through DPDK's telemetry socket, as
// /imds/inject_test. Everything named must outlive EAL.
void serve_injection(InjectSource& source, std::uint32_t endpoint_v4, TestAlertCount count,
                     const void* context);

struct InjectionResult {
  std::uint64_t alerts = 0;
  double seconds = 0;
};

// Injects and waits for the alerts, at most 3 s.
[[nodiscard]] Result<InjectionResult> inject_and_wait(InjectSource& source,
                                                      std::uint32_t endpoint_v4,
                                                      TestAlertCount count, const void* context);

// Asks the inspector that runs under this DPDK file prefix to inject. nullopt: none runs.
[[nodiscard]] Result<std::optional<InjectionResult>> ask_running_inspector(
    const std::string& file_prefix);

}  // namespace imds::inspector
