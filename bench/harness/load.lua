-- wrk's requests: lookups, saves or both, of names chosen at random among those that exist.
--   wrk ... -s load.lua URL -- SHARE_OF_SAVES_IN_PERCENT ROWS
-- Names are those of database.py.

local letters = {}
for number = 0, 4095 do
  letters[number] = string.format("%03x", number):gsub(".", function(digit)
    return string.char(97 + tonumber(digit, 16))
  end)
end

local share, rows
local tail = " HTTP/1.1\r\nHost: 127.0.0.1\r\n"
local saves = {}

function init(arguments)
  share, rows = tonumber(arguments[1]), tonumber(arguments[2])
  math.randomseed(os.time())
  for number = 1, 1000 do
    local body = string.format('{"dateOfBirth":"%04d-%02d-%02d"}', math.random(1930, 2020), math.random(12), math.random(28))
    saves[number] = tail .. "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
  end
end

function request()
  local row = math.random(0, rows - 1)
  local low = row % 4096
  local path = "/hello/u" .. letters[(row - low) / 4096] .. letters[low]
  if share > 0 and math.random(100) <= share then
    return "PUT " .. path .. saves[math.random(1000)]
  end
  return "GET " .. path .. tail .. "\r\n"
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%f,"errors":%d,"p50":%f,"p99":%f,"p999":%f}\n',
    summary.requests, summary.duration / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency:percentile(99.9) / 1e3))
end
