/** @tus/server with @tus/file-store as their READMEs set them up. It says where it listens like Fastify. */

import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'

const { FOLDER = '.' } = process.env
const tus = new Server({ path: '/files', datastore: new FileStore({ directory: FOLDER }) })

const server = tus.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (address !== null && typeof address === 'object') console.log(JSON.stringify({ level: 30, msg: `Server listening at http://127.0.0.1:${address.port}` }))
})
