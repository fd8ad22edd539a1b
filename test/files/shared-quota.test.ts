import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { SharedQuota } from '../../lib/files/shared-quota.js'
import { TestRedis } from '../helpers/redis.js'
import { needs } from '../helpers/services.js'
import { newFile, newRecord } from '../sessions/records.js'

const MIB = 2 ** 20
const FULL = { code: 'STORAGE_FULL' }

if (await needs(t, 'redis')) {
  const redis = await TestRedis.start(t)

  t.test('several processes together store no more than there may be, and what is given back is free for all', async (t) => {
    const limits = { maxFileSize: 100 * MIB, maxSessionSize: 60 * MIB, maxStorage: 100 * MIB, minFreeSpace: 0 }
    const open = async (): Promise<SharedQuota> => new SharedQuota(limits, () => Promise.resolve(1e12), await redis.connect(t), (error) => { t.fail(String(error)) })
    const [here, there] = [await open(), await open()]
    const [one, other] = [newRecord(), newRecord()]
    const [first, second] = [here.file(one), there.file(other)]
    await first.take(40 * MIB)
    await second.take(50 * MIB)
    await t.rejects(here.file(one).take(11 * MIB), FULL)
    await t.rejects(there.check(other, 11 * MIB), { code: 'SESSION_SIZE_EXCEEDED' }, 'beside what is arriving')
    await t.rejects(here.check(newRecord({ files: [newFile(55 * MIB)] }), 6 * MIB), { code: 'SESSION_SIZE_EXCEEDED' }, 'beside what the record has')
    const total = async (): Promise<number> => {
      await delay(20)
      await there.refresh()
      return there.total
    }
    first.settle()
    second.cancel()
    second.cancel()
    while (await total() !== 40 * MIB) await delay(1)
    t.equal(there.of(other), 0)
    here.release(one.id, 30 * MIB)
    here.end(one.id)
    here.release(one.id, 30 * MIB)
    while (await total() !== 0) await delay(1)
    t.equal(await total(), 0, 'nothing is given back twice')
    await t.resolves(there.file(other).take(60 * MIB))
  })
}
