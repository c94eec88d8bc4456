-- For wrk: every answer must have the bytes of the first. The last line says how many did not.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init()
  first, different, failed = nil, 0, 0
end

function response(status, headers, body)
  if status ~= 200 then
    failed = failed + 1
  elseif first == nil then
    first = body
  elseif body ~= first then
    different = different + 1
  end
end

function done()
  local different, failed, first = 0, 0, nil
  for _, thread in ipairs(threads) do
    different = different + thread:get("different")
    failed = failed + thread:get("failed")
    local text = thread:get("first")
    if first ~= nil and text ~= nil and text ~= first then different = different + 1 end
    first = first or text
  end
  io.write(string.format("different=%d failed=%d bytes=%d\n", different, failed, #(first or "")))
end
