// The writer's thread: takes kept packets out of the workers' lanes, overwrites what may be secret
// (redaction.h), and writes them to pcapng files, 0600, in one folder.
//
// Each worker has files of its own: the numbers of packets were decided by its recorder, and so
// was when the next file begins. When a worker's file is made that is one too many, its oldest of
// this run is deleted; files of other runs, and whatever else is in the folder, are never touched.
//
// What cannot be written is counted, reported once, and never holds up anybody: the file is given
// up with its last whole packet, and for a while nothing is kept (NotKept::disk).
//
// Threads: poll() and finish(), or run(), from one thread; counters from any.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/counter.h"
#include "base/result.h"
#include "exhibit/lane.h"
#include "packet/decode.h"

namespace imds::exhibit {

struct WriterCounters {
  Counter packets;      // on the disk
  Counter bytes;        // of files, on the disk
  Counter overwritten;  // bytes of those packets that were replaced
  Counter cut;          // packets of which only the headers were kept
  Counter files;        // made
  Counter deleted;      // of those, to make room
  Counter lost;         // packets that were kept, and could not be written
  Counter errors;       // files given up, or not made
};

class Writer {
 public:
  struct Options {
    std::string folder;
    std::uint32_t run = 1;                // as the recorders'
    std::uint32_t files = 8;              // of each worker
    std::vector<std::string> port_names;  // by FrameNote::port
    packet::DecodeOptions decode;
    std::string application;  // in the files' headers
    std::chrono::milliseconds retry{5000};
    // Called on the writer's thread with what has gone wrong, once until it goes well again.
    std::function<void(const std::string&)> report;
  };

  // A run's number that no file in the folder has: `wanted`, or the first free one after it.
  // Errors: environment; the folder must be there, belong to this user or root, and be writable by
  // nobody else.
  [[nodiscard]] static Result<std::uint32_t> choose_run(const std::string& folder,
                                                        std::uint32_t wanted);
  // `lanes` must outlive it. Errors: as choose_run().
  [[nodiscard]] static Result<std::unique_ptr<Writer>> create(Options options,
                                                              std::vector<Lane*> lanes);
  ~Writer();

  // Takes what is there, some packets of each lane. Returns how many it took; 0: all that was taken
  // is on the disk.
  std::size_t poll();
  // Takes all there is and closes the files.
  void finish();
  // Until asked to stop, then finish(). Stop the workers first.
  void run(const std::stop_token& stop);

  [[nodiscard]] const WriterCounters& counters() const { return counters_; }

 private:
  struct Track;  // one lane's file

  Writer(Options options, std::vector<Lane*> lanes, int folder);
  void take(Track& track);
  [[nodiscard]] bool turn_to(Track& track, std::uint32_t file);
  void flush(Track& track);
  void give_up(Track& track, int problem, const char* what);
  void try_again(Track& track);
  [[nodiscard]] const std::string& name_of_port(std::uint16_t port) const;

  Options options_;
  int folder_;
  std::vector<std::unique_ptr<Track>> tracks_;
  bool reported_ = false;
  WriterCounters counters_;
};

}  // namespace imds::exhibit
