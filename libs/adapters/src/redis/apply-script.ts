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
  /** stretch, txid, value */
  outcome: 6,
  /** key, member: into a set in the order of its members */
  include: 7,
  /** key, member: out of it */
  exclude: 8,
} as const;

/** Buckets of the first entries and of those that come later. */
const fewBuckets = 16;
const manyBuckets = 4_096;

/** Keys of forgotten outcomes that one batch removes: more than it makes, and well below a millisecond. */
const keysRemovedMax = 512;

/**
 * Applies one batch, as a compare-and-swap on the offset of the checkpoint. Redis takes back nothing of a script that
 * fails half-way, so all that can be wrong is looked at first, and out of memory is refused at the first write or not at
 * all: it writes everything or nothing. It may run twice, when a connection breaks under it: the second time the offset
 * is another one.
 *
 * Outcomes of stretches that are forgotten answer nobody any more; their keys are removed some at a time.
 *
 * KEYS: the live pointer, the checkpoint. ARGV: 'live' or 'build', the generation, what its keys start with, the offset
 * before, the fields of the checkpoint (4; no partition: as it is), the current stretch and the oldest one that is kept
 * (without a partition: as they are), the size of a full chunk of rows, checks, writes, channel, notice.
 * Answers `applied`, `elsewhere` (the offset is another one), `gone` (the generation is not live, or lost its checkpoint),
 * or what does not hold: the key, what was expected, what was found.
 */
export const applyScript = `
if ARGV[1] == 'live' and redis.call('GET', KEYS[1]) ~= ARGV[2] then return {'gone'} end
local start = ARGV[3]
local before = redis.call('HMGET', KEYS[2], 'offset', 'stretch', 'kept')
if not before[1] then return {'gone'} end
if before[1] ~= ARGV[4] then return {'elsewhere'} end
-- How many outcomes of an stretch there are.
local function outcomesOf(stretch) return tonumber(redis.call('HGET', KEYS[2], 'outcomes:' .. stretch) or 0) end

local checks, at = ARGV[12], 1
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
local open = outcomesOf(before[2])
local openKey = 'o:' .. before[2] .. ':' .. math.floor(open / ${outcomesPerChunk})
local inOpen = redis.call('LLEN', start .. openKey)
if inOpen ~= open % ${outcomesPerChunk} then
  return {'broken', ${check.listLength}, openKey, open % ${outcomesPerChunk}, inOpen}
end

redis.call('HSET', KEYS[2], 'offset', ARGV[5], 'record', ARGV[6], 'state', ARGV[7])
if ARGV[8] ~= '' then redis.call('HSET', KEYS[2], 'partition', ARGV[8], 'stretch', ARGV[9], 'kept', ARGV[10]) end

local chunkBytes = tonumber(ARGV[11])
local writes = ARGV[13]
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
    local stretch, txid
    stretch, txid, value, at = struct.unpack('>I4c0I4c0I4c0', writes, at)
    local number = redis.call('HINCRBY', KEYS[2], 'outcomes:' .. stretch, 1) - 1
    redis.call('RPUSH', start .. 'o:' .. stretch .. ':' .. math.floor(number / ${outcomesPerChunk}), value)
    local digits = string.format('%02x%02x', string.byte(txid, 1, 2))
    local bucket = stretch .. ':' .. string.sub(digits, 1, number < ${fewEntries} and 1 or 3)
    redis.call('APPEND', start .. 't:' .. bucket, string.sub(txid, 1, 4) .. struct.pack('>I4', number))
  end
end

-- The oldest stretch of which there are keys, and how many of its keys are removed.
local kept = tonumber(ARGV[10] ~= '' and ARGV[10] or before[3])
local removing = redis.call('HMGET', KEYS[2], 'removing', 'removed')
local stretch, removed = tonumber(removing[1] or 0), tonumber(removing[2] or 0)
if stretch < kept then
  local count = outcomesOf(stretch)
  local chunks = math.ceil(count / ${outcomesPerChunk})
  local keys = chunks + (count > ${fewEntries} and ${fewBuckets + manyBuckets} or ${fewBuckets})
  local last = math.min(keys, removed + ${keysRemovedMax})
  for number = removed, last - 1 do
    local bucket = number - chunks
    if bucket < 0 then redis.call('UNLINK', start .. 'o:' .. stretch .. ':' .. number)
    elseif bucket < ${fewBuckets} then redis.call('UNLINK', start .. 't:' .. stretch .. ':' .. string.format('%x', bucket))
    else redis.call('UNLINK', start .. 't:' .. stretch .. ':' .. string.format('%03x', bucket - ${fewBuckets})) end
  end
  if last == keys then
    redis.call('HSET', KEYS[2], 'removing', stretch + 1, 'removed', 0)
    redis.call('HDEL', KEYS[2], 'outcomes:' .. stretch)
  else redis.call('HSET', KEYS[2], 'removed', last) end
end
-- Who does not hear of it asks again, so that a listener's trouble is not the writer's.
if ARGV[15] ~= '' then redis.pcall('PUBLISH', ARGV[14], ARGV[15]) end
return {'applied'}
`;
