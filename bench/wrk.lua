-- Requests for wrk: one operation of Step Functions for one state machine, again and again, each with a name of its own.
--
-- Arguments: operation, ARN of the machine, input, prefix of the names ("-": no names), how many requests there are to
-- be at most (0: as many as the time allows), and whether to look at refusals ("1": count those that are throttled).
-- The request is put together from two halves around the number, because wrk's own formatting costs ten times as much.

local threads = {}
local number, most = 0, 0
local head, before, after

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  local operation, machine, input, prefix = args[1], args[2], args[3], args[4]
  most = tonumber(args[5])
  head = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-amz-json-1.0\r\n"
    .. "X-Amz-Target: AWSStepFunctions." .. operation .. "\r\nX-Amz-Date: 20260101T000000Z\r\n"
    .. "Authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/states/aws4_request, "
    .. "SignedHeaders=host;x-amz-date, Signature=" .. string.rep("0", 64) .. "\r\nContent-Length: "
  local quoted = string.gsub(string.gsub(input, "\\", "\\\\"), '"', '\\"')
  before = '{"stateMachineArn":"' .. machine .. '","input":"' .. quoted .. '"'
  if prefix == "-" then
    after = nil
  else
    before = before .. ',"name":"' .. prefix
    after = '"}'
  end
  throttled, refused, other = 0, 0, ""
  if args[6] == "1" then
    response = count_refusals
  end
end

function request()
  number = number + 1
  if most > 0 and number >= most then
    if number > most then
      return "" -- the thread ends only when it has gone through all connections that are ready now
    end
    io.write("ENOUGH\n") -- wrk sleeps until its time is over: whoever started it has to interrupt it
    io.flush()
    wrk.thread:stop() -- what is under way is not waited for
  end
  local body
  if after then
    body = before .. number .. after
  else
    body = before .. "}"
  end
  return head .. #body .. "\r\n\r\n" .. body
end

-- wrk reads and keeps every answer if there is a function for it, so there is one only where refusals are expected.
function count_refusals(status, headers, body)
  if status ~= 200 then
    refused = refused + 1
    if string.find(body, "ThrottlingException", 1, true) then
      throttled = throttled + 1
    elseif other == "" then
      other = string.gsub(string.sub(body, 1, 200), '[\\"%c]', "'")
    end
  end
end

function done(summary, latency, requests)
  local all_throttled, all_refused, first_other = 0, 0, ""
  for _, thread in ipairs(threads) do
    all_throttled = all_throttled + thread:get("throttled")
    all_refused = all_refused + thread:get("refused")
    if first_other == "" then
      first_other = thread:get("other")
    end
  end
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"answers":%d,"microseconds":%d,"not_2xx":%d,"refused":%d,"throttled":%d,"other":"%s",'
      .. '"connect":%d,"read":%d,"write":%d,"timeout":%d,"p50":%d,"p99":%d,"slowest":%d}\n',
    summary.requests, summary.duration, errors.status, all_refused, all_throttled, first_other,
    errors.connect, errors.read, errors.write, errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.max))
end
