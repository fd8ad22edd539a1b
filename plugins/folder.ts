import fp from 'fastify-plugin'
import { lockFolder, type LockedFolder } from '../lib/files/folder-lock.js'

declare module 'fastify' {
  interface FastifyInstance {
    readonly folder: LockedFolder
  }
}

const NONE: LockedFolder = {
  get path (): string { throw new Error('nothing is kept in UPLOAD_FOLDER') },
  release: () => Promise.resolve()
}

/** The folder for the files and the session records, which this process alone uses, or with the instances that share its sessions: taken before them, given up after them. There is none where neither lies in it. */
export default fp(async (app) => {
  const { BLOB_STORE: blobs, SESSION_STORE: records } = app.config
  if (blobs !== 'disk' && records !== 'embedded') {
    app.decorate('folder', NONE)
    return
  }
  const folder = await lockFolder(app.config.UPLOAD_FOLDER, records === 'redis')
  app.decorate('folder', folder)
  app.addHook('onClose', () => folder.release())
}, { name: 'folder', dependencies: ['config'] })
