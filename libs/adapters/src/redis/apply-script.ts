import { fewEntries, outcomesPerChunk } from './graph-keys.js';

/** What must hold before anything is written. Each is followed by a key, and all but `repository` by a number (u32). */
export const check = { repository: 1, stringBytes: 2, listLength: 3 } as const;

/** What is written. Each is followed by its arguments, every one after its length (u32). */
export const write = {
  /** key, value */
  append: 1,
  /** key, value: rows of a chunk */
  appendRows: 2,
  /** key, value */
  push: 3,
  /** key, field, value */
  set: 4,
  /** key, field, what the copy starts with, the copy or nothing */
  copy: 5,
  /** txid, value */
  outcome: 6,
  /** key, member: into a set in the order of its members */
  include: 7,
  /** key, member: out of it */
  exclude: 8,
} as const;

/**
 * Applies one batch, as a compare-and-swap on the offset of the checkpoint. Redis takes back nothing of a script that
 * fails half-way, so all that can be wrong is looked at first, and out of memory is refused at the first write or not at
 * all: it writes everything or nothing. It may run twice, when a connection breaks under it: the second time the offset
 * is another one.
 *
 * KEYS: the live pointer, the checkpoint. ARGV: 'live' or 'build', the generation, what its keys start with, the offset
 * before, the fields of the checkpoint (4; no partition: as it is), the size of a full chunk of rows, checks, writes,
 * channel, notice.
 * Answers `applied`, `elsewhere` (the offset is another one), `gone` (the generation is not live, or lost its checkpoint),
 * or what does not hold: the key, what was expected, what was found.
 */
export const applyScript = `
if ARGV[1] == 'live' and redis.call('GET', KEYS[1]) ~= ARGV[2] then return {'gone'} end
local start = ARGV[3]
local before = redis.call('HMGET', KEYS[2], 'offset', 'outcomes')
if not before[1] then return {'gone'} end
if before[1] ~= ARGV[4] then return {'elsewhere'} end
local outcomes = tonumber(before[2])

local checks, at = ARGV[10], 1
while at <= #checks do
  local kind, key, expected, found = string.byte(checks, at), nil, nil, nil
  if kind == ${check.repository} then
    key, at = struct.unpack('>I4c0', checks, at + 1)
    expected, found = 1, redis.call('HEXISTS', start .. 'repos', key)
  else
    key, expected, at = struct.unpack('>I4c0I4', checks, at + 1)
    if kind == ${check.stringBytes} then found = redis.call('STRLEN', start .. key)
    else found = redis.call('LLEN', start .. key) end
  end
  if found ~= expected then return {'broken', kind, key, expected, found} end
end
local openOutcomes = start .. 'o:' .. math.floor(outcomes / ${outcomesPerChunk})
local inOpen = redis.call('LLEN', openOutcomes)
if inOpen ~= outcomes % ${outcomesPerChunk} then
  return {'broken', ${check.listLength}, 'o:' .. math.floor(outcomes / ${outcomesPerChunk}), outcomes % ${outcomesPerChunk}, inOpen}
end

redis.call('HSET', KEYS[2], 'offset', ARGV[5], 'record', ARGV[6], 'state', ARGV[7])
if ARGV[8] ~= '' then redis.call('HSET', KEYS[2], 'partition', ARGV[8]) end

local chunkBytes = tonumber(ARGV[9])
local writes = ARGV[11]
at = 1
while at <= #writes do
  local kind = string.byte(writes, at)
  at = at + 1
  local key, field, value, start4
  if kind == ${write.append} then
    key, value, at = struct.unpack('>I4c0I4c0', writes, at)
    redis.call('APPEND', start .. key, value)
  elseif kind == ${write.appendRows} then
    key, value, at = struct.unpack('>I4c0I4c0', writes, at)
    local length = redis.call('APPEND', start .. key, value)
    -- A string that grew has room to grow on; one that is set has not.
    if length == chunkBytes and length > #value then redis.call('SET', start .. key, redis.call('GET', start .. key)) end
  elseif kind == ${write.push} then
    key, value, at = struct.unpack('>I4c0I4c0', writes, at)
    redis.call('RPUSH', start .. key, value)
  elseif kind == ${write.set} then
    key, field, value, at = struct.unpack('>I4c0I4c0I4c0', writes, at)
    redis.call('HSET', start .. key, field, value)
  elseif kind == ${write.copy} then
    key, field, start4, value, at = struct.unpack('>I4c0I4c0I4c0I4c0', writes, at)
    local known = redis.call('HGET', start .. key, field) or ''
    local copies, from = {}, 1
    while from <= #known do
      local length = struct.unpack('>I2', known, from)
      if string.sub(known, from + 2, from + 1 + #start4) ~= start4 then
        copies[#copies + 1] = string.sub(known, from, from + 1 + length)
      end
      from = from + 2 + length
    end
    if value ~= '' then copies[#copies + 1] = struct.pack('>I2', #value) .. value end
    if #copies == 0 then redis.call('HDEL', start .. key, field)
    else redis.call('HSET', start .. key, field, table.concat(copies)) end
  elseif kind == ${write.include} then
    key, value, at = struct.unpack('>I4c0I4c0', writes, at)
    redis.call('ZADD', start .. key, 0, value)
  elseif kind == ${write.exclude} then
    key, value, at = struct.unpack('>I4c0I4c0', writes, at)
    redis.call('ZREM', start .. key, value)
  else
    local txid
    txid, value, at = struct.unpack('>I4c0I4c0', writes, at)
    redis.call('RPUSH', start .. 'o:' .. math.floor(outcomes / ${outcomesPerChunk}), value)
    local digits = string.format('%02x%02x', string.byte(txid, 1, 2))
    local bucket = string.sub(digits, 1, outcomes < ${fewEntries} and 1 or 3)
    redis.call('APPEND', start .. 't:' .. bucket, string.sub(txid, 1, 4) .. struct.pack('>I4', outcomes))
    outcomes = outcomes + 1
  end
end
redis.call('HSET', KEYS[2], 'outcomes', outcomes)
-- Who does not hear of it asks again, so that a listener's trouble is not the writer's.
if ARGV[13] ~= '' then redis.pcall('PUBLISH', ARGV[12], ARGV[13]) end
return {'applied'}
`;
