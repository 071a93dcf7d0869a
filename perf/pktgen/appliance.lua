-- What the inspector says of a trial: its Prometheus metrics before and after.
local appliance = {}

local PREFIX = "imds_inspector_"

local function quoted(word)
  return "'" .. tostring(word):gsub("'", "'\\''") .. "'"
end
appliance.quoted = quoted

-- The page of a running inspector, by curl.
function appliance.fetch(url)
  local command = "curl --silent --show-error --fail --max-time 5 " .. quoted(url) .. " 2>&1"
  local pipe = assert(io.popen(command))
  local text = pipe:read("a")
  if not pipe:close() then
    error("cannot read the inspector's metrics at " .. url .. ": " .. text, 0)
  end
  return text
end

-- Sum of all samples of `name` that carry every label given.
function appliance.sum(page, name, labels)
  local sum, found = 0, false
  for line in page:gmatch("[^\n]+") do
    local its_name, its_labels, value = line:match("^([%w_:]+)(%b{}) ([^ ]+)")
    if not its_name then
      its_name, value = line:match("^([%w_:]+) ([^ ]+)")
      its_labels = "{}"
    end
    if its_name == PREFIX .. name then
      found = true
      local fits = true
      for label, wanted in pairs(labels or {}) do
        fits = fits and its_labels:find(label .. '="' .. wanted .. '"', 1, true) ~= nil
      end
      sum = sum + (fits and tonumber(value) or 0)
    end
  end
  if not found then
    error("the page has no metric " .. PREFIX .. name .. ": is this an imds-inspector?", 0)
  end
  return sum
end

-- port: the port's name in the inspector's configuration. rules: ids of the rules whose alerts count
-- (those the trace was made for); nil for all.
function appliance.counters(page, port, rules)
  local of_port = { port = port }
  local function sum(name, labels)
    return appliance.sum(page, name, labels)
  end
  if not page:find('port="' .. port .. '"', 1, true) then
    error("the inspector has no port " .. port, 0)
  end
  -- Found, whether or not told: repeats are withheld.
  local function alerts(labels)
    return sum("alerts_total", labels) + sum("alerts_throttled_total", labels)
  end
  local found = rules and 0 or alerts()
  for _, id in ipairs(rules or {}) do
    found = found + alerts({ rule_id = id })
  end
  return {
    started = sum("start_time_seconds"),
    received = sum("port_received_packets_total", of_port),
    missed = sum("port_missed_packets_total", of_port),
    no_mbuf = sum("port_no_mbuf_total", of_port),
    errors = sum("port_receive_errors_total", of_port),
    polled = sum("worker_packets_total"),
    -- A packet that another worker took over counts at both.
    accounted = sum("packets_total") - sum("handover_total", { kind = "packet_taken" }),
    findings_lost = sum("findings_lost_total"),
    alerts = found,
  }
end

-- Whether a trial lost nothing. sent: packets the generator counted; alerts: how many there must
-- be, or nil. Returns a table: passed, why, and the differences of all counters.
function appliance.judge(before, after, sent, alerts)
  if before.started ~= after.started then
    error("the inspector was restarted during the trial", 0)
  end
  local moved = {}
  for name, value in pairs(after) do
    moved[name] = value - before[name]
  end
  local why
  local function fail(words, ...)
    why = why or string.format(words, ...)
  end
  if moved.missed > 0 then
    fail("%d packets missed: the receive ring was full", moved.missed)
  end
  if moved.no_mbuf > 0 then
    fail("%d packets lost for want of packet buffers", moved.no_mbuf)
  end
  if moved.errors > 0 then
    fail("%d packets refused by the device", moved.errors)
  end
  if moved.received < sent then
    fail("%d of %d packets did not reach the port", sent - moved.received, sent)
  end
  if moved.accounted ~= moved.polled then
    fail("%d packets received by workers, %d accounted for", moved.polled, moved.accounted)
  end
  if moved.findings_lost > 0 then
    fail("%d findings lost", moved.findings_lost)
  end
  if alerts and moved.alerts ~= alerts then
    fail("%d alerts instead of %d", moved.alerts, alerts)
  end
  moved.passed = why == nil
  moved.why = why
  return moved
end

-- Reads until the counters of packets stand still, so that nothing of the trial is still under way.
-- read() returns counters(), sleep(seconds) waits.
function appliance.settled(read, sleep)
  local last = read()
  for _ = 1, 20 do
    sleep(0.5)
    local now = read()
    if now.received == last.received and now.accounted == last.accounted
      and now.alerts == last.alerts then
      return now
    end
    last = now
  end
  error("the port still receives packets ten seconds after the trial: is other traffic on it?", 0)
end

-- Packets, bytes, alerts and the rules that raise them, of a trace, from its FILE.expected.json.
function appliance.expectation(path)
  local file, why = io.open(path .. ".expected.json")
  if not file then
    error("cannot read what the trace consists of: " .. why .. " (make it with imds-tracegen)", 0)
  end
  local text = file:read("a")
  file:close()
  local alerts, rules = 0, {}
  local by_rule = text:match('"alerts_by_rule"%s*:%s*(%b{})')
  local packets = tonumber(text:match('"packets"%s*:%s*(%d+)'))
  local bytes = tonumber(text:match('"bytes"%s*:%s*(%d+)'))
  if not (by_rule and packets and bytes and packets > 0) then
    error(path .. ".expected.json is not of imds-tracegen", 0)
  end
  for id, count in by_rule:gmatch('"([^"]+)"%s*:%s*(%d+)') do
    alerts = alerts + tonumber(count)
    table.insert(rules, id)
  end
  return { packets = packets, bytes = bytes, alerts = alerts, rules = rules }
end

return appliance
