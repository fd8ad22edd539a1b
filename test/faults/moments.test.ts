import t from 'tap'
import { call } from '../helpers/client.js'
import { spawnServer } from '../helpers/process.js'
import { blobs, newSecret } from '../helpers/restart.js'
import { temporaryFolder } from '../helpers/server.js'
import { check, killAfter, REQUESTS } from './moments.js'

/** More or less what a request takes. */
const MILLISECONDS = 40
const { MOMENTS_ROUNDS: rounds = '2' } = process.env

t.test('a server that is killed at any moment of a transfer knows all that it answered, and nothing half done', async (t) => {
  const environment = { UPLOAD_FOLDER: await temporaryFolder(t), SESSION_KEY_SECRET: newSecret(), RATE_LIMIT_CREATE: '10000', RATE_LIMIT_JOIN: '10000' }
  let server = await spawnServer(t, environment)
  for (let round = 0; round < Number(rounds); round++) {
    for (let answers = 0; answers < REQUESTS; answers++) {
      const progress = await killAfter(answers, MILLISECONDS * round / Number(rounds), server)
      server = await spawnServer(t, environment)
      await t.resolves(check(server.origin, progress), `killed when ${progress.answers} requests of ${REQUESTS} had been answered`)
      if (progress.session !== undefined) await call(`${server.origin}/api/session/${progress.session.id}/close`, { method: 'POST', token: progress.session.token })
      t.same(await blobs(environment.UPLOAD_FOLDER), [], 'nothing is left behind')
    }
  }
})
