#include <algorithm>
#include <atomic>
#include <barrier>
#include <exception>
#include <functional>
#include <sched.h>
#include <stdexcept>
#include <string>
#include <thread>

#include "measure.h"

namespace imds::bench {
namespace {

void stay_on(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof set, &set);
}

// What one thread has measured; on cache lines of its own.
struct alignas(kCacheLine) Seat {
  std::vector<double> alone;
  std::vector<double> together;
  double bare = 0;
  traces::Alerts found;  // in the loop all ran at once
  std::uint64_t finding_count = 0;
};

class Rounds {
 public:
  Rounds(const std::vector<std::unique_ptr<BenchWorker>>& workers, Traffic& traffic,
         unsigned rounds)
      : workers_(workers),
        traffic_(traffic),
        rounds_(rounds),
        seats_(workers.size()),
        barrier_(static_cast<std::ptrdiff_t>(workers.size())) {}

  void run(const std::vector<int>& cpus) {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      threads.emplace_back([this, i, cpu = cpus[i]] {
        stay_on(cpu);
        take_part(i);
      });
    }
    for (std::thread& thread : threads) {
      thread.join();
    }
  }
  [[nodiscard]] const std::vector<Seat>& seats() const { return seats_; }
  [[nodiscard]] bool all_found() const { return all_found_; }

 private:
  void take_part(std::size_t i) {
    port::ReplaySource& source = *traffic_.queues[i];
    BenchWorker& worker = *workers_[i];
    Seat& seat = seats_[i];
    in_turn(i, [&] { seat.bare = bare_seconds(source); });
    fill_tables(worker, source, traffic_, nullptr);
    for (unsigned round = 0; round < rounds_; ++round) {
      in_turn(i, [&] { seat.alone.push_back(worker.inspect(source).cpu_seconds); });
      together(worker, source, seat);
    }
  }

  // Only one thread works at a time.
  void in_turn(std::size_t i, const std::function<void()>& work) {
    for (std::size_t turn = 0; turn < workers_.size(); ++turn) {
      barrier_.arrive_and_wait();
      if (turn == i) {
        work();
      }
    }
    barrier_.arrive_and_wait();
  }

  // All at once, and each goes on until the last has measured its loop.
  void together(BenchWorker& worker, port::ReplaySource& source, Seat& seat) {
    unfinished_.store(workers_.size());
    barrier_.arrive_and_wait();
    seat.together.push_back(worker.inspect(source).cpu_seconds);
    seat.found = worker.findings();
    seat.finding_count = worker.finding_count();
    unfinished_.fetch_sub(1);
    while (unfinished_.load() > 0 && !traffic_.rewrites) {
      worker.inspect(source);
    }
    barrier_.arrive_and_wait();
    if (&seat == seats_.data()) {
      check();
    }
    barrier_.arrive_and_wait();
  }

  void check() {
    traces::Alerts sum;
    for (const Seat& seat : seats_) {
      sum.add(seat.found);
    }
    all_found_ = all_found_ && sum == traffic_.expected;
  }

  static double bare_seconds(port::ReplaySource& source) {
    static_cast<void>(only_release(source));
    std::vector<double> seconds;
    for (int i = 0; i < 3; ++i) {
      seconds.push_back(only_release(source).cpu_seconds);
    }
    return spread_of(seconds).median;
  }

  const std::vector<std::unique_ptr<BenchWorker>>& workers_;
  Traffic& traffic_;
  unsigned rounds_;
  std::vector<Seat> seats_;
  std::barrier<> barrier_;
  std::atomic<std::size_t> unfinished_{0};
  bool all_found_ = true;
};

}  // namespace

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) {
      cpus.push_back(cpu);
    }
  }
  return cpus;
}

SeveralWorkers measure_several(const std::vector<std::unique_ptr<BenchWorker>>& workers,
                               const std::vector<int>& cpus, Traffic& traffic, unsigned rounds) {
  if (cpus.size() < workers.size()) {
    throw std::runtime_error(std::to_string(workers.size()) + " workers need a CPU each, and " +
                             std::to_string(cpus.size()) + " may be used");
  }
  Rounds measured(workers, traffic, rounds);
  measured.run(cpus);

  SeveralWorkers out;
  out.all_found = measured.all_found();
  double together = 0;
  double alone = 0;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    const Seat& seat = measured.seats()[i];
    WorkerRates rates;
    rates.packets = traffic.queues[i]->packets();
    rates.bytes = traffic.queues[i]->bytes();
    const auto packets = static_cast<double>(rates.packets);
    rates.alone_pps = packets / spread_of(seat.alone).median;
    rates.together_pps = packets / spread_of(seat.together).median;
    together += rates.together_pps;
    alone += rates.alone_pps / static_cast<double>(workers.size());
    out.bare_cpu_seconds += seat.bare;
    out.found.add(seat.found);
    out.findings += static_cast<double>(seat.finding_count);
    out.all_found = out.all_found && workers[i]->every_packet_disposed();
    out.workers.push_back(rates);
  }
  out.ratio = together / alone;
  return out;
}

}  // namespace imds::bench
