#include "summary.h"

#include <array>
#include <cstdio>

namespace imds::inspector {

namespace {

struct Totals {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;
  std::uint64_t taken_over = 0;
  std::uint64_t datagrams_given = 0;
  std::uint64_t datagrams_taken = 0;
  std::uint64_t fragments = 0;
  std::uint64_t datagrams_completed = 0;
  std::uint64_t datagrams_lost = 0;
  std::uint64_t datagrams_conflicting = 0;
  bool balanced = true;  // each worker's packets have one disposition each
  std::array<std::uint64_t, kDispositionCount> dispositions{};
  std::array<std::uint64_t, kDecodeReasonCount> reasons{};
  std::uint64_t flows = 0;
  std::uint64_t heads = 0;
  std::uint64_t heads_parsed = 0;
  std::uint64_t produced = 0;
  std::uint64_t queued = 0;
  std::uint64_t for_story = 0;
  std::uint64_t suppressed = 0;
  std::uint64_t lost = 0;
  std::uint64_t hits = 0;
  std::uint64_t hits_queued = 0;
  std::uint64_t hits_suppressed = 0;
  std::uint64_t hits_lost = 0;
  std::uint64_t hits_cut = 0;
  std::uint64_t gaps = 0;
};

void add_fragments(Totals& t, const flow::DefragmenterCounters& f) {
  for (const Counter& counter : f.fragments) {
    t.fragments += counter.get();
  }
  t.datagrams_completed += f.completed.get();
  t.datagrams_lost += f.timed_out.get() + f.evicted.get();
  t.datagrams_conflicting += f.conflicting.get();
}

Totals total(const Engine& engine) {
  Totals t;
  for (std::size_t w = 0; w < engine.worker_count(); ++w) {
    const pipeline::Worker& worker = engine.worker(w);
    const pipeline::WorkerCounters& c = worker.counters();
    const detect::Counters& d = worker.inspector().counters();
    t.packets += c.packets.get();
    t.bytes += c.bytes.get();
    std::uint64_t disposed = 0;
    for (std::size_t i = 0; i < kDispositionCount; ++i) {
      t.dispositions[i] += c.dispositions[i].get();
      disposed += c.dispositions[i].get();
    }
    t.balanced = t.balanced && disposed == c.packets.get() + c.taken_over.get();
    t.taken_over += c.taken_over.get();
    t.datagrams_given += c.datagrams_given.get();
    t.datagrams_taken += c.datagrams_taken.get();
    add_fragments(t, worker.defragmenter().counters());
    for (std::size_t i = 0; i < kDecodeReasonCount; ++i) {
      t.reasons[i] += c.decode_stopped[i].get();
    }
    t.flows += worker.flows().counters().inserted.get();
    t.heads += d.http_heads.get();
    t.heads_parsed += d.http_heads_parsed.get();
    for (const Counter& produced : d.findings_produced) {
      t.produced += produced.get();
    }
    t.queued += d.findings_queued.get();
    t.for_story += d.findings_for_story.get();
    t.suppressed += d.findings_suppressed.get();
    t.lost += d.findings_lost.get();
    t.hits += d.hits_produced.get();
    t.hits_queued += d.hits_queued.get();
    t.hits_suppressed += d.hits_suppressed.get();
    t.hits_lost += d.hits_lost.get();
    t.hits_cut += d.rule_hits_cut.get();
    t.gaps += d.stream_gaps.get();
  }
  return t;
}

std::string number(std::uint64_t n) {
  return std::to_string(n);
}

std::string packet_line(const Totals& t) {
  std::string line = "packets   received " + number(t.packets);
  if (t.taken_over > 0) {
    line += " + taken over " + number(t.taken_over);
  }
  line += " =";
  const char* separator = " ";
  for (std::size_t i = 0; i < kDispositionCount; ++i) {
    line += separator + std::string(describe(static_cast<Disposition>(i)).name) + ' ' +
            number(t.dispositions[i]);
    separator = " + ";
  }
  return line + '\n';
}

std::string reason_lines(const Totals& t) {
  std::string lines;
  for (std::size_t i = 1; i < kDecodeReasonCount; ++i) {
    if (t.reasons[i] > 0) {
      const ReasonText& reason = describe(static_cast<DecodeReason>(i));
      lines += "          " + number(t.reasons[i]) + " " + std::string(reason.name) + ": " +
               std::string(reason.text) + '\n';
    }
  }
  return lines;
}

// Nothing where there were no fragments.
std::string fragment_line(const Totals& t) {
  if (t.fragments == 0) {
    return "";
  }
  return "fragments " + number(t.fragments) + " of which " + number(t.datagrams_completed) +
         " datagrams were completed, " + number(t.datagrams_lost) + " not, " +
         number(t.datagrams_conflicting) + " contradict themselves\n";
}

std::string traffic_line(const Totals& t, double seconds) {
  char rate[96] = "";
  if (seconds > 0) {
    std::snprintf(rate, sizeof rate, " in %.2f s: %.2f Mpps, %.2f Gbit/s", seconds,
                  static_cast<double>(t.packets) / seconds / 1e6,
                  static_cast<double>(t.bytes) * 8 / seconds / 1e9);
  }
  return "bytes     " + number(t.bytes) + rate + '\n';
}

// One hit is one rule for one finding, and would be one alert, as would a completed correlation.
std::string hits_line(const Totals& t, const story::Story& story) {
  const auto if_any = [](const char* words, std::uint64_t n) {
    return n > 0 ? words + number(n) : std::string();
  };
  return "rule hits " + number(t.hits) +
         if_any(" + correlations ", story.correlations_completed()) + " = alerts " +
         number(story.alerts()) + " + throttled " + number(story.throttled()) +
         if_any(" + only correlated ", story.correlated_only()) +
         if_any(" + rejected by the story ", story.rejected()) + " + suppressed " +
         number(t.hits_suppressed) + " + lost " + number(t.hits_lost + t.hits_cut) + '\n';
}

}  // namespace

std::string summarize(const Engine& engine, double seconds) {
  const Totals t = total(engine);
  const story::Story& story = engine.story();
  std::string out = packet_line(t) + reason_lines(t) + fragment_line(t) + traffic_line(t, seconds);
  out += "flows     " + number(t.flows) + " followed, " + number(t.gaps) + " gaps\n";
  out += "http      " + number(t.heads) + " request heads, " + number(t.heads_parsed) +
         " of them parsed and matched\n";
  out += "findings  produced " + number(t.produced) + " = delivered " + number(t.queued) +
         " + suppressed " + number(t.suppressed) + " + lost " + number(t.lost);
  out += t.for_story > 0 ? ", " + number(t.for_story) + " for the story only\n" : "\n";
  out += hits_line(t, story);
  out += "alerts    " + number(story.alerts());
  const char* separator = ": ";
  static constexpr std::array<const char*, story::kSeverities> kLevels = {
      "informational", "low", "medium", "high", "critical"};
  for (int severity = static_cast<int>(story::kSeverities); severity >= 1; --severity) {
    if (const std::uint64_t n = story.alerts_of_severity(severity); n > 0) {
      out += separator + number(n) + ' ' + kLevels[static_cast<std::size_t>(severity - 1)];
      separator = ", ";
    }
  }
  out += '\n';
  return engine.evidence() != nullptr ? out + engine.evidence()->summary() : out;
}

bool adds_up(const Engine& engine) {
  const Totals t = total(engine);
  const story::Story& story = engine.story();
  const auto given = t.dispositions[static_cast<std::size_t>(Disposition::handed_over)];
  return t.balanced && given == t.taken_over && t.datagrams_given == t.datagrams_taken &&
         t.produced == t.queued + t.suppressed + t.lost && story.findings() == t.queued &&
         t.hits == t.hits_queued + t.hits_suppressed + t.hits_lost + t.hits_cut &&
         story.alerts() + story.throttled() + story.correlated_only() + story.rejected() ==
             t.hits_queued + story.correlations_completed() &&
         story.unknown_rules() == 0;
}

}  // namespace imds::inspector
