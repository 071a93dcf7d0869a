-- Snort 3 for perf/compare.sh: streams, HTTP on any port, our rules, alerts as JSON lines.
stream = {}
stream_ip = {}
stream_icmp = {}
stream_tcp = { policy = 'linux' }
stream_udp = {}
http_inspect = { request_depth = 1024, response_depth = 1024 }
wizard = { curses = { }, spells = {
  { service = 'http', proto = 'tcp', to_server = { 'GET', 'PUT', 'POST', 'HEAD', 'OPTIONS', 'DELETE' },
    to_client = { 'HTTP/' } } } }
binder = {
  { when = { service = 'http' }, use = { type = 'http_inspect' } },
  { use = { type = 'wizard' } },
}
search_engine = { search_method = 'hyperscan' }
detection = { hyperscan_literals = true }
event_queue = { max_queue = 16, log = 16 }
network = { checksum_eval = 'none' }
alert_json = { file = true, limit = 0, fields = 'sid src_ap dst_ap pkt_num' }
