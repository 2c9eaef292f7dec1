-- Ranges at random multiples of their size, for wrk: wrk -s range.lua URL -- SIZE OBJECT-SIZE
local size, slots = 4096, 1

function init(arguments)
  size = tonumber(arguments[1])
  slots = math.floor(tonumber(arguments[2]) / size)
end

function request()
  local from = math.random(0, slots - 1) * size
  return wrk.format("GET", nil, { ["Range"] = string.format("bytes=%d-%d", from, from + size - 1) })
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format('{"requests":%d,"bytes":%d,"micros":%d,"errors":%d,"p50":%d,"p99":%d,"p999":%d}\n', summary.requests, summary.bytes,
    summary.duration, errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
