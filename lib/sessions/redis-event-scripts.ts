/**
 * What Redis does atomically for the events of a session, in the slot of its id: a stream of the last ones, and a hash:
 *
 *     epoch      tells these ids from those of events that were forgotten altogether
 *     last       number of the last event; they count from 1
 *     forgotten  number of the last event that is forgotten without a later one that says the same
 *     <file id>  number of the last event of this file's progress
 *
 * Events are sealed. Who listens hears them by a channel, in the order of their numbers: the script that numbers one publishes it.
 */

import { RedisScript } from '../redis/redis-script.js'

const OPEN = `
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if not epoch then
  epoch = ARGV[1]
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'last', 0, 'forgotten', 0)
end
`

/**
 * KEYS: hash, stream. ARGV: an epoch in case there is none, milliseconds to remember, events to remember, sealed event, the channel,
 * the file whose progress it is, the file that is complete or gone, the channel of ends, whose end it is, whether it is the session's.
 */
export const publishEvent = new RedisScript(`${OPEN}
local number = redis.call('HINCRBY', KEYS[1], 'last', 1)
if ARGV[6] ~= '' then
  local before = redis.call('HGET', KEYS[1], ARGV[6])
  if before then redis.call('XDEL', KEYS[2], before .. '-1') end
  redis.call('HSET', KEYS[1], ARGV[6], number)
end
if ARGV[7] ~= '' then redis.call('HDEL', KEYS[1], ARGV[7]) end
redis.call('XADD', KEYS[2], number .. '-1', 'e', ARGV[4])
if redis.call('XLEN', KEYS[2]) > tonumber(ARGV[3]) then
  local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1][1]
  redis.call('XDEL', KEYS[2], oldest)
  redis.call('HSET', KEYS[1], 'forgotten', string.match(oldest, '%d+'))
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
redis.call('PUBLISH', ARGV[5], epoch .. '-' .. number .. ' ' .. ARGV[4])
if ARGV[9] ~= '' then redis.call('PUBLISH', ARGV[8], ARGV[9]) end
if ARGV[10] == '1' then redis.call('DEL', KEYS[1], KEYS[2]) end
return number
`)

/**
 * KEYS: hash, stream. ARGV: an epoch in case there is none, milliseconds to remember, epoch and number of the last event that is
 * known, or two empty texts. Gives the epoch, the number after which the events begin, whether some are lost, and the events.
 */
export const readEvents = new RedisScript(`${OPEN}
local from = tonumber(redis.call('HGET', KEYS[1], 'last'))
local lost = 0
if ARGV[4] ~= '' then
  local known = tonumber(ARGV[4])
  if ARGV[3] == epoch and known <= from and known >= tonumber(redis.call('HGET', KEYS[1], 'forgotten')) then from = known else lost = 1 end
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return {epoch, from, lost, redis.call('XRANGE', KEYS[2], (from + 1) .. '-0', '+')}
`)
