-- Programs of a Linux host that send a trace out of an interface: their command lines, and what
-- they say they sent.
local appliance = require("appliance")

local senders = {}
local quoted = appliance.quoted

local function execute(command)
  local pipe = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read("a")
  return pipe:close() == true, text
end

local function need(condition, program, text)
  if not condition then
    error(program .. " failed:\n" .. text, 0)
  end
end

-- Each: function(request, run) -> packets, seconds. request: trace, interface, mbit_per_s, loops,
-- packets (of one loop), bytes (of one loop). run(command) -> succeeded, output.

function senders.tcpreplay(request, run)
  local command = string.format(
    "tcpreplay --intf1=%s --mbps=%.3f --loop=%d --preload-pcap %s",
    quoted(request.interface), request.mbit_per_s, request.loops, quoted(request.trace))
  local succeeded, text = (run or execute)(command)
  local packets, seconds =
    text:match("Actual: (%d+) packets %(%d+ bytes%) sent in ([%d.]+) seconds")
  need(succeeded and packets, "tcpreplay", text)
  local failed = tonumber(text:match("Failed packets:%s+(%d+)") or "0")
  need(failed == 0, "tcpreplay", text)
  return tonumber(packets), tonumber(seconds)
end

-- The trace must have been written with --format trafgen. One process: several would each begin at
-- another packet and mix up the order within flows.
function senders.trafgen(request, run)
  local bytes_per_packet = request.bytes / request.packets
  local packets_per_second = request.mbit_per_s * 1e6 / 8 / bytes_per_packet
  local command = string.format(
    "trafgen --dev %s --conf %s --cpus 1 --num %d --rate %.0fpps",
    quoted(request.interface), quoted(request.trace), request.packets * request.loops,
    packets_per_second)
  local succeeded, text = (run or execute)(command)
  local packets = text:match("(%d+) packets outgoing")
  local seconds, micros = text:match("(%d+) sec, (%d+) usec on CPU")
  need(succeeded and packets and seconds, "trafgen", text)
  return tonumber(packets), tonumber(seconds) + tonumber(micros) * 1e-6
end

return senders
