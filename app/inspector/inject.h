// The test alert: a synthetic IMDS request that goes through a worker like traffic does and is
// marked as a test from the mbuf to the alert. It never reaches a wire.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/result.h"
#include "port/source.h"

struct rte_mempool;
struct rte_ring;

namespace imds::inspector {

// A source beside the ports of one worker. inject() from one thread at a time; the rest from the
// worker.
class InjectSource final : public port::Source {
 public:
  // EAL must be running. Errors: environment.
  [[nodiscard]] static Result<std::unique_ptr<InjectSource>> create(std::uint16_t port_index);
  // Packet memory create() takes.
  [[nodiscard]] static std::uint64_t required_memory_bytes();
  ~InjectSource() override;

  // Queues a handshake and one request from a documentation address (RFC 5737, RFC 3849) to
  // `endpoint`.
  [[nodiscard]] Status inject(const IpAddress& endpoint);

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

struct InjectionResult {
  std::uint64_t alerts = 0;
  double seconds = 0;
};

// Injects and waits for what becomes of it. Any thread; tests take turns. One object a process.
class Injector {
 public:
  // `endpoint` unset: every test fails with what to do. Source and context must outlive this.
  Injector(InjectSource& source, const IpAddress& endpoint, TestAlertCount count,
           const void* context);
  ~Injector() { withdraw(); }
  Injector(const Injector&) = delete;
  Injector& operator=(const Injector&) = delete;

  // Waits for the alerts, at most 3 s, less when `stop` says so or after withdraw().
  [[nodiscard]] Result<InjectionResult> test(bool (*stop)());

  // Where tests go from here on.
  void aim_at(const IpAddress& endpoint);

  // Makes test() reachable for other processes through DPDK's telemetry socket, as
  // /imds/inject_test. DPDK's threads outlive us, so it ends with withdraw(), not with them.
  void serve();
  // Ends a test under way; returns when none is left and none will come.
  void withdraw();

 private:
  InjectSource& source_;
  IpAddress endpoint_;
  TestAlertCount count_;
  const void* context_;
  std::mutex busy_;
  std::atomic<bool> withdrawn_{false};
};

// Asks the inspector that runs under this DPDK file prefix to inject. nullopt: none runs.
[[nodiscard]] Result<std::optional<InjectionResult>> ask_running_inspector(
    const std::string& file_prefix);

}  // namespace imds::inspector
