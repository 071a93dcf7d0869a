-- Searches the no-drop rate of an appliance from inside Pktgen-DPDK, which has loaded the trace:
--
--   NDR_METRICS=http://192.0.2.9:39254/metrics NDR_PORT=tap0 NDR_TRACE=/data/mix.pcap \
--     pktgen -l 0-2 -n 4 -- -P -m "[1:2].0" -s 0:/data/mix.pcap -f perf/pktgen/pktgen_dpdk.lua
--
-- Rates are per cent of the link. Pktgen stops in the middle of the trace, so alerts are not
-- compared; everything else is. Settings are environment variables, since Pktgen gives scripts no
-- arguments.
local here = os.getenv("NDR_SCRIPTS") or "perf/pktgen"
package.path = here .. "/?.lua;" .. package.path
local appliance = require("appliance")
local no_drop_rate = require("no_drop_rate")

local function setting(name, default)
  local value = os.getenv("NDR_" .. name) or default
  if not value then
    error("set NDR_" .. name .. " (see the head of pktgen_dpdk.lua)", 0)
  end
  return value
end
local function number(name, default)
  local text = setting(name, default)
  local value = math.tointeger(text) or tonumber(text)
  return value or error("NDR_" .. name .. " is no number: " .. text, 0)
end

local WIRE_BYTES = 24 -- preamble, FCS and gap of a frame

local function main()
  local url, port = setting("METRICS"), setting("PORT")
  local sending = setting("PKTGEN_PORT", "0")
  local link_gbit = number("LINK_GBIT", "0") -- 0: do not check what Pktgen achieves
  local trace = link_gbit > 0 and appliance.expectation(setting("TRACE")) or nil
  local function read()
    return appliance.counters(appliance.fetch(url), port)
  end
  local function sleep(seconds)
    pktgen.delay(math.floor(seconds * 1000))
  end

  local function trial(rate, seconds)
    local before = appliance.settled(read, sleep)
    pktgen.clr()
    pktgen.set(sending, "rate", rate)
    pktgen.start(sending)
    sleep(seconds)
    pktgen.stop(sending)
    sleep(1)
    local sent = pktgen.portStats(sending, "port")[tonumber(sending)].opackets
    if sent == 0 then
      error("Pktgen sent nothing: is the link up, and was the trace loaded (-s)?", 0)
    end
    local outcome = appliance.judge(before, appliance.settled(read, sleep), sent)
    if trace then
      local bits = (trace.bytes / trace.packets + WIRE_BYTES) * 8
      outcome.achieved = math.min(rate, sent * bits / seconds / (link_gbit * 1e9) * 100)
    end
    return outcome
  end

  pktgen.stop(sending)
  pktgen.set(sending, "count", 0)
  pktgen.pcap(sending, "on")
  local result = no_drop_rate.search({
    lowest = number("LOWEST", "1"),
    highest = number("HIGHEST", "100"),
    resolution = number("RESOLUTION", "0.5"),
    seconds = number("SECONDS", "10"),
    confirm_seconds = number("CONFIRM_SECONDS", "60"),
    confirm_trials = number("CONFIRM_TRIALS", "3"),
    report = function(done)
      print(string.format("%-7s %6.2f %%: %s", done.purpose, done.rate,
        done.passed and "nothing lost" or done.why))
    end,
  }, trial)
  if result.rate then
    print(string.format("no-drop rate: %.2f %% of the link; limited by the %s", result.rate,
      result.limited_by))
  else
    print("loses packets even at the lowest rate")
  end
  return result
end

local succeeded, result = pcall(main)
if not succeeded then
  print("pktgen_dpdk.lua: " .. tostring(result))
  result = nil
end
return result
