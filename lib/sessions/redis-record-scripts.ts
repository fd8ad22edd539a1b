/**
 * What Redis does atomically for session records. Of a session there is one hash, in the slot of its id:
 *
 *     sealed   the record, which no script can read
 *     version  names this state of it; made anew with every change
 *     past     the versions before, newest first, so that who lost an answer can tell whether the change was made
 *     used     the moment of last use, which changes without the record
 *     idle, ends   from which, with `used`, follows when it expires
 *
 * and one sorted set of all ids, in a slot of its own, by the moment before which none of them expires: uses only make it later,
 * and the sweeper sets that right.
 */

import { RedisScript } from '../redis/redis-script.js'

/** KEYS: the index. ARGV: id, moment, most members. Takes a place for an id. */
export const takePlace = new RedisScript(`
if redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 'taken' end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3]) then return 'full' end
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
return 'added'
`)

/** KEYS: the index. ARGV: id, moment. Gives the place of a session back that is gone, unless the id has been given to another one since. */
export const dropPlace = new RedisScript(`
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if score and tonumber(score) <= tonumber(ARGV[2]) then redis.call('ZREM', KEYS[1], ARGV[1]) end
return 1
`)

/** KEYS: the record. ARGV: version, sealed, used, idle, ends, milliseconds to live. Writes a new record. */
export const addRecord = new RedisScript(`
if redis.call('EXISTS', KEYS[1]) == 1 then return 'taken' end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'past', '', 'sealed', ARGV[2], 'used', ARGV[3], 'idle', ARGV[4], 'ends', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return 'added'
`)

/** KEYS: the record. ARGV: the version that the caller knows. Gives version, used, and the record unless the caller has it. */
export const readRecord = new RedisScript(`
local version = redis.call('HGET', KEYS[1], 'version')
if not version then return {} end
local used = redis.call('HGET', KEYS[1], 'used')
if version == ARGV[1] then return {version, used} end
return {version, used, redis.call('HGET', KEYS[1], 'sealed')}
`)

/**
 * KEYS: the record. ARGV: the version it was read at, the new version, sealed. Changes a record that nobody has changed since. Asked
 * again because the answer was lost, it does not change it twice. Gives what became of it, and where it is another's turn the versions.
 */
export const changeRecord = new RedisScript(`
local version = redis.call('HGET', KEYS[1], 'version')
if not version then return {'gone'} end
if version == ARGV[2] then return {'changed'} end
local past = redis.call('HGET', KEYS[1], 'past')
if version ~= ARGV[1] then return {'other', version .. past} end
redis.call('HSET', KEYS[1], 'version', ARGV[2], 'sealed', ARGV[3], 'past', string.sub(version .. past, 1, 512))
return {'changed'}
`)

/** KEYS: the record. ARGV: moment, milliseconds that it lives behind its expiry. Notes a use; never sets one back. */
export const touchRecord = new RedisScript(`
local used = redis.call('HGET', KEYS[1], 'used')
local at = tonumber(ARGV[1])
if not used or tonumber(used) >= at then return 0 end
redis.call('HSET', KEYS[1], 'used', ARGV[1])
local idle = tonumber(redis.call('HGET', KEYS[1], 'idle'))
local ends = tonumber(redis.call('HGET', KEYS[1], 'ends'))
redis.call('PEXPIRE', KEYS[1], math.max(0, math.min(idle, ends - at)) + tonumber(ARGV[2]))
return 1
`)

/** KEYS: the record. Removes it, for the one caller who gets it. */
export const deleteRecord = new RedisScript(`
local fields = redis.call('HMGET', KEYS[1], 'version', 'used', 'sealed')
if redis.call('DEL', KEYS[1]) == 0 then return {} end
return fields
`)
