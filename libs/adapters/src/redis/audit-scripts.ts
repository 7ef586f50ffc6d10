/**
 * The atomic steps on one audit tree. KEYS of each: state, rows, paths, tiles. Each may run twice: the client sends again
 * what it got no answer to.
 */

/**
 * Takes a batch when the tree is where it begins. ARGV: entries and moves before, entries and moves after, a name of this
 * call, a life for a tree that has none, how many rows, paths and tiles, and then of each its field and its bytes.
 */
export const appendScript = `
local held = redis.call('HMGET', KEYS[1], 'entries', 'moves', 'call')
if held[3] == ARGV[5] then return 1 end
if (held[1] or '0') ~= ARGV[1] or (held[2] or '0') ~= ARGV[2] then return 0 end
local at = 10
for part = 1, 3 do
  for _ = 1, tonumber(ARGV[6 + part]) do
    redis.call('HSET', KEYS[1 + part], ARGV[at], ARGV[at + 1])
    at = at + 2
  end
end
redis.call('HSETNX', KEYS[1], 'life', ARGV[6])
redis.call('HSET', KEYS[1], 'entries', ARGV[3], 'moves', ARGV[4], 'call', ARGV[5])
return 1
`;

/**
 * Lets go of what lies in pieces now. ARGV: the life, pieces of rows before and after, pieces of paths before and after,
 * rows and paths in a piece, and the fields of full tiles.
 */
export const sealScript = `
local held = redis.call('HMGET', KEYS[1], 'life', 'rows', 'paths')
if held[1] ~= ARGV[1] or (held[2] or '0') ~= ARGV[2] or (held[3] or '0') ~= ARGV[4] then return 0 end
for n = ARGV[2] * ARGV[6], ARGV[3] * ARGV[6] - 1 do redis.call('HDEL', KEYS[2], string.format('%d', n)) end
for n = ARGV[4] * ARGV[7], ARGV[5] * ARGV[7] - 1 do redis.call('HDEL', KEYS[3], string.format('%d', n)) end
for at = 8, #ARGV do redis.call('HDEL', KEYS[4], ARGV[at]) end
redis.call('HSET', KEYS[1], 'rows', ARGV[3], 'paths', ARGV[5])
return 1
`;

/** Publishes. ARGV: number and note before, number and note after. */
export const publishScript = `
local held = redis.call('HMGET', KEYS[1], 'number', 'note')
local number, note = held[1] or '0', held[2] or ''
if number == ARGV[3] and note == ARGV[4] then return 1 end
if number ~= ARGV[1] or note ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'number', ARGV[3], 'note', ARGV[4])
return 1
`;

/**
 * Puts the tree back to what a durable checkpoint says, unless it has that one or a later one. ARGV: number, note, entries,
 * moves, life, pieces of rows and of paths, how many rows, paths and tiles, and then of each its field and its bytes.
 */
export const restoreScript = `
if tonumber(redis.call('HGET', KEYS[1], 'number') or '0') >= tonumber(ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
redis.call('HSET', KEYS[1], 'number', ARGV[1], 'note', ARGV[2], 'entries', ARGV[3], 'moves', ARGV[4],
  'life', ARGV[5], 'rows', ARGV[6], 'paths', ARGV[7])
local at = 11
for part = 1, 3 do
  for _ = 1, tonumber(ARGV[7 + part]) do
    redis.call('HSET', KEYS[1 + part], ARGV[at], ARGV[at + 1])
    at = at + 2
  end
end
return 1
`;
