import { commitRowBytes, commitRowsPerChunk } from './commit-row-codec.js';
import { idEntryBytes, movesPerChunk, outcomesPerChunk } from './graph-keys.js';

/**
 * Answers any number of questions about one partition at one instant, in one round trip: first the generation and the
 * offset of what is read, then one answer for each question. Nothing is there when no generation is live.
 *
 * KEYS: the live pointer. ARGV: what all keys start with, the tag of the partition, a generation ('' for the live one),
 * then the questions, each a word and its arguments. @see GraphQuestion
 */
export const readScript = `
local generation = ARGV[3]
if generation == '' then generation = redis.call('GET', KEYS[1]) end
if not generation then return {false, '-1'} end
local start = ARGV[1] .. generation .. ':' .. ARGV[2]

-- What an index names is there, or the graph is not whole: then no answer is better than a wrong one.
local lost = false

local function row(repo, seq)
  local at = (seq % ${commitRowsPerChunk}) * ${commitRowBytes}
  local key = start .. 'c:' .. math.floor(seq / ${commitRowsPerChunk}) .. ':' .. repo
  local found = redis.call('GETRANGE', key, at, at + ${commitRowBytes - 1})
  if found == '' then
    lost = key
    return false
  end
  local more = ''
  if string.sub(found, 69, 72) == '\\255\\255\\255\\254' then more = redis.call('HGET', start .. 'm:' .. repo, seq) end
  return {seq, found, more}
end

-- Numbers of the entries that start with the same four bytes: few of the first ones, or of those that came later.
local function numbers(index, id, suffix)
  local found = {}
  local digits = string.format('%02x%02x', string.byte(id, 1, 2))
  for _, length in ipairs({1, 3}) do
    local entries = redis.call('GET', start .. index .. string.sub(digits, 1, length) .. suffix)
    local at = 1
    while entries do
      local hit = string.find(entries, string.sub(id, 1, 4), at, true)
      if not hit then break end
      if (hit - 1) % ${idEntryBytes} == 0 then found[#found + 1] = struct.unpack('>I4', entries, hit + 4) end
      at = hit + 1
    end
  end
  return found
end

local function commit(repo, id)
  for _, seq in ipairs(numbers('i:', id, ':' .. repo)) do
    local found = row(repo, seq)
    if found and string.sub(found[2], 1, 32) == id then return found end
  end
  return false
end

local function outcome(txid)
  local named = string.char(#txid) .. txid
  local stretches = redis.call('HMGET', start .. 'checkpoint', 'stretch', 'kept')
  for stretch = tonumber(stretches[1] or 0), tonumber(stretches[2] or 0), -1 do
    for _, number in ipairs(numbers('t:' .. stretch .. ':', txid, '')) do
      local key = start .. 'o:' .. stretch .. ':' .. math.floor(number / ${outcomesPerChunk})
      local found = redis.call('LINDEX', key, number % ${outcomesPerChunk})
      if not found then lost = key end
      if found and string.sub(found, 1, #named) == named then return found end
    end
  end
  return false
end

local function move(repo, version)
  local key = start .. 'v:' .. math.floor((version - 1) / ${movesPerChunk}) .. ':' .. repo
  local found = redis.call('LINDEX', key, (version - 1) % ${movesPerChunk})
  if not found then lost = key end
  return found
end

-- How many moves of a ref have a version below this one.
local function movesBelow(key, before)
  local low, high = 0, redis.call('STRLEN', key) / 4
  while low < high do
    local middle = math.floor((low + high) / 2)
    local version = struct.unpack('>I4', redis.call('GETRANGE', key, 4 * middle, 4 * middle + 3))
    if version < before then low = middle + 1 else high = middle end
  end
  return low
end

local function movesOfRef(repo, ref, before, limit)
  local key = start .. 'r:' .. ref .. ' ' .. repo
  local last = movesBelow(key, before)
  local found = {}
  for at = last - 1, math.max(0, last - limit), -1 do
    local version = struct.unpack('>I4', redis.call('GETRANGE', key, 4 * at, 4 * at + 3))
    found[#found + 1] = move(repo, version)
  end
  return found
end

-- The last move of each ref that has one up to this version.
local function refsUpTo(repo, version)
  local found = {}
  for _, ref in ipairs(redis.call('HKEYS', start .. 'refs:' .. repo)) do
    found[#found + 1] = movesOfRef(repo, ref, version + 1, 1)[1]
  end
  return found
end

local function movesOfAll(repo, before, limit)
  local repository = redis.call('HGET', start .. 'repos', repo)
  if not repository then return {} end
  local found = {}
  local last = math.min(before - 1, cjson.decode(repository).moves)
  for version = last, math.max(1, last - limit + 1), -1 do found[#found + 1] = move(repo, version) end
  return found
end

local asked = 3
local function argument()
  asked = asked + 1
  return ARGV[asked]
end

local answers = {
  checkpoint = function()
    return redis.call('HMGET', start .. 'checkpoint', 'offset', 'record', 'state', 'partition')
  end,
  get = function() return redis.call('GET', start .. argument()) end,
  hget = function()
    local key = start .. argument()
    return redis.call('HGET', key, argument())
  end,
  hgetall = function() return redis.call('HGETALL', start .. argument()) end,
  list = function() return redis.call('LRANGE', start .. argument(), 0, -1) end,
  commit = function()
    local repo = argument()
    return commit(repo, argument())
  end,
  outcome = function() return outcome(argument()) end,
  move = function()
    local repo, ref = argument(), argument()
    local newest = tonumber(argument())
    local key = start .. 'r:' .. ref .. ' ' .. repo
    local at = redis.call('STRLEN', key) - 4 * (newest + 1)
    if at < 0 then return false end
    return move(repo, (struct.unpack('>I4', redis.call('GETRANGE', key, at, at + 3))))
  end,
  refsupto = function()
    local repo = argument()
    return refsUpTo(repo, tonumber(argument()))
  end,
  moves = function()
    local repo, ref = argument(), argument()
    local before, limit = tonumber(argument()), tonumber(argument())
    if ref == '' then return movesOfAll(repo, before, limit) end
    return movesOfRef(repo, ref, before, limit)
  end,
  retired = function()
    local from, limit = argument(), argument()
    local found = {}
    for _, member in ipairs(redis.call('ZRANGEBYLEX', start .. 'retired', from, '+', 'LIMIT', 0, limit)) do
      local bucket = string.format('%x', math.floor((string.byte(member, 1) * 256 + string.byte(member, 2)) / 4))
      found[#found + 1] = {member, redis.call('HGET', start .. 'd:' .. bucket, string.sub(member, 1, 32)) or ''}
    end
    return found
  end,
}

local found = {generation, redis.call('HGET', start .. 'checkpoint', 'offset') or '-1'}
local count = 2
while asked < #ARGV do
  count = count + 1
  found[count] = answers[argument()]()
end
if lost then return redis.error_reply('LOST ' .. lost) end
return found
`;
