/** The atomic steps of the job table. Each may run twice: the client sends again what it got no answer to. */

/**
 * KEYS: job, due, changed, changed in the state before, and after, tarball, used, bytes, keys, discards, taken.
 * ARGV: id, text before, text after ('' for none), due at ('' for none), changed at, channel; and, to publish a tarball,
 * its text ('' for none), name, key, bytes, time, pinned until.
 */
export const swapScript = `
local held = redis.call('GET', KEYS[1]) or ''
if held ~= ARGV[2] then
  if held == ARGV[3] and (ARGV[7] == '' or redis.call('HGET', KEYS[9], ARGV[9]) == ARGV[8]) then return 'swapped' end
  return 'changed'
end
if ARGV[7] ~= '' then
  if redis.call('EXISTS', KEYS[6]) == 1 then return 'taken' end
  if not redis.call('ZSCORE', KEYS[10], ARGV[9]) or redis.call('SISMEMBER', KEYS[11], ARGV[9]) == 1 then return 'gone' end
  redis.call('ZREM', KEYS[10], ARGV[9])
  redis.call('HSET', KEYS[6], 'text', ARGV[7], 'pinned', ARGV[12])
  redis.call('ZADD', KEYS[7], ARGV[11], ARGV[8])
  redis.call('INCRBY', KEYS[8], ARGV[10])
  redis.call('HSET', KEYS[9], ARGV[9], ARGV[8])
end
redis.call('ZREM', KEYS[4], ARGV[1])
if ARGV[3] == '' then
  redis.call('DEL', KEYS[1])
  redis.call('ZREM', KEYS[2], ARGV[1])
  redis.call('ZREM', KEYS[3], ARGV[1])
else
  redis.call('SET', KEYS[1], ARGV[3])
  redis.call('ZADD', KEYS[3], ARGV[5], ARGV[1])
  redis.call('ZADD', KEYS[5], ARGV[5], ARGV[1])
  if ARGV[4] == '' then redis.call('ZREM', KEYS[2], ARGV[1]) else redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1]) end
end
redis.call('PUBLISH', ARGV[6], ARGV[1])
return 'swapped'
`;

/**
 * The texts of jobs that are due, as they are at this moment: a job that was claimed between the list and its text would
 * look like one whose lease ran out. KEYS: due. ARGV: now, limit, what keys of jobs start with (they are in the same slot).
 */
export const dueScript = `
local texts = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])) do
  local text = redis.call('GET', ARGV[3] .. id)
  if text then texts[#texts + 1] = text end
end
return texts
`;

/** KEYS: tarball. ARGV: until. */
export const pinScript = `
local pinned = redis.call('HGET', KEYS[1], 'pinned')
if not pinned then return 0 end
if tonumber(pinned) < tonumber(ARGV[1]) then redis.call('HSET', KEYS[1], 'pinned', ARGV[1]) end
return 1
`;

/** KEYS: tarball, used, bytes, keys, discards. ARGV: name, key, bytes, now, due at. */
export const unpublishScript = `
if redis.call('HGET', KEYS[4], ARGV[2]) ~= ARGV[1] then
  if redis.call('ZSCORE', KEYS[5], ARGV[2]) then return 1 end
  return 0
end
if tonumber(redis.call('HGET', KEYS[1], 'pinned')) > tonumber(ARGV[4]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('DECRBY', KEYS[3], ARGV[3])
redis.call('HDEL', KEYS[4], ARGV[2])
redis.call('ZADD', KEYS[5], ARGV[5], ARGV[2])
return 1
`;

/** KEYS: discards, taken, keys. ARGV: key, due at. */
export const discardScript = `
if redis.call('SISMEMBER', KEYS[2], ARGV[1]) == 1 or redis.call('HEXISTS', KEYS[3], ARGV[1]) == 1 then return 0 end
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
return 1
`;

/** KEYS: discards, taken. ARGV: now, limit. */
export const takeScript = `
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
if #due > 0 then redis.call('SADD', KEYS[2], unpack(due)) end
return due
`;
