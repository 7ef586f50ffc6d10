/** The life of generations: each step is one script, whatever the number of partitions. */

const checkpointFields = (prefix: string) => `
local function checkpoint(generation, partition)
  return ${prefix} .. generation .. ':' .. string.format('{p%02d}:', partition) .. 'checkpoint'
end
local function name(random)
  return 'g' .. redis.call('INCR', ${prefix} .. 'count') .. '-' .. random
end`;

/**
 * Finds the graph, or makes an empty one; also what is missing of one that was emptied under us. Answers the number of
 * partitions it was made for.
 * KEYS: meta, generations, the live pointers. ARGV: what all keys start with, partitions, a random name.
 */
export const openScript = `
${checkpointFields('ARGV[1]')}
local partitions = redis.call('HGET', KEYS[1], 'partitions')
if partitions and partitions ~= ARGV[2] then return partitions end
local made
for i = 3, #KEYS do
  local live = redis.call('GET', KEYS[i])
  if not live or redis.call('EXISTS', checkpoint(live, i - 3)) == 0 then
    made = made or name(ARGV[3])
    redis.call('SADD', KEYS[2], made)
    redis.call('HSET', checkpoint(made, i - 3), 'offset', -1, 'stretch', 0, 'kept', 0)
    redis.call('SET', KEYS[i], made)
  end
end
redis.call('HSET', KEYS[1], 'partitions', ARGV[2])
return ARGV[2]
`;

/**
 * Claims the right to build and makes an empty generation: its name. Or how long the claim of another one still holds, ms.
 * KEYS: claim, generations. ARGV: what all keys start with, partitions, a random name, how long the claim holds, ms.
 */
export const beginScript = `
${checkpointFields('ARGV[1]')}
local heldMs = redis.call('PTTL', KEYS[1])
if heldMs > 0 then return heldMs end
local made = name(ARGV[3])
redis.call('SET', KEYS[1], made, 'PX', ARGV[4])
redis.call('SADD', KEYS[2], made)
for partition = 0, tonumber(ARGV[2]) - 1 do
  redis.call('HSET', checkpoint(made, partition), 'offset', -1, 'stretch', 0, 'kept', 0)
end
return made
`;

/** KEYS: claim. ARGV: the generation, how long the claim holds from now on, ms; 0 gives it up. Answers whether it was held. */
export const claimScript = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then redis.call('DEL', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 1
`;

/**
 * Puts a generation in the place of the live one, in all partitions at once, and gives the claim up. Not when the live
 * one is ahead somewhere (`behind`), and not without the claim (`lost`).
 * KEYS: claim, the live pointers. ARGV: what all keys start with, the generation, the channel that is told.
 */
export const promoteScript = `
${checkpointFields('ARGV[1]')}
if redis.call('GET', KEYS[1]) ~= ARGV[2] then return 'lost' end
for i = 2, #KEYS do
  local live = redis.call('GET', KEYS[i])
  local offset = live and redis.call('HGET', checkpoint(live, i - 2), 'offset')
  local built = redis.call('HGET', checkpoint(ARGV[2], i - 2), 'offset')
  if not built then return 'lost' end
  if offset and tonumber(offset) > tonumber(built) then return 'behind' end
end
for i = 2, #KEYS do redis.call('SET', KEYS[i], ARGV[2]) end
redis.call('DEL', KEYS[1])
redis.pcall('PUBLISH', ARGV[3], ARGV[2])
return 'promoted'
`;

/**
 * Removes some keys of a generation, unless it is used: a Redis that went back to a snapshot may have made it live again.
 * KEYS: claim, the live pointers, the keys. ARGV: the generation, how many live pointers there are. Answers whether it did.
 */
export const removeScript = `
for i = 1, 1 + tonumber(ARGV[2]) do
  if redis.call('GET', KEYS[i]) == ARGV[1] then return 0 end
end
for i = 2 + tonumber(ARGV[2]), #KEYS do redis.call('UNLINK', KEYS[i]) end
return 1
`;

/** Does once what the others do, to a key of its own, so that a user without a right is told before anything is written. */
export const probeScript = `
local failed
local function try(...)
  local answer = redis.pcall(...)
  if type(answer) == 'table' and answer.err then failed = failed or answer.err end
end
try('DEL', KEYS[1])
try('HSET', KEYS[1], 'a', 1)
try('HDEL', KEYS[1], 'a')
try('SADD', KEYS[1], 1)
try('SREM', KEYS[1], 1)
try('RPUSH', KEYS[1], 1)
try('DEL', KEYS[1])
try('INCR', KEYS[1])
try('SET', KEYS[1], 'a', 'PX', 1000)
try('APPEND', KEYS[1], 'a')
try('PEXPIRE', KEYS[1], 1000)
try('PUBLISH', KEYS[1], '')
try('UNLINK', KEYS[1])
try('DEL', KEYS[1])
if failed then return redis.error_reply(failed) end
return 1
`;
